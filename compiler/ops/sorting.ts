// The rules of ordering an axis: sort, and the first few of it.
import { b, full } from '../ir/builder.ts';
import { avalOf, type NodeOf, type Value } from '../ir/node.ts';
import { behind } from './batching.ts';
import { at, replaced, tabulate } from './reference.ts';
import type { Reference, RulesFor } from './rules.ts';
import { all, f32, f64 } from './samples.ts';

type SortName = 'sort' | 'topk';

/** Whether `x` stands before `y`; NaN is the largest number. Neither before the other: they keep their order. */
const smaller = (x: number, y: number): boolean => x < y || (Number.isNaN(y) && !Number.isNaN(x));

/** For each line along `axis`, the positions of its elements in sorted order; ties keep theirs. */
function orderOf(x: Reference, axis: number, descending: boolean): (index: readonly number[]) => number {
  const lines = new Map<string, readonly number[]>();
  return (index) => {
    const line = String(replaced(index, axis, 0));
    let order = lines.get(line);
    if (order === undefined) {
      const value = (position: number): number => at(x, replaced(index, axis, position));
      const before = (i: number, j: number): boolean => (descending ? smaller(value(j), value(i)) : smaller(value(i), value(j)));
      order = Array.from({ length: x.shape[axis]! }, (_, i) => i).sort((i, j) => (before(i, j) ? -1 : before(j, i) ? 1 : i - j));
      lines.set(line, order);
    }
    return order[index[axis]!]!;
  };
}

function sorted(x: Reference, n: NodeOf<SortName>, axis: number, descending: boolean): readonly Reference[] {
  const order = orderOf(x, axis, descending);
  return [tabulate(n.outputs[0]!, (index) => at(x, replaced(index, axis, order(index)))), tabulate(n.outputs[1]!, order)];
}

/** A sort is a permutation that the values chose: the gradient goes back to where each came from. */
const moving = {
  kind: 'custom',
  vjp: ([ct]: readonly (Value | null)[], { inputs: [x], values, attrs: { axis } }: NodeOf<SortName>) =>
    [ct ? b.scatterAdd(full(0, avalOf(x)), values[1]!, ct, { axis, mode: 'trusted' }) : null] as const,
  jvp: ([t]: readonly [Value | null], { values, attrs: { axis } }: NodeOf<SortName>) => [
    t && b.gather(t, values[1]!, { axis, mode: 'trusted' }),
    null,
  ],
} as const;

const data = [[3, Number.NaN, 1, 3, -Infinity, Number.NaN, 1]];

export const sortingRules = {
  sort: {
    doc: 'Values of `axis` in order, and the positions they came from. Stable; NaN is the largest.',
    derivative: moving,
    batch: { kind: 'custom', rule: ([x], _, __, n) => b.sort(x!, { ...n.attrs, axis: behind(n.attrs.axis) }) },
    lower: { kind: 'library' },
    reference: ([x], n) => sorted(x!, n, n.attrs.axis, n.attrs.descending),
    samples: [
      ...all.flatMap((dtype) =>
        [false, true].map((descending) => ({ inputs: [{ dtype, shape: [2, 6] }], attrs: { axis: 1, descending } })),
      ),
      { inputs: [f64(5, 2)], attrs: { axis: 0, descending: false } },
      { inputs: [f64(3, 1)], attrs: { axis: 1, descending: true } },
      { inputs: [f64(0, 3)], attrs: { axis: 0, descending: false } },
      { inputs: [f64(3, 0)], attrs: { axis: 0, descending: false } },
      { inputs: [f64(7)], attrs: { axis: 0, descending: false }, data },
      { inputs: [f32(7)], attrs: { axis: 0, descending: true }, data },
    ],
    refuses: [
      { inputs: [f32(2)], attrs: { axis: 1, descending: false }, message: /axes \[1\] do not fit/ },
      { inputs: [f32()], attrs: { axis: 0, descending: false }, message: /axes \[0\] do not fit/ },
    ],
    ulp: 0,
  },
  topk: {
    doc: 'The first `k` values of the sorted `axis`, and the positions they came from.',
    derivative: moving,
    batch: { kind: 'custom', rule: ([x], _, __, n) => b.topk(x!, { ...n.attrs, axis: behind(n.attrs.axis) }) },
    lower: { kind: 'library' },
    reference: ([x], n) => sorted(x!, n, n.attrs.axis, n.attrs.largest),
    samples: [
      ...all.flatMap((dtype) =>
        [false, true].map((largest) => ({ inputs: [{ dtype, shape: [2, 6] }], attrs: { axis: 1, k: 3, largest } })),
      ),
      { inputs: [f64(5, 2)], attrs: { axis: 0, k: 5, largest: true } },
      { inputs: [f64(5)], attrs: { axis: 0, k: 0, largest: true } },
      { inputs: [f64(1)], attrs: { axis: 0, k: 1, largest: false } },
      { inputs: [f64(3, 0)], attrs: { axis: 0, k: 2, largest: true } },
      { inputs: [f64(7)], attrs: { axis: 0, k: 4, largest: true }, data },
      { inputs: [f32(7)], attrs: { axis: 0, k: 4, largest: false }, data },
    ],
    refuses: [
      { inputs: [f32(2)], attrs: { axis: 0, k: 3, largest: true }, message: /top 3 of axis 0 of f32\[2\]/ },
      { inputs: [f32(2)], attrs: { axis: 0, k: -1, largest: true }, message: /top -1 of axis 0/ },
      { inputs: [f32(2)], attrs: { axis: 1, k: 1, largest: true }, message: /axes \[1\] do not fit/ },
    ],
    ulp: 0,
  },
} satisfies RulesFor<SortName>;
