// What a call gave, as JSON or as NumPy's files.
import { writeFileSync } from 'node:fs';
import type { DType, TypedArray } from '../../runtime/dtype.ts';
import { storedOf } from '../../runtime/safetensors.ts';
import '../frontend/tensor.ts'; // the class, before anything makes tensors
import { encodeNpy } from '../frontend/io/npy.ts';
import { tensorFrom } from '../frontend/io/safetensors.ts';
import { UsageError } from './arguments.ts';
import type { NamedResult } from './run.ts';

/** Writes to `out`, or gives the text that is to be printed. */
export async function writeResults(result: unknown, arrays: readonly NamedResult[], out: string | undefined): Promise<string> {
  if (out === undefined) return jsonOf(result);
  if (/\.json$/i.test(out)) {
    writeFileSync(out, `${jsonOf(result)}\n`);
    return '';
  }
  if (!/\.npy$/i.test(out)) throw new UsageError(`--out wants a .json or .npy file, not '${out}'`);
  for (const { path, data, shape } of arrays) {
    // A path holds names of the model: they make no folders.
    const name = path === '' ? out : out.replace(/\.npy$/i, `.${path.replace(/[^\w.-]/g, '_')}.npy`);
    writeFileSync(name, await encodeNpy(tensorFrom('run', storedOf(dtypeOf(data), shape, data))));
  }
  return '';
}

/** Arrays as lists; JSON has no NaN, no infinities and no int64, which are told as strings. */
const jsonOf = (result: unknown): string =>
  JSON.stringify(result, (_, value: unknown) => {
    if (ArrayBuffer.isView(value)) return Array.from(value as Float32Array);
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
  }) ?? 'null';

const holders: Readonly<Record<string, DType>> = {
  Float32Array: 'f32',
  Float64Array: 'f64',
  Uint16Array: 'f16',
  Int32Array: 'i32',
  BigInt64Array: 'i64',
  Uint8Array: 'u8',
};
const dtypeOf = (data: TypedArray): DType => holders[data[Symbol.toStringTag]]!;
