// The rules of ops that carry regions. Their meaning is their regions'; transforms enter those themselves and never ask a rule here.
import { InternalError } from '../../runtime/errors.ts';
import { b, lit, region } from '../ir/builder.ts';
import type { Graph, Value } from '../ir/node.ts';
import type { OpName } from '../ir/opset.ts';
import { referenceOf, tabulate } from './reference.ts';
import type { Batching, Derivative, Evaluate, Reference, RulesFor } from './rules.ts';
import { bool, f64, i64 } from './samples.ts';

type RegionName = 'cond' | 'whileLoop' | 'scan' | 'composite' | 'kernel';

function unasked(what: string, op: OpName): never {
  throw new InternalError(`${what} by entering its regions, not by a rule`, { op });
}
const entered = <K extends RegionName>(op: K) => ({
  derivative: {
    kind: 'custom',
    vjp: () => unasked('is differentiated', op),
    jvp: () => unasked('is differentiated', op),
  } as Derivative<K>,
  batch: { kind: 'custom', rule: () => unasked('is batched', op) } as Batching<K>,
  lower: { kind: 'region' } as const,
});

const isTrue = (x: Reference | undefined): boolean => x?.data[0] === 1;

/** Slice `i` of each array along its first axis. */
const slicesAt = (xs: readonly Reference[], i: number): readonly Reference[] =>
  xs.map(({ dtype, shape: [length, ...shape], data }) =>
    referenceOf(dtype, shape, data.subarray((data.length / length!) * i, (data.length / length!) * (i + 1))),
  );

function scanned(
  body: Graph,
  inputs: readonly Reference[],
  { carries, length, reverse }: { readonly carries: number; readonly length: number; readonly reverse: boolean },
  results: readonly Reference[],
  evaluate: Evaluate,
): readonly Reference[] {
  let state = inputs.slice(0, carries);
  for (let step = 0; step < length; step++) {
    const i = reverse ? length - 1 - step : step;
    const outputs = evaluate(body, [...state, ...slicesAt(inputs.slice(carries), i)]);
    state = outputs.slice(0, carries);
    for (let k = carries; k < outputs.length; k++) results[k]!.data.set(outputs[k]!.data, i * outputs[k]!.data.length);
  }
  return [...state, ...results.slice(carries)];
}

const number = f64();
const map = (f: (x: Value) => Value): Graph => region([number], ([x]) => [f(x!)]);
const doubleOrNegate = (): readonly Graph[] => [map((x) => b.add(x, x)), map(b.neg)];
/** Doubles x and counts, until 3. */
const thrice = (): readonly Graph[] => [
  region([number, i64()], ([, i]) => [b.lt(i!, lit(3, 'i64'))]),
  region([number, i64()], ([x, i]) => [b.add(x!, x!), b.add(i!, lit(1, 'i64'))]),
];
const never = (): readonly Graph[] => [region([number], () => [lit(false, 'bool')]), map(b.neg)];
/** Running sum: carry and slice to their sum, which is also the result. */
const running = (): readonly Graph[] => [
  region([f64(2), f64(2)], ([sum, x]) => {
    const next = b.add(sum!, x!);
    return [next, b.exp(next)];
  }),
];
const doubled = (): readonly Graph[] => [region([f64(2, 3)], ([x]) => [b.add(x!, x!)])];
const kernelAttrs = { name: 'double', form: 'pointwise', space: [2, 3], reduce: [] } as const;

