// Operands that the rows of rules are tried with: shapes with no, one and several elements, in every dtype that an op takes.
import type { DTypeRule } from '../../kernels/scalar.ts';
import type { DType } from '../../runtime/dtype.ts';
import { type Aval, aval } from '../ir/aval.ts';

export const floats = ['f32', 'f64'] as const satisfies readonly DType[];
export const integers = ['i32', 'i64', 'u8'] as const satisfies readonly DType[];
export const numbers = [...floats, ...integers] as const;
export const all = [...numbers, 'bool'] as const;

export const takenBy: Readonly<Record<DTypeRule, readonly DType[]>> = {
  same: numbers,
  float: floats,
  compare: all,
  logical: ['bool'],
  bits: [...integers, 'bool'],
  select: all,
};

export const f32 = (...shape: number[]): Aval => aval('f32', shape);
export const f64 = (...shape: number[]): Aval => aval('f64', shape);
export const i32 = (...shape: number[]): Aval => aval('i32', shape);
export const i64 = (...shape: number[]): Aval => aval('i64', shape);
export const bool = (...shape: number[]): Aval => aval('bool', shape);

/** One sample a dtype, made by `of`. */
export const per = <T>(dtypes: readonly DType[], of: (dtype: DType) => T): T[] => dtypes.map(of);
