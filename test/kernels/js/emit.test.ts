import { describe, expect, it } from 'vitest';
import { emit } from '../../../kernels/js/emit.ts';
import { literal } from '../../../kernels/literal.ts';
import type { Expr, Kernel } from '../../../kernels/loop.ts';
import { parseKernel } from '../../../kernels/parse.ts';
import { constant } from '../../../kernels/position.ts';
import { InternalError } from '../../../runtime/errors.ts';
import { dedent, kernelOf, run } from '../run.ts';

const one = (expression: string, dtype = 'f32'): string =>
  emit(
    parseKernel(`kernel @k(a: read f32[9], b: read f32[9], n: read i32[9], l: read i64[9], p: read bool[9], y: write ${dtype}[9]) slots(f32) {
      par i: 9 { let t = ${expression} y[i] = t }
    }`),
  ).source.match(/const t = (.*);/)![1]!;

describe('expressions', () => {
  it.each([
    ['a[i] - (b[i] - a[i])', 'Math.fround(a[i] - Math.fround(b[i] - a[i]))'],
    ['f64(a[i]) - (f64(b[i]) - f64(a[i]))', 'a[i] - (b[i] - a[i])'],
    ['f64(a[i]) - f64(b[i]) - f64(a[i])', 'a[i] - b[i] - a[i]'],
    ['(f64(a[i]) + f64(b[i])) * f64(a[i])', '(a[i] + b[i]) * a[i]'],
    ['neg(neg(f64(a[i])))', '-(-a[i])'],
    ['f64(a[i]) - -1_f64', 'a[i] - -1'],
    ['neg(f64(a[i]) + 1_f64)', '-(a[i] + 1)'],
    ['select(a[i] < b[i], f64(a[i]), f64(b[i]))', 'a[i] < b[i] ? a[i] : b[i]'],
    ['select(or(and(p[i], not(p[i])), a[i] == b[i]), 1_f64, 0_f64)', 'p[i] && !p[i] || a[i] === b[i] ? 1 : 0'],
    ['select(not(a[i] < b[i]), 1_f64, 0_f64)', '!(a[i] < b[i]) ? 1 : 0'],
    ['n[i] + n[i] * n[i]', '(n[i] + Math.imul(n[i], n[i])) | 0'],
    ['bitAnd(n[i], n[i] + 1_i32)', 'n[i] & ((n[i] + 1) | 0)'],
    ['l[i] * 3_i64', 'BigInt.asIntN(64, l[i] * 3n)'],
    ['f64(l[i])', 'Number(l[i])'],
    ['0.1_f32 * a[i]', 'Math.fround(0.10000000149011612 * a[i])'],
    ['exp(a[i])', 'Math.fround(Math.exp(a[i]))'],
    ['max(a[i], 0_f32)', 'Math.max(a[i], 0)'],
    ['$0 * a[i]', 'Math.fround(slot0 * a[i])'],
    ['a[8 - i]', 'a[8 - i]'],
    ['a[i div 3]', 'a[(i / 3) | 0]'],
    ['a[(i + 8) mod 9]', 'a[(i + 8) % 9]'],
    ['choose(0 <= (1 - i) div 2 < 4, a[(1 - i) div 2], 0_f32)', 'Math.floor((1 - i) / 2) >= 0 ? a[Math.floor((1 - i) / 2)] : 0'],
    ['choose(0 <= (i*2 + 1 - i*3) mod 4 < 3, 1_f32, 0_f32)', '((1 - i) % 4 + 4) % 4 < 3 ? 1 : 0'],
    ['select(a[i] < 0_f32, select(b[i] < 0_f32, 1_f32, 2_f32), 3_f32)', 'a[i] < 0 ? b[i] < 0 ? 1 : 2 : 3'],
  ])('%s', (text, source) => {
    expect(one(text, /l\[i\] \*/.test(text) ? 'i64' : /^n|^bit/.test(text) ? 'i32' : /f64|^neg/.test(text) ? 'f64' : 'f32')).toBe(source);
  });
});

