// The rules of gather and its two inverses: reading and writing at positions that are data.
import { IndexError, InternalError } from '../../runtime/errors.ts';
import { aval } from '../ir/aval.ts';
import { b, full } from '../ir/builder.ts';
import { avalOf, type NodeOf, shapeOf, type Value } from '../ir/node.ts';
import { allInFront, behind } from './batching.ts';
import { at, eachIndex, flatten, replaced, tabulate, wrap } from './reference.ts';
import type { Reference, Refusal, RulesFor, Sample } from './rules.ts';
import { all, f32, f64, i32, i64, numbers } from './samples.ts';

type IndexAttrs = NodeOf<'gather'>['attrs'];

const zerosLike = (v: Value): Value => full(0, avalOf(v));

/** Index `i` read at `index`; refuses positions outside of the axis, also trusted ones, which only a defect can give. */
function positionAt(i: Reference, flat: number, extent: number, { axis, mode }: IndexAttrs, op: string): number {
  const position = i.data[flat]!;
  if (position >= 0 && position < extent) return position;
  const what = `index ${position} is out of bounds for dimension ${axis} with size ${extent}`;
  throw mode === 'checked' ? new IndexError(what, { op }) : new InternalError(`trusted ${what}`, { op });
}

/** A copy of `x` into which each update is combined at its position, in row-major order of the updates. */
function scattered(
  x: Reference,
  i: Reference,
  updates: Reference,
  n: NodeOf<'scatterAdd' | 'scatterSet'>,
  combine: (old: number, update: number) => number,
): Reference {
  const { axis } = n.attrs;
  const result = { ...x, data: x.data.slice() };
  eachIndex(i.shape, (index, flat) => {
    const target = flatten(x.shape, replaced(index, axis, positionAt(i, flat, x.shape[axis]!, n.attrs, n.op)));
    result.data[target] = combine(result.data[target]!, updates.data[flat]!);
  });
  return result;
}

/** True at the updates of a scatterSet that were not overwritten by a later one. */
function lasting(x: Value, index: Value, attrs: IndexAttrs): Value {
  const order = b.iota({ dtype: 'i64', shape: shapeOf(index), axis: attrs.axis });
  const last = b.scatterSet(full(-1, aval('i64', shapeOf(x))), index, order, attrs);
  return b.eq(b.gather(last, index, attrs), order);
}

const trusted = (axis: number): IndexAttrs => ({ axis, mode: 'trusted' });
const checked = (axis: number): IndexAttrs => ({ axis, mode: 'checked' });

/** Three updates of a [4,2] along its first axis, two of which meet. */
const meeting = [3, 0, 1, 0, 3, 2];

const gatherSamples: readonly Sample<'gather'>[] = [
  ...all.map((dtype) => ({ inputs: [{ dtype, shape: [4, 2] }, i64(3, 2)], attrs: checked(0), data: [undefined, meeting] })),
  { inputs: [f64(2, 3), i32(2, 4)], attrs: checked(1), data: [undefined, [0, 2, 2, 1, 1, 1, 0, 2]] },
  { inputs: [f64(3), i64(1)], attrs: trusted(0), data: [undefined, [2]] },
  { inputs: [f64(3, 1), i64(0, 1)], attrs: checked(0), data: [undefined, []] },
  { inputs: [f64(1, 0), i64(3, 0)], attrs: checked(0), data: [undefined, []] },
];
const scatterSamples: readonly Sample<'scatterAdd'>[] = [
  ...numbers.map((dtype) => ({
    inputs: [{ dtype, shape: [4, 2] }, i64(3, 2), { dtype, shape: [3, 2] }],
    attrs: checked(0),
    data: [undefined, meeting, undefined],
  })),
  { inputs: [f64(2, 3), i32(2, 4), f64(2, 4)], attrs: checked(1), data: [undefined, [0, 2, 2, 1, 1, 1, 0, 2], undefined] },
  { inputs: [f64(3), i64(1), f64(1)], attrs: trusted(0), data: [undefined, [2], undefined] },
  { inputs: [f64(3, 1), i64(0, 1), f64(0, 1)], attrs: checked(0), data: [undefined, [], undefined] },
  { inputs: [f64(1, 0), i64(3, 0), f64(3, 0)], attrs: checked(0), data: [undefined, [], undefined] },
];
const scatterRefusals: readonly Refusal<'scatterAdd'>[] = [
  { inputs: [f32(4), i64(2), f32(3)], attrs: checked(0), message: /updates f32\[3\] do not fit index i64\[2\] and f32\[4\]/ },
  { inputs: [f32(4), i64(2), f64(2)], attrs: checked(0), message: /updates f64\[2\] do not fit/ },
  { inputs: [f32(4), f32(2), f32(2)], attrs: checked(0), message: /an index must be i32 or i64, not f32/ },
];

