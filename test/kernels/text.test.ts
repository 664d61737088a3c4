import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { literal, literalText, parseLiteral } from '../../kernels/literal.ts';
import type { Expr, Kernel, Position, Stmt } from '../../kernels/loop.ts';
import { parseKernel } from '../../kernels/parse.ts';
import { add, axis, constant, div, mod, mul, valuePosition } from '../../kernels/position.ts';
import { printKernel } from '../../kernels/print.ts';
import { verifyKernel } from '../../kernels/verify.ts';
import { IRError } from '../../runtime/errors.ts';
import { runs } from '../effort.ts';
import { dedent } from './run.ts';

const everything = `
  kernel @everything(x: read f32[#n], i: read i64[8], y: update f32[64], b: write bool[8], z: write i32[8]) slots(f32, i64) {
    comment "gather \\"model.ts\\":3\\n*/"
    scratch e: f64[8] = 0_f64
    par p: 8 {
      check i[p] below #n for "gather"
      let t = x[value(i[p])]
      var s = -0_f32
      s max= t
      s += t * $0 - (t - 1e-7_f32) / -2.5_f32
      s = select(t < 0_f32, s, neg(s))
      serial k: 6 step 2 {
        y[(p*8 + k) div 3] = choose(0 <= p + k - 1 < 8 & 0 <= k < #n, x[p + k - 1], inf_f32)
        y[(p + k) mod 5] min= f32(e[p])
        e[7 - p] = position.f64(p*#n*2 + k)
      }
      if and(t != t, not(b[p])) {
        z[p] = bitcast.i32(t)
      } else {
        z[p] = i32($1)
      }
    }
    vector q: 8 {
      b[q] = true
    }
    library sort(x, y, z) extents(1, 8, 1) flags(0, -1)
  }
`;

describe('the text form', () => {
  it('reads back what it prints, for every kind of statement and expression', () => {
    expect(printKernel(parseKernel(everything))).toBe(dedent(everything));
    verifyKernel(parseKernel(everything));
  });

  it('keeps the order of sizes where a sum begins with a minus', () => {
    const text = dedent(`
      kernel @k(y: write f32[64]) {
        y[-#n*#n + #n] = 1_f32
        y[7 - #n] = 1_f32
      }
    `);
    expect(printKernel(parseKernel(text))).toBe(text);
  });

  it('reads back any kernel', () => {
    fc.assert(
      fc.property(kernels, (kernel) => {
        verifyKernel(kernel);
        const text = printKernel(kernel);
        const read = parseKernel(text);
        expect(read).toEqual(kernel);
        expect(printKernel(read)).toBe(text);
      }),
      { numRuns: runs(300) },
    );
  });

  it('keeps the bits of every literal', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('f32', 'f64', 'i32', 'i64', 'u8', 'bool', 'f16' as const),
        fc.bigInt(0n, 2n ** 64n - 1n),
        (dtype, random) => {
          const width = { f32: 32, f64: 64, f16: 16, i32: 32, i64: 64, u8: 8, bool: 1 }[dtype];
          const l = { kind: 'literal', dtype, bits: BigInt.asUintN(width, random) } as const;
          expect(parseLiteral(literalText(l))).toEqual(l);
        },
      ),
      { numRuns: runs(1000) },
    );
  });

  it('writes literals as short as they can be', () => {
    const texts = [
      literal(0.1, 'f32'),
      literal(16777216, 'f32'),
      literal(-0, 'f64'),
      literal(NaN, 'f32'),
      literal(-3n, 'i64'),
      literal(1, 'bool'),
    ];
    expect(texts.map(literalText)).toEqual(['0.1_f32', '16777216_f32', '-0_f64', '0x7fc00000_f32', '-3_i64', 'true']);
  });
});

