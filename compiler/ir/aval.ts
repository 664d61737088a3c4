// What is known of a value before it exists: element type and shape.
import type { DType } from '../../runtime/dtype.ts';
import { type Shape, sameShape, shapeText } from './dim.ts';

export type Aval = { readonly dtype: DType; readonly shape: Shape };

export const aval = (dtype: DType, shape: Shape): Aval => ({ dtype, shape });
export const sameAval = (a: Aval, b: Aval): boolean => a.dtype === b.dtype && sameShape(a.shape, b.shape);
export const avalText = (a: Aval): string => `${a.dtype}${shapeText(a.shape)}`;