/** The batch axis in front of every operand; positions count along the axis behind it. */
const along = {
  kind: 'custom',
  rule: (
    xs: readonly Value[],
    isBatched: readonly boolean[],
    size: number,
    n: NodeOf<'gather' | 'scatterAdd' | 'scatterSet'>,
  ): readonly Value[] => {
    const [x, index, updates] = allInFront(xs, isBatched, size) as [Value, Value, Value];
    const attrs = { ...n.attrs, axis: behind(n.attrs.axis) };
    return [n.op === 'gather' ? b.gather(x, index, attrs) : b[n.op](x, index, updates, attrs)];
  },
} as const;

export const indexingRules = {
  gather: {
    doc: 'The element at position index[...] of `axis`, elsewhere at the same place.',
    derivative: {
      kind: 'linear',
      in: 'jointly',
      fixed: [1],
      transpose: (ct, { inputs: [x, index], attrs }) => [b.scatterAdd(zerosLike(x), index, ct, attrs), null],
    },
    batch: along,
    lower: { kind: 'indexed' },
    reference: ([x, i], n) => {
      const { axis } = n.attrs;
      return [
        tabulate(n.outputs[0]!, (index, flat) => at(x!, replaced(index, axis, positionAt(i!, flat, x!.shape[axis]!, n.attrs, 'gather')))),
      ];
    },
    samples: gatherSamples,
    refuses: [
      { inputs: [f32(4, 2), i64(3, 3)], attrs: checked(0), message: /index i64\[3,3\] must have the shape of f32\[4,2\] but for axis 0/ },
      { inputs: [f32(4), f32(2)], attrs: checked(0), message: /an index must be i32 or i64, not f32/ },
      { inputs: [f32(4), i64(2)], attrs: checked(1), message: /axes \[1\] do not fit/ },
    ],
    ulp: 0,
  },
  scatterAdd: {
    doc: 'x with each update added at position index[...] of `axis`.',
    derivative: {
      kind: 'linear',
      in: 'jointly',
      fixed: [1],
      transpose: (ct, { inputs: [, index], attrs }, [, , wanted]) => [ct, null, wanted ? b.gather(ct, index, attrs) : null],
    },
    batch: along,
    lower: { kind: 'library' },
    reference: ([x, i, u], n) => [scattered(x!, i!, u!, n, (old, update) => wrap(x!.dtype, old + update))],
    samples: scatterSamples,
    refuses: scatterRefusals,
    ulp: 8,
  },
  scatterSet: {
    doc: 'x with each update put at position index[...] of `axis`; where several meet, the last stays.',
    derivative: {
      kind: 'linear',
      in: 'jointly',
      fixed: [1],
      // What was overwritten has no influence: neither x under an update nor an update under a later one.
      transpose: (ct, { inputs: [x, index, updates], attrs }, [xWanted, , wanted]) => [
        xWanted ? b.scatterSet(ct, index, zerosLike(updates), attrs) : null,
        null,
        wanted ? b.select(lasting(x, index, attrs), b.gather(ct, index, attrs), zerosLike(updates)) : null,
      ],
    },
    batch: along,
    lower: { kind: 'library' },
    reference: ([x, i, u], n) => [scattered(x!, i!, u!, n, (_, update) => update)],
    samples: scatterSamples,
    refuses: scatterRefusals,
    ulp: 0,
  },
} satisfies RulesFor<'gather' | 'scatterAdd' | 'scatterSet'>;
