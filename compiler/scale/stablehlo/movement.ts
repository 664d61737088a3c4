// Movement and conversion: views are values here, since XLA has no aliases and fuses what moves.
import { fixedShape } from '../../ir/dim.ts';
import {
  broadcast,
  compare,
  concatenate,
  convert,
  type Emitter,
  filled,
  like,
  mapped,
  pad,
  reshape,
  reverse,
  select,
  slice,
  type Typed,
  transpose,
} from './emitter.ts';
import type { PrintersFor } from './printer.ts';
import { type Element, elementOf, isFloatElement } from './text.ts';

/** The places of a result that are not in `at`. */
const others = (rank: number, at: readonly number[]): readonly number[] =>
  Array.from({ length: rank }, (_, i) => i).filter((i) => !at.includes(i));

/**
 * As PyTorch converts: to bool by whether different from 0, floats to integers toward 0. Where C leaves it open, integers wrap and NaN and
 * infinities give 0, as on the other targets; XLA alone would saturate.
 */
function cast(e: Emitter, x: Typed, to: Element): Typed {
  if (x.element === to) return x;
  if (to === 'i1') return compare(e, 'NE', x, filled(e, 0, x));
  if (!isFloatElement(x.element) || isFloatElement(to)) return convert(e, x, to);
  const isMeasured = mapped(e, 'stablehlo.is_finite', [x], like(x, 'i1'));
  return convert(e, convert(e, select(e, isMeasured, x, filled(e, 0, x)), 'i64'), to);
}

export const movementPrinters = {
  reshape: ([x], n, e) => [reshape(e, x!, fixedShape(n.attrs.shape))],
  permute: ([x], n, e) => [transpose(e, x!, n.attrs.order)],
  expand: ([x], n, e) => {
    const shape = fixedShape(n.attrs.shape);
    return [broadcast(e, x!, shape, others(shape.length, n.attrs.at))];
  },
  pad: ([x, fill], { attrs }, e) => [pad(e, x!, fill!, attrs.low, attrs.high, attrs.interior)],
  slice: ([x], { attrs }, e) => [slice(e, x!, attrs.start, fixedShape(attrs.stop), attrs.step)],
  flip: ([x], { attrs }, e) => [reverse(e, x!, attrs.axes)],
  concat: (xs, n, e) => [concatenate(e, xs, n.attrs.axis, { element: xs[0]!.element, shape: fixedShape(n.outputs[0]!.shape) })],
  cast: ([x], n, e) => [cast(e, x!, elementOf(n.attrs.to))],
  bitcast: ([x], n, e) => {
    const to = elementOf(n.attrs.to);
    if (x!.element === to || x!.element === 'i1' || to === 'i1') return [convert(e, x!, to)];
    return [mapped(e, 'stablehlo.bitcast_convert', [x!], like(x!, to))];
  },
} satisfies PrintersFor<'reshape' | 'permute' | 'expand' | 'pad' | 'slice' | 'flip' | 'concat' | 'cast' | 'bitcast'>;
