// Random graphs with one open size: at every size they compute, bit for bit, what a Program for that size alone does. Sums of floats along the open
// axis are left out: how those are cut into parts follows from the greatest size. So are, in lanes, sums along rows: lanes run along rows or
// across them, as their number makes cheaper.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { b, lit } from '../../compiler/ir/builder.ts';
import { type Dim, dimAdd, dimMul, sym } from '../../compiler/ir/dim.ts';
import { type Graph, shapeOf, type Value } from '../../compiler/ir/node.ts';
import { load } from '../../compiler/jit/executable.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { lengthAt } from '../../runtime/sizes.ts';
import { jsTarget, type Target, wasmTarget } from '../../runtime/target.ts';

/** A matrix with the open axis first, made of another one. `pick` draws the numbers that it needs. */
type Step = (x: Value, n: Dim, given: (shape: readonly Dim[]) => Value, pick: (below: number) => number) => Value;

const width = (x: Value): number => shapeOf(x)[1] as number;
const over = (row: Value, x: Value): Value => b.expand(row, { shape: shapeOf(x), at: [1] });
const softmax: Step = (x) => b.div(b.exp(x), over(b.sum(b.exp(x), { axes: [1] }), x));
const steps: readonly Step[] = [
  (x) => b.tanh(x),
  (x) => b.max(x, b.neg(x)),
  (x, n, given) => b.add(x, given([n, width(x)])),
  (x, _, given) => b.mul(x, b.expand(given([width(x)]), { shape: shapeOf(x), at: [0] })),
  (x, _, given, pick) => b.dot(x, given([width(x), 1 + pick(24)]), { batch: [], contract: [[1, 0]] }),
  (x) => b.sub(x, over(b.amax(x, { axes: [1] }), x)),
  softmax,
  (x) => b.mul(x, over(b.amin(x, { axes: [1] }), x)),
  // Along the open axis: what comes out in any order of adding.
  (x) => {
    const whole = b.cast(b.floor(b.mul(x, b.expand(lit(4, 'f32'), { shape: shapeOf(x), at: [0, 1] }))), { to: 'i32' });
    return b.add(x, b.expand(b.cast(b.sum(whole, { axes: [0] }), { to: 'f32' }), { shape: shapeOf(x), at: [0] }));
  },
  (x) => b.add(x, b.expand(b.amax(x, { axes: [0] }), { shape: shapeOf(x), at: [0] })),
  (x, n) => b.reshape(b.flip(b.reshape(x, { shape: [dimMul(n, width(x))] }), { axes: [0] }), { shape: [n, width(x)] }),
  (x) => b.permute(b.exp(b.permute(x, { order: [1, 0] })), { order: [1, 0] }),
  (x) => b.concat([x, b.neg(x)], { axis: 1 }),
  (x, n, given) =>
    b.slice(b.concat([given([3, width(x)]), x], { axis: 0 }), { start: [3, 0], stop: [dimAdd(n, 3), width(x)], step: [1, 1] }),
  (x, n) => {
    const count = b.size({ dtype: 'f32', size: n });
    return b.div(x, b.expand(count, { shape: shapeOf(x), at: [0, 1] }));
  },
  (x, n, given) =>
    b.dot(b.dot(x, given([n, width(x)]), { batch: [], contract: [[1, 1]] }), given([n, 7]), { batch: [], contract: [[1, 0]] }),
];

/** The graph of these steps at `n`: the same choices give the same graph at every size. */
function graphOf(choices: readonly (readonly [step: number, draw: number])[], n: Dim, { lanes }: Target): Graph {
  const possible = lanes > 1 ? steps.filter((s) => s !== softmax) : steps;
  const inputs: Value[] = [];
  const given = (shape: readonly Dim[]): Value => {
    const value = b.input({ dtype: 'f32', shape });
    inputs.push(value);
    return value;
  };
  let x = given([n, 5]);
  const made: Value[] = [];
  for (const [step, draw] of choices) {
    if (width(x) > 64) x = b.slice(x, { start: [0, 1], stop: [n, 9], step: [1, 1] });
    x = possible[step % possible.length]!(x, n, given, (below) => draw % below);
    made.push(x);
  }
  return { inputs, outputs: [...new Set([x, made[0]!])] };
}

const max = 64;
const targets: readonly Target[] = [jsTarget, wasmTarget('mul+add')];
const choices = fc.array(fc.tuple(fc.nat({ max: steps.length - 1 }), fc.nat({ max: 1000 })), { minLength: 1, maxLength: 6 });

test('a Program with an open size gives the bits of one for each size', () => {
  fc.assert(
    fc.property(choices, fc.constantFrom(...targets), (drawn, target) => {
      const open = load(compileGraph(graphOf(drawn, sym('n'), target), target, { sizes: [{ name: 'n', min: 2, max }] }));
      for (const n of [2, 3, 7, 8, 64]) {
        const closed = load(compileGraph(graphOf(drawn, n, target), target));
        const inputs = closed.program.inputs.map((port, i) =>
          Float32Array.from({ length: lengthAt(port, []) }, (_, j) => ((j * 7919 + i * 104729) % 1013) / 1013 - 0.5),
        );
        expect(open.run(inputs, new Float64Array(0)), `${target.name} at ${n}`).toEqual(closed.run(inputs, new Float64Array(0)));
      }
    }),
    { numRuns: 15, seed: 7 },
  );
});