describe('parse errors', () => {
  const refused = (text: string): string => {
    try {
      parseKernel(text);
    } catch (error) {
      expect(error).toBeInstanceOf(IRError);
      return (error as Error).message;
    }
    return 'accepted';
  };

  it.each([
    ['kernel @k() {\n  y[0] = 1_f32\n}', "line 2, column 3: expected a name in scope, found 'y'"],
    ['kernel @k(x: f32[3]) {\n}', "line 1, column 14: expected read, write or update, found 'f32'"],
    ['kernel @k() {\n  let a = 1_f32 +\n}', "line 3, column 1: expected an expression, found '}'"],
    ['kernel @k() {\n  let a = frob(1_f32)\n}', "line 2, column 11: expected a scalar function, found 'frob'"],
    ['kernel @k() {\n  let a = max(1_f32)\n}', "line 2, column 11: expected 2 operands of max, found 'max'"],
    ['kernel @k() {\n  let a = 300_u8\n}', "line 2, column 11: expected a literal in the range of its dtype, found '300_u8'"],
    ['kernel @k(x: write f32[3]) {\n  x[j] = 1_f32\n}', "line 2, column 5: expected an axis in scope, found 'j'"],
    ['kernel @k() {\n  par i: 3 {\n', 'line 3, column 1: expected a statement, found the end'],
    ['kernel @k() {\n  let a = $0\n}', "line 2, column 11: expected a slot below 0, found '$'"],
    ['kernel @k() {\n  let a = 1_f32 ; 2\n}', "line 2, column 17: ';' starts no token"],
    ['kernel @k() { } kernel @l() { }', "line 1, column 17: expected one kernel only, found 'kernel'"],
    ['', "line 1, column 1: expected 'kernel', found the end"],
  ])('name line and column: %j', (text, message) => {
    expect(refused(text)).toContain(message);
  });

  it('are errors of the IR whatever is cut off or put in', () => {
    const text = dedent(everything);
    for (let at = 0; at < text.length - 2; at += 3) {
      expect(refused(text.slice(0, at))).toMatch(/line \d+, column \d+/);
      const changed = `${text.slice(0, at)}?${text.slice(at)}`;
      // Inside the quoted texts a question mark is welcome.
      if (!/comment|check/.test(text.slice(text.lastIndexOf('\n', at), at))) expect(refused(changed)).toMatch(/line \d+, column \d+/);
    }
  });
});

describe('the verifier', () => {
  const f32 = (value: number): Expr => literal(value, 'f32');
  const kernel = (...body: Stmt[]): Kernel => ({
    name: 'k',
    params: [
      { name: 'x', dtype: 'f32', access: 'read', length: 4 },
      { name: 'y', dtype: 'f32', access: 'write', length: 4 },
    ],
    slots: ['f32'],
    comment: [],
    body,
  });
  const zero = constant(0);
  const store = (value: Expr): Stmt => ({ kind: 'store', buffer: 'y', at: zero, value });

  it.each<[string, Kernel, string]>([
    ['a store of another dtype', kernel(store(literal(1, 'f64'))), 'y is f32, but 1_f64 is f64'],
    ['a store to what may only be read', kernel({ kind: 'store', buffer: 'x', at: zero, value: f32(1) }), 'x may only be read'],
    ['a name out of scope', kernel(store({ kind: 'ref', dtype: 'f32', name: 't' })), 't is not in scope'],
    [
      'a name of another dtype',
      kernel({ kind: 'let', name: 't', value: f32(1) }, store({ kind: 'ref', dtype: 'i32', name: 't' })),
      't is f32, not i32',
    ],
    ['an axis out of scope', kernel({ kind: 'store', buffer: 'y', at: axis('i'), value: f32(1) }), 'i is not in scope'],
    ['a name declared twice', kernel({ kind: 'let', name: 'x', value: f32(1) }), 'x is declared twice'],
    [
      'an assignment to a let',
      kernel({ kind: 'let', name: 't', value: f32(1) }, { kind: 'assign', name: 't', value: f32(2) }),
      't is no var',
    ],
    [
      'operands of two dtypes',
      kernel(store({ kind: 'call', dtype: 'f32', fn: 'add', args: [f32(1), literal(1, 'f64')] })),
      'add does not take f32, f64 to f32',
    ],
    [
      'a float function of integers',
      kernel({ kind: 'let', name: 't', value: { kind: 'call', dtype: 'i32', fn: 'exp', args: [literal(1, 'i32')] } }),
      'exp does not take i32 to i32',
    ],
    ['a wrong number of operands', kernel(store({ kind: 'call', dtype: 'f32', fn: 'add', args: [f32(1)] })), 'add takes 2 operands'],
    ['a slot of another dtype', kernel(store({ kind: 'slot', dtype: 'f32', index: 1 })), 'slot 1 is undefined, not f32'],
    ['a branch on a number', kernel({ kind: 'if', test: f32(1), then: [], else: [] }), 'if 1_f32 is f32, not bool'],
    ['a name that is code', kernel({ kind: 'let', name: 't; alert(1)', value: f32(1) }), "'t; alert(1)' is no identifier"],
    ['a negative extent', kernel({ kind: 'loop', axis: 'i', extent: -1, mode: 'par', body: [] }), '-1 is no extent'],
    ['a step of nothing', kernel({ kind: 'loop', axis: 'i', extent: 4, step: 0, mode: 'par', body: [] }), 'the step of i is 0'],
    ['a position of floats', kernel({ kind: 'store', buffer: 'y', at: valuePosition(f32(1)), value: f32(1) }), 'a position of f32'],
    [
      'branches of two dtypes',
      kernel(store({ kind: 'choose', dtype: 'f32', when: [], then: f32(1), else: literal(1, 'f64') })),
      'differ in dtype',
    ],
  ])('refuses %s', (_, broken, message) => {
    expect(() => verifyKernel(broken)).toThrow(IRError);
    expect(() => verifyKernel(broken)).toThrow(message);
  });
});

