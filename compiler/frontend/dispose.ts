// Memory given back at once, by those who know that nobody needs a tensor any more: V8's collector sees no memory of devices.
import { discard } from '../../runtime/buffer.ts';
import type { Value } from '../ir/node.ts';
import { type Sync, scoped } from './autograd/mode.ts';
import { boundary } from './boundary.ts';
import { flatten } from './pytree.ts';
import { bufferOf, currentCall, currentInterval, currentTrace, type Interval, recordedOf } from './record.ts';
import { collecting, handOut, isKept, type Storage } from './storage.ts';
import type { Tensor } from './tensor.ts';

/**
 * Gives the memory of a tensor, and of all its views, back at once; they must not be used any more. What was recorded from it and is
 * held by other tensors is computed first. Within functions under `compile` or a transform, which manage their memory, nothing happens.
 */
export function dispose(t: Tensor): void {
  disposeAll(new Set([t.storage]));
}

/**
 * Runs `f` and disposes all tensors that it made, except those that it returns (in arrays and objects, however deep), gradients of
 * tensors, and state (parameters, buffers of modules, moments of optimisers). The counterpart of `tf.tidy`; scopes nest.
 * Throws AutogradError if `f` is async.
 */
export function scope<T>(f: () => Sync<T>): T {
  const { result, made } = collecting(() => scoped('scope', f, () => {}));
  for (const { storage } of flatten(result).tensors) {
    made.delete(storage);
    handOut(storage);
  }
  disposeAll(made);
  return result;
}

function disposeAll(storages: ReadonlySet<Storage>): void {
  if (currentTrace() !== undefined || currentCall() !== undefined) return;
  const doomed = new Set([...storages].filter((s) => !s.isDisposed && !isKept(s)));
  const values = new Set([...doomed].map((s) => s.value).filter((v) => bufferOf(v) !== undefined));
  const needed = dependents(currentInterval(), values, doomed);
  if (needed.length > 0) boundary(needed);
  for (const storage of doomed) {
    storage.isDisposed = true;
    const buffer = bufferOf(storage.value);
    if (buffer?.values === 1) discard(buffer);
    if (storage.spare !== undefined) discard(storage.spare);
    storage.spare = undefined;
  }
}

/** Recorded values that need any of `values` and that storages outside of `doomed` hold. */
function dependents({ nodes }: Interval, values: ReadonlySet<Value>, doomed: ReadonlySet<Storage>): Value[] {
  if (values.size === 0) return [];
  const tainted = new Set(values);
  const needed: Value[] = [];
  for (const node of nodes) {
    if (!node.inputs.some((v) => tainted.has(v))) continue;
    for (const v of node.values) tainted.add(v);
    for (const { value, isDisposed } of recordedOf(node).holders?.filter((s) => !doomed.has(s)) ?? [])
      if (!isDisposed && value.node === node) needed.push(value);
  }
  return needed;
}
