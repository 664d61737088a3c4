// The names that users give to element types, and the IR's names for them.
import { type DType, dtypes } from '../../runtime/dtype.ts';
import { ArgumentError, DTypeError } from '../../runtime/errors.ts';

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

/** What an integer dtype takes from a number, before the number is cut to it. A negative uint8 wraps, as in PyTorch. */
const ranges: { readonly [D in DType]?: readonly [least: number | bigint, beyond: number | bigint] } = {
  u8: [-255, 256],
  i32: [-(2 ** 31), 2 ** 31],
  i64: [-(2n ** 63n), 2n ** 63n],
};

/** Throws ArgumentError for a number that elements of an integer dtype cannot become: too large, infinite or NaN. */
export function demandFits(op: string, value: number | bigint | boolean, dtype: DType, place = ''): void {
  const range = ranges[dtype];
  if (range !== undefined && typeof value !== 'boolean' && !(value >= range[0] && value < range[1]))
    throw new ArgumentError(`${value}${place} cannot be converted to ${publicNames[dtype]} without overflow`, {
      op,
      fix: 'choose another dtype, or clamp() first',
    });
}

/** A number as a bool: NaN is no zero. */
export const truthOf = (value: number | bigint | boolean): boolean => Number(value) !== 0;

/** The IR's dtype for a public name; DTypeError for anything else. */
export function elementOf(name: DTypeName, op: string): DType {
  const found = elements.get(name);
  if (found === undefined)
    throw new DTypeError(`'${String(name)}' is no dtype`, { op, fix: `choose one of ${[...elements.keys()].join(', ')}` });
  return found;
}
