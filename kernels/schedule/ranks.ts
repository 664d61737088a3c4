// Sorting as a loop nest, for targets without a routine that sorts: each element counts those that come before it, and is stored at that place.
import type { DType } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import { literal } from '../literal.ts';
import type { Expr, Kernel, Position, Stmt } from '../loop.ts';
import { add, axis, constant, mul } from '../position.ts';

type Sort = Extract<Stmt, { kind: 'library' }>;

/**
 * Replaces the sorts at the top of a kernel. The work is quadratic in the length of a row, but all of it is parallel; elements that are equal
 * keep their order, and NaN counts as the largest, as the routine has it.
 */
export function sortByRank(kernel: Kernel): Kernel {
  if (!kernel.body.some(isSort)) return kernel;
  const dtypes = new Map<string, DType>(kernel.params.map((p) => [p.name, p.dtype]));
  for (const s of kernel.body) if (s.kind === 'scratch') dtypes.set(s.name, s.dtype);
  return { ...kernel, body: kernel.body.flatMap((s) => (isSort(s) ? ranked(s, dtypes) : [s])) };
}

const isSort = (s: Stmt): s is Sort => s.kind === 'library' && s.routine === 'sort';

const call = (fn: 'lt' | 'ne' | 'and' | 'or' | 'not' | 'select', dtype: DType, ...args: readonly Expr[]): Expr => ({
  kind: 'call',
  fn,
  dtype,
  args,
});
const both = (x: Expr, y: Expr): Expr => call('and', 'bool', x, y);
const not = (x: Expr): Expr => call('not', 'bool', x);

/** NaN counts as the largest; only floats can be unequal to themselves. */
function less(x: Expr, y: Expr): Expr {
  const plain = call('lt', 'bool', x, y);
  if (x.dtype !== 'f32' && x.dtype !== 'f64') return plain;
  return call('or', 'bool', plain, both(not(call('ne', 'bool', x, x)), call('ne', 'bool', y, y)));
}

function ranked({ buffers, extents, flags }: Sort, dtypes: ReadonlyMap<string, DType>): readonly Stmt[] {
  const [from, values, order] = buffers as [string, string, string];
  const [outer, extent, inner] = extents.map((n) => {
    if (typeof n !== 'number') throw new InternalError('a sort of an open size has no ranks', { op: 'schedule' });
    return n;
  }) as [number, number, number];
  const [descending, k] = flags as [number, number];
  const kept = k < 0 ? extent : k;
  const dtype = dtypes.get(from)!;
  const at = (row: Position, length: number): Position => add(mul(axis('row'), length * inner), mul(row, inner), axis('side'));
  const load = (row: Position): Expr => ({ kind: 'load', dtype, buffer: from, at: at(row, extent) });
  const ref = (name: string, of: DType): Expr => ({ kind: 'ref', name, dtype: of });
  const place = (name: string): Expr => ({ kind: 'position', dtype: 'i32', at: axis(name) });
  const [own, other] = [ref('own', dtype), ref('other', dtype)];
  const isBefore = descending ? less(own, other) : less(other, own);
  const isBehind = descending ? less(other, own) : less(own, other);
  const comesFirst = call('or', 'bool', isBefore, both(not(isBehind), call('lt', 'bool', place('rival'), place('element'))));
  const rank = ref('rank', 'i32');
  const target = at({ kind: 'value', value: rank }, kept);
  const body: readonly Stmt[] = [
    { kind: 'let', name: 'own', value: load(axis('element')) },
    { kind: 'var', name: 'rank', init: literal(0, 'i32') },
    {
      kind: 'loop',
      axis: 'rival',
      extent,
      mode: 'serial',
      body: [
        { kind: 'let', name: 'other', value: load(axis('rival')) },
        { kind: 'accumulate', name: 'rank', fn: 'add', value: { kind: 'cast', dtype: 'i32', value: comesFirst } },
      ],
    },
    {
      kind: 'if',
      test: call('lt', 'bool', rank, { kind: 'position', dtype: 'i32', at: constant(kept) }),
      then: [
        { kind: 'store', buffer: values, at: target, value: own },
        { kind: 'store', buffer: order, at: target, value: { kind: 'position', dtype: dtypes.get(order)!, at: axis('element') } },
      ],
      else: [],
    },
  ];
  const par = (name: string, length: number, inside: readonly Stmt[]): readonly Stmt[] => [
    { kind: 'loop', axis: name, extent: length, mode: 'par', body: inside },
  ];
  return par('row', outer, par('element', extent, par('side', inner, body)));
}