// ---- random kernels

const atoms: fc.Arbitrary<Position> = fc.oneof(
  fc.constantFrom(axis('i'), axis('j')),
  fc.integer({ min: -9, max: 9 }).map(constant),
  fc.constant(valuePosition({ kind: 'load', dtype: 'i64', buffer: 'index', at: axis('i') })),
);
const positions: fc.Arbitrary<Position> = fc.letrec<{ p: Position }>((tie) => ({
  p: fc.oneof(
    { maxDepth: 3 },
    atoms,
    fc.tuple(tie('p'), tie('p')).map(([a, b]) => add(a, b)),
    fc.tuple(tie('p'), fc.integer({ min: -4, max: 12 })).map(([a, n]) => mul(a, n)),
    fc.tuple(tie('p'), fc.integer({ min: 1, max: 12 })).map(([a, n]) => div(a, n)),
    fc.tuple(tie('p'), fc.integer({ min: 1, max: 12 })).map(([a, n]) => mod(a, n)),
    tie('p').map((a) => mul(a, { size: 'n' })),
    fc.constant(constant({ size: 'n' })),
  ),
})).p;

const expressions: fc.Arbitrary<Expr> = fc.letrec<{ e: Expr }>((tie) => ({
  e: fc.oneof(
    { maxDepth: 4 },
    fc.float().map((v): Expr => literal(v, 'f32')),
    fc.constant<Expr>({ kind: 'ref', dtype: 'f32', name: 't' }),
    fc.constant<Expr>({ kind: 'slot', dtype: 'f32', index: 0 }),
    positions.map((at): Expr => ({ kind: 'load', dtype: 'f32', buffer: 'x', at })),
    positions.map((at): Expr => ({ kind: 'position', dtype: 'f32', at })),
    fc
      .tuple(fc.constantFrom('add', 'sub', 'mul', 'div', 'max', 'atan2' as const), tie('e'), tie('e'))
      .map(([fn, a, b]): Expr => ({ kind: 'call', dtype: 'f32', fn, args: [a, b] })),
    fc
      .tuple(fc.constantFrom('exp', 'neg', 'erf' as const), tie('e'))
      .map(([fn, a]): Expr => ({ kind: 'call', dtype: 'f32', fn, args: [a] })),
    fc.tuple(fc.constantFrom('eq', 'ne', 'lt', 'le' as const), tie('e'), tie('e'), tie('e')).map(
      ([fn, a, b, c]): Expr => ({
        kind: 'call',
        dtype: 'f32',
        fn: 'select',
        args: [{ kind: 'call', dtype: 'bool', fn, args: [a, b] }, b, c],
      }),
    ),
    tie('e').map((a): Expr => ({ kind: 'cast', dtype: 'f32', value: { kind: 'cast', dtype: 'f64', value: a } })),
    tie('e').map((a): Expr => ({ kind: 'bitcast', dtype: 'f32', value: { kind: 'bitcast', dtype: 'i32', value: a } })),
    fc
      .tuple(positions, tie('e'), tie('e'))
      .map(([at, a, b]): Expr => ({ kind: 'choose', dtype: 'f32', when: [{ at, below: 7 }], then: a, else: b })),
  ),
})).e;

const kernels: fc.Arbitrary<Kernel> = fc
  .tuple(
    fc.array(fc.string(), { maxLength: 2 }),
    expressions,
    expressions,
    positions,
    fc.constantFrom('par', 'serial', 'vector', 'unroll' as const),
  )
  .map(
    ([comment, value, other, at, mode]): Kernel => ({
      name: 'random',
      params: [
        { name: 'x', dtype: 'f32', access: 'read', length: { size: 'n' } },
        { name: 'index', dtype: 'i64', access: 'read', length: 8 },
        { name: 'y', dtype: 'f32', access: 'update', length: 64 },
      ],
      slots: ['f32'],
      comment,
      body: [
        {
          kind: 'loop',
          axis: 'i',
          extent: 8,
          mode,
          body: [
            { kind: 'var', name: 't', init: literal(0, 'f32') },
            {
              kind: 'loop',
              axis: 'j',
              extent: { size: 'n' },
              step: 2,
              mode: 'serial',
              body: [
                { kind: 'accumulate', name: 't', fn: 'max', value },
                { kind: 'update', buffer: 'y', at, fn: 'add', value: other },
                { kind: 'if', test: { kind: 'cast', dtype: 'bool', value }, then: [{ kind: 'assign', name: 't', value: other }], else: [] },
              ],
            },
          ],
        },
      ],
    }),
  );
