// Names are data: whatever a node, a file or a graph is called, no generated code runs it, and the code has the same tokens.
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { compile } from '../../compiler/frontend/compile.ts';
import { ones } from '../../compiler/frontend/creation.ts';
import { defaultCollate } from '../../compiler/frontend/data/index.ts';
import { Linear, Module, type StateDict } from '../../compiler/frontend/nn/index.ts';
import '../../compiler/frontend/tensor.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { b } from '../../compiler/ir/builder.ts';
import type { Graph } from '../../compiler/ir/node.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';
import { load } from '../../compiler/jit/executable.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { KeyError } from '../../runtime/errors.ts';
import { jsTarget } from '../../runtime/target.ts';
import { runs } from '../effort.ts';

const hit = 'globalThis.pwned = true';
const payloads = [
  `\n${hit}\n`,
  `\r${hit}\r`,
  `\u2028${hit}\u2028`,
  `\u2029${hit}`,
  `*/ ${hit}; /*`,
  `\`\${${hit}}\``,
  `"; ${hit}; "`,
  `'; ${hit}; '`,
  `</script><script>${hit}</script>`,
  `//# sourceMappingURL=data:,${hit}`,
  `\u202e${hit}`,
  `\ud800${hit}\udfff`,
  `constructor`,
  `__proto__`,
  `x\0${hit}`,
  `})(); ${hit}; (() => {`,
];

/** A graph of several kernels in which everything that can have a name or a place has this one. */
function named(text: string | undefined): Graph {
  const x = b.input({ dtype: 'f32', shape: [3, 4] });
  const lr = b.slot({ dtype: 'f32' });
  const e = b.exp(x);
  const sum = b.sum(e, { axes: [1] });
  const product = b.dot(e, x, { contract: [[1, 1]], batch: [] });
  const scaled = b.mul(b.expand(lr, { shape: [3], at: [0] }), sum);
  if (text !== undefined)
    for (const { node } of [x, lr, e, sum, product, scaled]) {
      node.name = text;
      node.loc = { site: text };
    }
  return { inputs: [x, lr], outputs: [scaled, product] };
}

const programOf = (text: string | undefined) => compileGraph(named(text), jsTarget, text === undefined ? {} : { name: text });
const data = Float32Array.from({ length: 12 }, (_, i) => i / 12);
const run = (text: string | undefined): number[][] =>
  load(programOf(text))
    .run([data], Float64Array.of(0.5))
    .map((o) => Array.from(o as Float32Array));

/** The code without comments, every identifier alike: what a name may change is which identifiers stand there. */
const shapeOfCode = (source: string): string =>
  source
    .replace(/\/\*[\s\S]*?\*\/|\/\/[^\n\r\u2028\u2029]*/g, '')
    .replace(/[\p{L}_$][\p{L}\p{N}_$]*/gu, 'id')
    .replace(/\s+/g, ' ');
const codeOf = (text: string | undefined): string =>
  programOf(text)
    .kernels.map((k) => shapeOfCode(`${k.params.join()}:${k.source}`))
    .join('\n');

afterEach(() => {
  expect('pwned' in globalThis).toBe(false);
});

describe('a name', () => {
  const plain = { code: codeOf(undefined), results: run(undefined) };

  it.each(payloads.map((p) => [p]))('%j is never run', (text) => {
    expect(codeOf(text)).toBe(plain.code);
    expect(run(text)).toEqual(plain.results);
  });

  it.each(payloads.map((p) => [p]))('%j is read back from text as it was', (text) => {
    const once = print(named(text));
    const back = parse(once);
    expect(print(back)).toBe(once);
    expect(back.inputs[0]!.node.name).toBe(text);
  });

  it('of any characters leaves the code as it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(fc.constantFrom(...payloads), { maxLength: 3 }).map((p) => p.join('')),
        ),
        (text) => {
          expect(codeOf(text)).toBe(plain.code);
        },
      ),
      { seed: 17, numRuns: runs(60) },
    );
  });
});

describe('a key', () => {
  class Net extends Module {
    readonly constructor_ = new Linear(1, 1);
    forward(x: Tensor): Tensor {
      return this.constructor_.forward(x);
    }
  }

  it.each(['__proto__', 'constructor', 'toString', 'constructor.prototype.polluted', '__proto__.polluted'])(
    '%s of a state dict is only a key',
    (key) => {
      const net = new Net();
      const hostile = JSON.parse(`{ ${JSON.stringify(key)}: 1 }`) as Record<string, unknown>;
      for (const k of Object.keys(hostile)) Object.defineProperty(hostile, k, { value: ones([1]), enumerable: true });
      expect(() => net.loadStateDict(hostile as StateDict)).toThrow(KeyError);
      expect(() => net.loadStateDict(new Map([[key, ones([1])]]))).toThrow(KeyError);
      expect(net.loadStateDict(new Map([[key, ones([1])]]), { strict: false }).unexpectedKeys).toEqual([key]);
      expect(Object.keys(Object.prototype)).toEqual([]);
      expect('polluted' in {}).toBe(false);
    },
  );

  it('of what compiled code returns is only a key', () => {
    const f = compile((x: Tensor) => {
      const result: Record<string, Tensor> = Object.create(null);
      for (const key of ['__proto__']) result[key] = x.mul(2);
      return result;
    });
    for (let i = 0; i < 2; i++) {
      const result = f(ones([1]));
      expect(Object.keys(result)).toEqual(['__proto__']);
      expect((Object.getOwnPropertyDescriptor(result, '__proto__')!.value as Tensor).tolistSync()).toEqual([2]);
    }
  });

  it('of a sample that a loader collates is only a key', () => {
    const batch = defaultCollate([JSON.parse('{"__proto__": 1, "y": 2}'), JSON.parse('{"__proto__": 3, "y": 4}')]) as object;
    expect(Object.keys(batch)).toEqual(['__proto__', 'y']);
    expect('polluted' in {}).toBe(false);
  });
});
