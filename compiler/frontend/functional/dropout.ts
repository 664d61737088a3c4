// Dropout, by a counter-based generator: each call takes the next stream, so a replay of compiled code drops other elements each time.
import { ArgumentError } from '../../../runtime/errors.ts';
import type { Value } from '../../ir/node.ts';
import { composite } from '../../ops/composite/table.ts';
import { demandTensors } from '../arguments.ts';
import type { HostCounter } from '../call.ts';
import { drawn } from '../drawTape.ts';
import { apply } from '../op.ts';
import { scalarValue } from '../operands.ts';
import { initialSeed, nextStream, streamNow } from '../random.ts';
import { advanced, hostSlot } from '../record.ts';
import type { Tensor } from '../tensor.ts';

/** Key and stream of a draw, as slots that each replay reads anew. */
export const counterSlots = (): [Value, Value] =>
  drawn(() => {
    const key = Number(BigInt.asIntN(32, initialSeed()));
    return [hostSlot(() => Number(BigInt.asIntN(32, initialSeed())), 'i32', key), hostSlot(nextStream, 'i32', advanced(streams))];
  });
const streams: HostCounter = { owner: nextStream, name: 'streams', value: streamNow };

export type DropoutOptions = {
  /** Off in evaluation: then the input comes back as it is. */
  readonly training?: boolean;
};

function drop(op: string, x: Tensor, p: number, { training = true }: DropoutOptions, shared: readonly number[]): Tensor {
  if (typeof p !== 'number' || !(p >= 0 && p <= 1)) throw new ArgumentError(`probability ${String(p)} lies outside of [0, 1]`, { op });
  if (!training || p === 0) return x;
  if (p === 1) return x.mul(0);
  return apply(op, [x], (v) => composite('dropout', [v, ...counterSlots(), scalarValue(p, x.element)], { shared })[0]!);
}

/** Zeroes each element with probability p and scales the rest by 1 / (1 - p). Its generator is not PyTorch's. */
export function dropout(x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor {
  demandTensors('dropout', x);
  return drop('dropout', x, p, options, []);
}
/** Zeroes whole channels (dimension 1 of [N, C, ...]). */
export function dropout2d(x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor {
  demandTensors('dropout2d', x);
  return drop('dropout2d', x, p, options, x.shape.map((_, i) => i).slice(2));
}