export const regionRules = {
  cond: {
    doc: 'One of two regions, by the first operand, applied to the others.',
    ...entered('cond'),
    reference: ([test, ...inputs], n, evaluate) => evaluate(n.regions[isTrue(test) ? 0 : 1]!, inputs),
    samples: [
      { inputs: [bool(), number], attrs: {}, data: [[1], undefined], regions: doubleOrNegate },
      { inputs: [bool(), number], attrs: {}, data: [[0], undefined], regions: doubleOrNegate },
    ],
    refuses: [
      { inputs: [number, number], attrs: {}, regions: doubleOrNegate, message: /its condition, must be bool\[\]/ },
      { inputs: [bool(), number], attrs: {}, message: /cond wants two regions/ },
      {
        inputs: [bool(), number],
        attrs: {},
        regions: () => [map(b.neg), map((x) => b.lt(x, x))],
        message: /the branches give \(f64\[\]\) and \(bool\[\]\)/,
      },
    ],
    ulp: 0,
  },
  whileLoop: {
    doc: 'The second region applied to the operands for as long as the first holds.',
    ...entered('whileLoop'),
    reference: (inputs, n, evaluate) => {
      const [test, body] = n.regions as readonly [Graph, Graph];
      let state = inputs;
      while (isTrue(evaluate(test, state)[0])) state = evaluate(body, state);
      return state;
    },
    samples: [
      { inputs: [number, i64()], attrs: {}, data: [undefined, [0]], regions: thrice },
      { inputs: [number], attrs: {}, regions: never },
    ],
    refuses: [
      { inputs: [number], attrs: {}, message: /whileLoop wants two regions/ },
      { inputs: [number], attrs: {}, regions: () => [map(b.neg), map(b.neg)], message: /the test must give bool\[\], not \(f64\[\]\)/ },
      { inputs: [number, i64()], attrs: {}, regions: never, message: /the body makes \(f64\[\]\) of \(f64\[\], i64\[\]\)/ },
    ],
    ulp: 0,
  },
  scan: {
    doc: 'Carries, and the slices of the other operands in turn, the last one first if `reverse`, through the region; other results are stacked in place.',
    ...entered('scan'),
    reference: (inputs, n, evaluate) =>
      scanned(
        n.regions[0]!,
        inputs,
        n.attrs,
        n.outputs.map((o) => tabulate(o, () => 0)),
        evaluate,
      ),
    samples: [
      { inputs: [f64(2), f64(3, 2)], attrs: { carries: 1, length: 3, reverse: false }, regions: running },
      { inputs: [f64(2), f64(3, 2)], attrs: { carries: 1, length: 3, reverse: true }, regions: running },
      { inputs: [f64(2), f64(0, 2)], attrs: { carries: 1, length: 0, reverse: false }, regions: running },
      { inputs: [f64(2), f64(1, 2)], attrs: { carries: 1, length: 1, reverse: false }, regions: running },
    ],
    refuses: [
      {
        inputs: [f64(2), f64(3, 2)],
        attrs: { carries: 1, length: 4, reverse: false },
        regions: running,
        message: /f64\[3,2\] has no 4 slices/,
      },
      {
        inputs: [f64(3), f64(3, 2)],
        attrs: { carries: 1, length: 3, reverse: false },
        regions: running,
        message: /the body makes \(f64\[2\]\) of the carries \(f64\[3\]\)/,
      },
      { inputs: [], attrs: { carries: 1, length: 3, reverse: false }, regions: running, message: /do not fit 1 carries/ },
    ],
    ulp: 4,
  },
  composite: {
    doc: 'One notion, written as a region of primitives.',
    ...entered('composite'),
    reference: (inputs, n, evaluate) => evaluate(n.regions[0]!, inputs),
    samples: [{ inputs: [f64(2, 3)], attrs: { name: 'double', params: {} }, regions: doubled }],
    refuses: [
      { inputs: [f64(2, 3)], attrs: { name: 'double', params: {} }, message: /composite wants a region/ },
      { inputs: [], attrs: { name: 'nothing', params: {} }, message: /composite wants a region/ },
    ],
    ulp: 0,
  },
  kernel: {
    doc: 'A fused group.',
    ...entered('kernel'),
    reference: (inputs, n, evaluate) => evaluate(n.regions[0]!, inputs),
    samples: [{ inputs: [f64(2, 3)], attrs: kernelAttrs, regions: doubled }],
    refuses: [
      { inputs: [f64(2, 3)], attrs: kernelAttrs, message: /kernel wants a region/ },
      { inputs: [], attrs: kernelAttrs, message: /kernel wants a region/ },
    ],
    ulp: 0,
  },
} satisfies RulesFor<RegionName>;