describe('names and comments', () => {
  const payloads = [
    '*/ globalThis.hacked = 1 /*',
    '\n globalThis.hacked = 1',
    '\r globalThis.hacked = 1',
    '\u2028 globalThis.hacked = 1',
    '\u2029 globalThis.hacked = 1',
    '</script><script>globalThis.hacked = 1</script>',
    `\`\${globalThis.hacked = 1}\``,
    '"; globalThis.hacked = 1; "',
    "'); globalThis.hacked = 1; ('",
    '\\u000a globalThis.hacked = 1',
    '\\',
  ];
  const kernel = (name: string): Kernel => ({
    name: `k ${name}`,
    params: [{ name: `x${name}`, dtype: 'f32', access: 'write', length: 1 }],
    slots: [],
    comment: [name, `matmul ${name}`],
    body: [
      { kind: 'let', name: `t${name}`, value: literal(1, 'f32') },
      { kind: 'check', value: literal(0, 'i32'), below: 1, op: name },
      { kind: 'store', buffer: `x${name}`, at: constant(0), value: { kind: 'ref', dtype: 'f32', name: `t${name}` } },
    ],
  });

  it.each(payloads)('never become code: %j', (payload) => {
    const { name, source, params } = emit(kernel(payload));
    const x = new Float32Array(1);
    new Function(...params, source)(x, new Float64Array(), () => {});
    expect(x[0]).toBe(1);
    expect((globalThis as { hacked?: unknown }).hacked).toBeUndefined();
    expect(name).toMatch(/^[A-Za-z_$][\w$]*$/);
    expect(source).not.toMatch(/[\r\u2028\u2029]|<\/script|\*\//);
  });

  it('the op of a check arrives as it was written', () => {
    for (const payload of payloads) {
      const k = kernel(payload);
      const broken: Kernel = { ...k, body: [{ kind: 'check', value: literal(1, 'i32'), below: 1, op: payload }] };
      const { source, params } = emit(broken);
      let told: unknown;
      new Function(...params, source)(new Float32Array(1), new Float64Array(), (op: string) => {
        told = op;
      });
      expect(told).toBe(payload);
    }
  });

  it('keep out of the way of keywords, slots and the prelude', () => {
    const kernel = kernelOf(`
      kernel @k(fail: read f32[1], slots: read f32[1], Math: read f32[1], erf: write f32[1]) slots(f32) {
        let slot0 = erf(fail[0])
        let class = slots[0] + Math[0]
        erf[0] = slot0 + class * $0
      }
    `);
    const y = run(kernel, { fail: [0.5], slots: [2], Math: [3] }, [10]).erf!;
    expect(y[0]).toBeCloseTo(0.5204999 + 50, 5);
  });

  it('are the same bytes on every run', () => {
    const text = 'kernel @k(y: write f32[4]) { par i: 4 { y[i] = erf(position.f32(i)) + softplus(position.f32(i)) } }';
    expect(emit(parseKernel(text))).toEqual(emit(parseKernel(text)));
  });
});

describe('scratch', () => {
  it('is allocated once per launch and filled where it stands', () => {
    const kernel = kernelOf(`
      kernel @k(x: read f32[6], y: write f32[2]) {
        par i: 2 {
          scratch s: f32[3] = 0_f32
          serial j: 3 {
            s[j] += x[i*3 + j]
          }
          y[i] = s[0] + s[2]
        }
      }
    `);
    expect(emit(kernel).source).toBe(
      dedent(`
        const s = new Float32Array(3);
        for (let i = 0; i < 2; i++) {
          s.fill(0);
          for (let j = 0; j < 3; j++) {
            s[j] += x[i * 3 + j];
          }
          y[i] = s[0] + s[2];
        }
      `),
    );
    expect([...run(kernel, { x: [1, 2, 3, 4, 5, 6] }).y!]).toEqual([4, 10]);
  });

  it('of the same name in two bodies is two arrays if they differ', () => {
    const kernel = kernelOf(`
      kernel @k(y: write f32[4]) {
        par i: 2 {
          scratch s: f32[1] = 1_f32
          y[i] = s[0]
        }
        par i: 2 {
          scratch s: f32[2] = 2_f32
          y[i + 2] = s[1]
        }
      }
    `);
    expect([...run(kernel).y!]).toEqual([1, 1, 2, 2]);
  });
});

describe('loops', () => {
  it('of no turns do nothing, and sizes that nothing binds are refused', () => {
    const empty = kernelOf(`
      kernel @k(y: write f32[4]) {
        par i: 0 {
          y[i] = 1_f32
        }
      }
    `);
    expect([...run(empty).y!]).toEqual([0, 0, 0, 0]);
    const open = parseKernel('kernel @k(y: write f32[4]) { par i: #n { y[i] = 1_f32 } }');
    expect(() => emit(open)).toThrow(InternalError);
    expect(() => emit(open)).toThrow(/size n is not bound/);
  });
});

describe('slots', () => {
  it('are converted once to their dtype', () => {
    const kernel = parseKernel(`
      kernel @k(y: write f64[4], b: write i64[1]) slots(f32, i32, i64, bool) {
        y[0] = f64($0)
        y[1] = f64($1)
        y[2] = f64($3)
        b[0] = $2
      }
    `);
    const { y, b } = run(kernel, {}, [0.1, 3.7, 5, 2]);
    expect([...y!]).toEqual([Math.fround(0.1), 3, 1, 0]);
    expect(b![0]).toBe(5n);
  });
});

describe('float16', () => {
  it('is refused by name', () => {
    const half: Expr = { kind: 'load', dtype: 'f16', buffer: 'x', at: constant(0) };
    const kernel: Kernel = {
      name: 'k',
      params: [{ name: 'x', dtype: 'f16', access: 'write', length: 1 }],
      slots: [],
      comment: [],
      body: [{ kind: 'store', buffer: 'x', at: constant(0), value: half }],
    };
    expect(() => emit(kernel)).toThrow(/no float16/);
  });
});
