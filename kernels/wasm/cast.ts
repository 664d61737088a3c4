// Conversions between dtypes as PyTorch's, one value at a time: float to integer truncates, to bool tests for non-zero, integers wrap.
import type { DType } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import { wrapToInteger } from './arithmetic.ts';
import type { Node } from './function.ts';
import { noHalf } from './scalar.ts';
import type { Site } from './unit.ts';

export function castScalar(site: Site, x: Node, from: DType, to: DType): Node {
  if (from === to) return x;
  const { f } = site;
  const { type } = x;
  switch (to) {
    case 'bool':
      if (from === 'f32') return f.op('f32.ne', x, f.f32(0));
      if (from === 'f64') return f.op('f64.ne', x, f.f64(0));
      return from === 'i64' ? f.op('i64.ne', x, f.i64(0n)) : f.op('i32.ne', x, f.i32(0));
    case 'f64':
      if (type === 'f32') return f.op('f64.promote_f32', x);
      return type === 'i64' ? f.op('f64.convert_i64_s', x) : f.op('f64.convert_i32_s', x);
    case 'f32':
      if (type === 'f64') return f.op('f32.demote_f64', x);
      return type === 'i64' ? f.op('f32.convert_i64_s', x) : f.op('f32.convert_i32_s', x);
    case 'i64':
      if (type === 'i32') return f.op('i64.extend_i32_s', x);
      return f.callValue(wrapToInteger(site.unit), [type === 'f32' ? f.op('f64.promote_f32', x) : x]);
    case 'i32':
      return type === 'i32' ? x : f.op('i32.wrap_i64', castScalar(site, x, from, 'i64'));
    case 'u8':
      return from === 'bool' ? x : f.op('i32.and', castScalar(site, x, from, 'i32'), f.i32(255));
    case 'f16':
      throw noHalf();
    default:
      return to satisfies never;
  }
}

/** The same bits read as another dtype of equal size. */
export function bitcastScalar({ f }: Site, x: Node, from: DType, to: DType): Node {
  if (from === to || (from === 'bool' && to === 'u8')) return x;
  if (from === 'u8' && to === 'bool') return f.op('i32.and', x, f.i32(1));
  if (from === 'f32' && to === 'i32') return f.op('i32.reinterpret_f32', x);
  if (from === 'i32' && to === 'f32') return f.op('f32.reinterpret_i32', x);
  if (from === 'f64' && to === 'i64') return f.op('i64.reinterpret_f64', x);
  if (from === 'i64' && to === 'f64') return f.op('f64.reinterpret_i64', x);
  throw new InternalError(`no bitcast from ${from} to ${to}`, { op: 'emit' });
}
