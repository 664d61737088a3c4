// Looking at what backward() would read: the saved values of one function, and of everything that a function of the user's records.
import { bytesPerElement } from '../../../runtime/dtype.ts';
import { deepStack, userLine } from '../../../runtime/errors.ts';
import { type DTypeName, dtypeName } from '../dtypes.ts';
import { newTensor } from '../op.ts';
import { recording, resolve } from '../record.ts';
import { storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import type { GradFn } from './graph.ts';
import { freed, residualsOf } from './residuals.ts';
import { savedTensorsHooks, unpacked } from './savedHooks.ts';

/**
 * Operands, then results, that the derivative of `fn` reads; as PyTorch's `grad_fn._saved_*`.
 * Throws AutogradError once backward() has freed them.
 */
export function savedTensors(fn: GradFn): readonly Tensor[] {
  if (fn.custom !== undefined) return fn.custom.saved();
  if (fn.variable !== undefined) return [];
  const { saved, packed } = fn;
  if (saved === undefined) throw freed(fn.name);
  const read = residualsOf(
    saved,
    fn.next.map((e) => e !== null),
  );
  const border = packed === undefined ? saved : unpacked(fn, packed).full;
  const values = [...border.inputs.filter((_, i) => read.inputs[i]), ...border.outputs.filter((_, i) => read.outputs[i])];
  return values.map((v) => newTensor(storageOf(recording(() => resolve(v)))));
}

/** One value that backward will read. */
export type Residual = {
  readonly shape: readonly number[];
  readonly dtype: DTypeName;
  readonly bytes: number;
  /** The op whose derivative reads it. */
  readonly savedBy: string;
  /** The op that made it; undefined for leaves and what needs no gradient. */
  readonly madeBy: string | undefined;
  /** The user's line that called `savedBy`. */
  readonly line: string | undefined;
};

/** What backward of `f(...args)` would read, each value once: where memory goes in training. As JAX's `saved_residuals`. */
export function savedResiduals<A extends readonly unknown[]>(f: (...args: A) => unknown, ...args: A): Residual[] {
  const found = new Map<object, Residual>();
  savedTensorsHooks(
    (t, { savedBy, madeBy }) => {
      const value = t.value();
      if (!found.has(value))
        found.set(value, {
          shape: t.shape,
          dtype: dtypeName(t.element),
          bytes: t.numel() * bytesPerElement[t.element],
          savedBy,
          madeBy,
          line: userLine(deepStack().stack),
        });
      return t;
    },
    (t: Tensor) => t,
    () => void f(...args),
  );
  return [...found.values()];
}

/** Prints `savedResiduals`, largest first, with their sum. */
export function printSavedResiduals<A extends readonly unknown[]>(f: (...args: A) => unknown, ...args: A): void {
  const residuals = savedResiduals(f, ...args).sort((x, y) => y.bytes - x.bytes);
  const lines = residuals.map(
    ({ dtype, shape, bytes, savedBy, madeBy, line }) =>
      `${dtype}[${shape}]  ${bytes} bytes  ${madeBy === undefined ? '' : `made by ${madeBy}, `}saved by ${savedBy}${line === undefined ? '' : ` at ${line}`}`,
  );
  const total = residuals.reduce((sum, r) => sum + r.bytes, 0);
  console.log([...lines, `${residuals.length} values, ${total} bytes`].join('\n'));
}
