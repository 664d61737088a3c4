// The rules of reductions: sums, products, extrema and where extrema lie.
import type { ScalarName } from '../../kernels/scalar.ts';
import { isFloat } from '../../runtime/dtype.ts';
import { b } from '../ir/builder.ts';
import { numel } from '../ir/dim.ts';
import { dtypeOf, type NodeOf, shapeOf, type Value } from '../ir/node.ts';
import { allBehind, batchedBy, behind } from './batching.ts';
import { productOfOthers } from './cumulative.ts';
import { at, completed, eachIndex, scalarMeaning, tabulate } from './reference.ts';
import type { Reference, Refusal, RulesFor, Sample } from './rules.ts';
import { bool, f32, f64, i32, numbers } from './samples.ts';

type ReduceName = 'sum' | 'prod' | 'amax' | 'amin';
type ArgReduceName = 'argmax' | 'argmin';
type Cotangents = readonly (Value | null)[];

/** The result's value at each place of the operand. */
const back = (v: Value, x: Value, axes: readonly number[]): Value => b.expand(v, { shape: shapeOf(x), at: axes });

/** At each place the product of all other elements that `prod` over `axes` multiplies with it. */
function othersOver(x: Value, axes: readonly number[]): Value {
  const shape = shapeOf(x);
  const kept = shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const order = [...kept, ...axes];
  const moved = b.permute(x, { order });
  const line = b.reshape(moved, { shape: [...kept.map((i) => shape[i]!), numel(axes.map((i) => shape[i]!))] });
  const others = b.reshape(productOfOthers(line, kept.length), { shape: shapeOf(moved) });
  return b.permute(others, { order: shape.map((_, i) => order.indexOf(i)) });
}

/** Which elements attain the extremum, as 1 and 0, and how many share each. A NaN attains it wherever it stands. */
function attaining({ inputs: [x], values, attrs }: NodeOf<'amax' | 'amin'>): { readonly attained: Value; readonly count: Value } {
  const equal = b.eq(x, back(values[0]!, x, attrs.axes));
  const attained = b.cast(isFloat(dtypeOf(x)) ? b.or(equal, b.ne(x, x)) : equal, { to: dtypeOf(x) });
  return { attained, count: b.sum(attained, attrs) };
}

/** Elements that attain the extremum share its gradient evenly. */
const extremum = {
  kind: 'custom',
  vjp: ([ct]: Cotangents, n: NodeOf<'amax' | 'amin'>) => {
    if (!ct) return [null] as const;
    const { attained, count } = attaining(n);
    return [b.mul(attained, back(b.div(ct, count), n.inputs[0], n.attrs.axes))] as const;
  },
  jvp: ([t]: readonly [Value | null], n: NodeOf<'amax' | 'amin'>) => {
    if (!t) return [null];
    const { attained, count } = attaining(n);
    return [b.div(b.sum(b.mul(t, attained), n.attrs), count)];
  },
} as const;

const reductionSamples: readonly Sample<'sum'>[] = [
  ...numbers.map((dtype) => ({ inputs: [{ dtype, shape: [2, 3, 4] }], attrs: { axes: [1] }, range: [1, 3] as const })),
  { inputs: [f32(2, 3, 4)], attrs: { axes: [0, 2] }, range: [0.5, 2] },
  { inputs: [f64(2, 3, 4)], attrs: { axes: [2, 0, 1] }, range: [0.5, 2] },
  { inputs: [f64(2, 3)], attrs: { axes: [] } },
  { inputs: [f64()], attrs: { axes: [] } },
  { inputs: [f64(3, 1)], attrs: { axes: [1] } },
  { inputs: [i32(0, 3)], attrs: { axes: [1] } },
  { inputs: [f32(3)], attrs: { axes: [0] }, data: [[1, Number.NaN, 2]] },
];
/** What only a sum or product has: a value over nothing, and results that wrap. */
const ofNothing: readonly Sample<'sum'>[] = [
  { inputs: [f64(0, 3)], attrs: { axes: [0] } },
  { inputs: [i32(2, 0)], attrs: { axes: [1] } },
  { inputs: [{ dtype: 'u8', shape: [3] }], attrs: { axes: [0] }, data: [[200, 100, 9]] },
  { inputs: [i32(3)], attrs: { axes: [0] }, data: [[2147483647, 65537, 65537]] },
];
const ties: readonly Sample<'sum'>[] = [{ inputs: [f64(2, 3)], attrs: { axes: [1] }, data: [[1, 1, 1, 2, 0, 2]] }];
const reductionRefusals: readonly Refusal<'sum'>[] = [
  { inputs: [f32(2)], attrs: { axes: [1] }, message: /axes \[1\] do not fit f32\[2\]/ },
  { inputs: [f32(2, 2)], attrs: { axes: [0, 0] }, message: /axes \[0,0\] do not fit/ },
  { inputs: [bool(2)], attrs: { axes: [0] }, message: /takes no bool/ },
];
const emptyRefusal: Refusal<'sum'> = { inputs: [f32(2, 0)], attrs: { axes: [1] }, message: /has no value: an axis is empty/ };

