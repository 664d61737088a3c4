// Loops that only move bytes: copies and zeros of some length go by the engine's own instructions, which know the machine's widest registers.
import { bytesPerElement } from '../../runtime/dtype.ts';
import type { Expr } from '../loop.ts';
import { strideOf } from '../position.ts';
import { type Loop, mentioned, valuesIn } from '../schedule/rewrite.ts';
import { addressOf, scaledBy } from './expression.ts';
import type { Node } from './function.ts';
import { bufferOf, type Scope } from './scope.ts';

/** Fewer bytes are moved in less time than a call of the engine takes. */
const fewestBytes = 512;

/** Writes elements `from` to `to` of such a loop; false, and nothing written, if it is none. */
export function bulkLoop(s: Scope, loop: Loop, from: Node, to: Node): boolean {
  const [stmt] = loop.body;
  if (loop.body.length !== 1 || stmt?.kind !== 'store' || s.vector !== undefined) return false;
  const bytes = bytesPerElement[bufferOf(s, stmt.buffer).dtype];
  if (typeof loop.extent === 'number' && loop.extent * bytes < fewestBytes) return false;
  const { value } = stmt;
  const isZero = value.kind === 'literal' && value.bits === 0n;
  if (!isContiguous(loop, stmt.at) || !(isZero || (value.kind === 'load' && isContiguous(loop, value.at)))) return false;
  const { f } = s;
  s.axes.set(loop.axis, from);
  s.ranges.set(loop.axis, loop.extent);
  const start = (place: Expr | typeof stmt, buffer: string, at: typeof stmt.at): Node => {
    const { address, offset } = addressOf(s, place, buffer, at);
    return offset === 0 ? address : f.op('i32.add', address, f.i32(offset));
  };
  const count = scaledBy(s, f.op('i32.sub', to, from), bytes);
  const into = start(stmt, stmt.buffer, stmt.at);
  if (value.kind === 'load') f.memoryCopy(into, start(value, value.buffer, value.at), count);
  else f.memoryFill(into, f.i32(0), count);
  s.axes.delete(loop.axis);
  s.ranges.delete(loop.axis);
  return true;
}

/** Whether turn after turn goes on to the next element. */
const isContiguous = (loop: Loop, at: Parameters<typeof strideOf>[0]): boolean =>
  strideOf(at, loop.axis) === 1 && valuesIn(at).every((e) => !mentioned(e).has(loop.axis));
