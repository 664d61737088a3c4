// Reductions, where extrema lie, and cumulative ops.

import { greatest, least } from '../../../runtime/dtype.ts';
import type { NodeOf } from '../../ir/node.ts';
import {
  compare,
  constant,
  convert,
  dtypeOfElement,
  type Emitter,
  generic,
  iota,
  isUnordered,
  like,
  pad,
  reduce,
  same,
  scalarOf,
  select,
  slice,
  type Typed,
} from './emitter.ts';
import type { PrintersFor } from './printer.ts';
import { isFloatElement } from './text.ts';

type ReduceName = 'sum' | 'prod' | 'amax' | 'amin';

const reduction =
  (op: string, initial: (x: Typed) => number | bigint) =>
  ([x]: readonly Typed[], n: NodeOf<ReduceName>, e: Emitter): readonly Typed[] => [
    n.attrs.axes.length === 0 ? x! : reduce(e, op, x!, constant(e, initial(x!), x!.element), n.attrs.axes),
  ];

/** Which of two (value, position) pairs an arg-reduction keeps: the better value, NaN before all, and of equals the first. */
function better(e: Emitter, direction: 'GT' | 'LT', [a, i, b, j]: readonly [Typed, Typed, Typed, Typed]): readonly Typed[] {
  const and = (x: Typed, y: Typed): Typed => same(e, 'stablehlo.and', x, y);
  const or = (x: Typed, y: Typed): Typed => same(e, 'stablehlo.or', x, y);
  let wins = compare(e, direction, a, b);
  let ties = compare(e, 'EQ', a, b);
  if (isFloatElement(a.element)) {
    const aIsNaN = isUnordered(e, a);
    const bIsNaN = isUnordered(e, b);
    wins = or(wins, and(aIsNaN, same(e, 'stablehlo.not', bIsNaN)));
    ties = or(ties, and(aIsNaN, bIsNaN));
  }
  const keeps = or(wins, and(ties, compare(e, 'LT', i, j)));
  return [select(e, keeps, a, b), select(e, keeps, i, j)];
}

const argReduction =
  (direction: 'GT' | 'LT') =>
  ([operand]: readonly Typed[], n: NodeOf<'argmax' | 'argmin'>, e: Emitter): readonly Typed[] => {
    const x = operand!.element === 'i1' ? convert(e, operand!, 'ui8') : operand!;
    const { axis } = n.attrs;
    const positions = iota(e, like(x, 'i32'), axis);
    const worst = (direction === 'GT' ? least : greatest)[dtypeOfElement(x.element)];
    // Beyond every position, so that a real element that equals the worst value is kept.
    const initial = [constant(e, worst, x.element), constant(e, 2 ** 31 - 1, 'i32')] as const;
    const shape = x.shape.filter((_, i) => i !== axis);
    const types = [scalarOf(x.element), scalarOf('i32')];
    const [, best] = generic(
      e,
      'stablehlo.reduce',
      [x, positions, ...initial],
      [
        { element: x.element, shape },
        { element: 'i32', shape },
      ],
      `dimensions = array<i64: ${axis}>`,
      [{ arguments: [...types, ...types], body: ([a, i, b, j]) => better(e, direction, [a!, i!, b!, j!]) }],
    );
    return [convert(e, best!, 'i64')];
  };

/** Each element with all before it along an axis, in log2(length) steps: a window of that size would be quadratic work on most backends. */
const cumulative =
  (op: string, identity: number) =>
  ([x]: readonly Typed[], n: NodeOf<'cumsum' | 'cumprod'>, e: Emitter): readonly Typed[] => {
    const { axis, reverse } = n.attrs;
    const length = x!.shape[axis]!;
    const fill = constant(e, identity, x!.element);
    const at = (width: number): readonly number[] => x!.shape.map((_, i) => (i === axis ? width : 0));
    const none = at(0);
    const ones = none.map(() => 1);
    let sum = x!;
    for (let distance = 1; distance < length; distance *= 2) {
      const stop = x!.shape.map((d, i) => (i === axis && !reverse ? d - distance : d));
      const kept = slice(e, sum, reverse ? at(distance) : none, stop, ones);
      const moved = reverse ? pad(e, kept, fill, none, at(distance)) : pad(e, kept, fill, at(distance), none);
      sum = same(e, op, sum, moved);
    }
    return [sum];
  };

export const reducePrinters = {
  sum: reduction('stablehlo.add', () => 0),
  prod: reduction('stablehlo.multiply', () => 1),
  amax: reduction('stablehlo.maximum', (x) => least[dtypeOfElement(x.element)]),
  amin: reduction('stablehlo.minimum', (x) => greatest[dtypeOfElement(x.element)]),
  argmax: argReduction('GT'),
  argmin: argReduction('LT'),
  cumsum: cumulative('stablehlo.add', 0),
  cumprod: cumulative('stablehlo.multiply', 1),
} satisfies PrintersFor<ReduceName | 'argmax' | 'argmin' | 'cumsum' | 'cumprod'>;
