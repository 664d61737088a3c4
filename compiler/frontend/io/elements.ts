// Elements as files have them, and as tensors have them: half and brain floats become float32, small and unsigned integers the next wider type.

import { allocate, type DType, type TypedArray } from '../../../runtime/dtype.ts';
import { DTypeError } from '../../../runtime/errors.ts';
import { fromHalf } from '../../../runtime/half.ts';
import { elementsOf, type StoredDType, type StoredTensor, storedBytes } from '../../../runtime/safetensors.ts';

/** What a stored kind is read as, and how one element is. Kinds that are read as they are need no row. */
const conversions: {
  readonly [K in StoredDType]?: { readonly dtype: DType; readonly at: (view: DataView, offset: number) => number | bigint };
} = {
  F16: { dtype: 'f32', at: (view, offset) => fromHalf(view.getUint16(offset, true)) },
  BF16: { dtype: 'f32', at: (view, offset) => brainToNumber(view.getUint16(offset, true)) },
  I8: { dtype: 'i32', at: (view, offset) => view.getInt8(offset) },
  I16: { dtype: 'i32', at: (view, offset) => view.getInt16(offset, true) },
  U16: { dtype: 'i32', at: (view, offset) => view.getUint16(offset, true) },
  U32: { dtype: 'i64', at: (view, offset) => BigInt(view.getUint32(offset, true)) },
};

/** The elements of a stored tensor in an array of their own. Throws DTypeError for what no tensor holds: 8-bit floats, uint64. */
export function elementsFrom(op: string, stored: StoredTensor): { readonly dtype: DType; readonly elements: TypedArray } {
  const { dtype: kind, data } = stored;
  const conversion = conversions[kind];
  if (conversion === undefined) {
    const found = elementsOf(stored);
    if (found === undefined) throw new DTypeError(`no tensor has elements of ${kind}`, { op, fix: 'convert the file to F32 or I64' });
    return { dtype: found.dtype, elements: found.elements.slice() };
  }
  const size = storedBytes[kind];
  const elements = allocate(conversion.dtype, data.length / size);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let i = 0; i < elements.length; i++) elements[i] = conversion.at(view, i * size);
  return { dtype: conversion.dtype, elements };
}

/** The upper half of a float32. */
const word = new DataView(new ArrayBuffer(4));
function brainToNumber(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}
