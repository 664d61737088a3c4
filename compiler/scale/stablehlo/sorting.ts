// Sorting, stable and with NaN as the largest number, and the first few of it.
import { fixed } from '../../ir/dim.ts';
import { compare, convert, type Emitter, generic, iota, isUnordered, like, same, scalarOf, slice, type Typed } from './emitter.ts';
import type { PrintersFor } from './printer.ts';
import { isFloatElement } from './text.ts';

/** Whether `a` stands before `b`: neither before the other, they keep their order. The two zeros are equal. */
function isSmaller(e: Emitter, a: Typed, b: Typed): Typed {
  const smaller = compare(e, 'LT', a, b);
  if (!isFloatElement(a.element)) return smaller;
  const onlyLast = same(e, 'stablehlo.and', isUnordered(e, b), same(e, 'stablehlo.not', isUnordered(e, a)));
  return same(e, 'stablehlo.or', smaller, onlyLast);
}

function sorted(e: Emitter, operand: Typed, axis: number, descending: boolean): readonly [Typed, Typed] {
  const x = operand.element === 'i1' ? convert(e, operand, 'ui8') : operand;
  const positions = iota(e, like(x, 'i32'), axis);
  const number = scalarOf(x.element);
  const place = scalarOf('i32');
  const [values, order] = generic(e, 'stablehlo.sort', [x, positions], [x, positions], `dimension = ${axis} : i64, is_stable = true`, [
    {
      arguments: [number, number, place, place],
      body: ([a, b]) => [descending ? isSmaller(e, b!, a!) : isSmaller(e, a!, b!)],
    },
  ]);
  return [operand.element === 'i1' ? compare(e, 'NE', values!, same(e, 'stablehlo.xor', values!, values!)) : values!, order!];
}

export const sortingPrinters = {
  sort: ([x], { attrs }, e) => {
    const [values, order] = sorted(e, x!, attrs.axis, attrs.descending);
    return [values, convert(e, order, 'i64')];
  },
  topk: ([x], { attrs, outputs }, e) => {
    const first = (v: Typed): Typed =>
      slice(
        e,
        v,
        v.shape.map(() => 0),
        v.shape.map((d, i) => (i === attrs.axis ? fixed(outputs[0]!.shape[i]!) : d)),
        v.shape.map(() => 1),
      );
    const [values, order] = sorted(e, x!, attrs.axis, attrs.largest);
    return [first(values), convert(e, first(order), 'i64')];
  },
} satisfies PrintersFor<'sort' | 'topk'>;
