// The names that users give to element types, and the IR's names for them.
import { type DType, dtypes } from '../../runtime/dtype.ts';
import { DTypeError } from '../../runtime/errors.ts';

/** Element types as users write them; as in PyTorch. */
export type DTypeName = 'float32' | 'float64' | 'float16' | 'int32' | 'int64' | 'uint8' | 'bool';

const publicNames: Readonly<Record<DType, DTypeName>> = {
  f32: 'float32',
  f64: 'float64',
  f16: 'float16',
  i32: 'int32',
  i64: 'int64',
  u8: 'uint8',
  bool: 'bool',
};
const elements = new Map<string, DType>(dtypes.map((d) => [publicNames[d], d]));

export const dtypeName = (d: DType): DTypeName => publicNames[d];

/** The IR's dtype for a public name; DTypeError for anything else. */
export function elementOf(name: DTypeName, op: string): DType {
  const found = elements.get(name);
  if (found === undefined)
    throw new DTypeError(`'${String(name)}' is no dtype`, { op, fix: `choose one of ${[...elements.keys()].join(', ')}` });
  return found;
}