/** What reductions by `fn` have in common. */
function reduction(fn: ScalarName, identity: number) {
  const hasIdentity = Number.isFinite(identity);
  return {
    batch: batchedBy<ReduceName>((x, n) => b[n.op](x, { axes: allBehind(n.attrs.axes) })),
    lower: { kind: 'reduction', fn } as const,
    reference: ([x]: readonly Reference[], n: NodeOf<ReduceName>) => {
      const { axes } = n.attrs;
      const reduced = axes.map((axis) => x!.shape[axis]!);
      const combine = scalarMeaning(fn, x!.dtype);
      return [
        tabulate(n.outputs[0]!, (index) => {
          let result = identity;
          eachIndex(reduced, (positions) => {
            result = combine(result, at(x!, completed(index, axes, positions)));
          });
          return result;
        }),
      ];
    },
    samples: [...reductionSamples, ...(hasIdentity ? ofNothing : ties)],
    refuses: hasIdentity ? reductionRefusals : [...reductionRefusals, emptyRefusal],
    ulp: 8,
  };
}

function argReduction(name: 'max' | 'min') {
  const beats = name === 'max' ? (x: number, y: number) => x > y : (x: number, y: number) => x < y;
  return {
    derivative: { kind: 'none' } as const,
    batch: batchedBy<ArgReduceName>((x, n) => b[n.op](x, { axis: behind(n.attrs.axis) })),
    lower: { kind: 'argReduction', fn: name } as const,
    reference: ([x]: readonly Reference[], n: NodeOf<ArgReduceName>) => [
      tabulate(n.outputs[0]!, (index) => firstBest(x!, index, n.attrs.axis, beats)),
    ],
    samples: [
      ...(['f32', 'f64', 'i32', 'i64', 'u8', 'bool'] as const).map((dtype) => ({ inputs: [{ dtype, shape: [2, 5] }], attrs: { axis: 1 } })),
      { inputs: [f32(3, 1, 2)], attrs: { axis: 0 } },
      { inputs: [f64(3, 1)], attrs: { axis: 1 } },
      { inputs: [f64(0, 3)], attrs: { axis: 1 } },
      { inputs: [f64(6)], attrs: { axis: 0 }, data: [[3, 1, 3, 1, 2, 2]] },
      { inputs: [f32(5)], attrs: { axis: 0 }, data: [[3, Number.NaN, 7, Number.NaN, -1]] },
    ],
    refuses: [
      { inputs: [f32(2)], attrs: { axis: 1 }, message: /axes \[1\] do not fit/ },
      { inputs: [f32(2, 0)], attrs: { axis: 1 }, message: /has no value: an axis is empty/ },
    ],
    ulp: 0,
  };
}

function firstBest(x: Reference, index: readonly number[], axis: number, beats: (x: number, y: number) => boolean): number {
  let best = 0;
  const value = (position: number): number => at(x, completed(index, [axis], [position]));
  for (let i = 1; i < x.shape[axis]! && !Number.isNaN(value(best)); i++)
    if (Number.isNaN(value(i)) || beats(value(i), value(best))) best = i;
  return best;
}

export const reduceRules = {
  sum: {
    doc: 'Sum over `axes`, which disappear.',
    derivative: { kind: 'linear', in: 'jointly', transpose: (ct, { inputs: [x], attrs }) => [back(ct, x, attrs.axes)] },
    ...reduction('add', 0),
  },
  prod: {
    doc: 'Product over `axes`, which disappear.',
    // The slope is the product of all other elements, so that zeros need no care: nothing is divided by x.
    derivative: {
      kind: 'custom',
      vjp: ([ct], { inputs: [x], attrs }) => [ct ? b.mul(back(ct, x, attrs.axes), othersOver(x, attrs.axes)) : null],
      jvp: ([t], { inputs: [x], attrs }) => [t && b.sum(b.mul(t, othersOver(x, attrs.axes)), attrs)],
    },
    ...reduction('mul', 1),
  },
  amax: { doc: 'Largest element over `axes`; NaN wins; several share the gradient.', derivative: extremum, ...reduction('max', -Infinity) },
  amin: { doc: 'Smallest element over `axes`; NaN wins; several share the gradient.', derivative: extremum, ...reduction('min', Infinity) },
  argmax: { doc: 'Where the largest element of `axis` lies: the first of several; the first NaN, if any.', ...argReduction('max') },
  argmin: { doc: 'Where the smallest element of `axis` lies: the first of several; the first NaN, if any.', ...argReduction('min') },
} satisfies RulesFor<ReduceName | ArgReduceName>;
