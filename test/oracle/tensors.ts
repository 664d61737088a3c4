// Reads the oracle's tensors, and compares ours with them.
import { readFileSync } from 'node:fs';
import { type DTypeName, type Tensor, tensor } from '../../compiler/index.ts';

/** A tensor as data: flat and row-major; what JSON cannot say is a string. */
export type Stored = {
  readonly dtype: DTypeName;
  readonly shape: readonly number[];
  readonly data: readonly (number | boolean | string)[];
};

export const readOracle = <T>(name: string): T => JSON.parse(readFileSync(new URL(`./${name}.json`, import.meta.url), 'utf8')) as T;

const isWide = (dtype: DTypeName): boolean => dtype === 'int64';
const numberOf = (v: number | boolean | string): number => Number(v);

export function tensorOf(stored: Stored, requiresGrad = false): Tensor {
  const { dtype, shape, data } = stored;
  const values = isWide(dtype) ? BigInt64Array.from(data, (v) => BigInt(v)) : Float64Array.from(data, numberOf);
  const t = tensor(values, { dtype }).reshape(shape).clone().detach();
  return requiresGrad ? t.requiresGrad_() : t;
}

/** Relative and absolute error that is let pass; integers and bools are exact. */
export type Tolerance = { readonly relative: number; readonly absolute: number };
/** Fusion and order of summation differ from PyTorch's, so the last bits may: a few units in the last place of each dtype. */
const tolerances: Readonly<Record<DTypeName, Tolerance>> = {
  float32: { relative: 4e-6, absolute: 1e-6 },
  float64: { relative: 1e-12, absolute: 1e-14 },
  float16: { relative: 2e-3, absolute: 1e-4 },
  int32: { relative: 0, absolute: 0 },
  int64: { relative: 0, absolute: 0 },
  uint8: { relative: 0, absolute: 0 },
  bool: { relative: 0, absolute: 0 },
};

/** What is wrong with `ours`, in words; undefined if nothing is. */
export function difference(ours: Tensor, theirs: Stored, factor = 1): string | undefined {
  if (ours.dtype !== theirs.dtype) return `dtype ${ours.dtype}, not ${theirs.dtype}`;
  if (ours.shape.join() !== theirs.shape.join()) return `shape [${ours.shape}], not [${theirs.shape}]`;
  const data = ours.dataSync();
  const { relative, absolute } = tolerances[theirs.dtype];
  for (let i = 0; i < data.length; i++) {
    const v = data[i]!;
    const expected = theirs.data[i]!;
    const same = typeof v === 'bigint' ? v === BigInt(expected) : close(v, numberOf(expected), relative * factor, absolute * factor);
    if (!same) return `element ${i} is ${v}, not ${expected}`;
  }
  return undefined;
}

function close(a: number, b: number, relative: number, absolute: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  return Math.abs(a - b) <= absolute + relative * Math.abs(b);
}
