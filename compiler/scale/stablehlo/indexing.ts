// Gather and scatter. An index that was expanded along axes (rows of an embedding) takes whole rows rather than elements.
import type { NodeOf, Value } from '../../ir/node.ts';
import { combining, compare, type Emitter, filled, generic, iota, like, same, select, type Type, type Typed } from './emitter.ts';
import type { PrintersFor } from './printer.ts';
import { arrayText, isFloatElement } from './text.ts';

/** Axes of an index along which it is the same everywhere: it was expanded there. */
function constantAxes(index: Value | undefined, axis: number): readonly number[] {
  return index?.node.op === 'expand' ? index.node.attrs.at.filter((a) => a !== axis) : [];
}

type Taken = { readonly index: Typed; readonly rows: readonly number[]; readonly batch: readonly number[] };

/** The index without the axes `rows`, which are taken as they are; over the axes `batch` operand and index go together. */
function taken(e: Emitter, x: Typed, index: Typed, source: Value | undefined, axis: number): Taken {
  const rows = constantAxes(source, axis);
  const batch = x.shape.map((_, i) => i).filter((i) => i !== axis && !rows.includes(i));
  if (rows.length === 0) return { index, rows, batch };
  const kept = index.shape.map((_, i) => i).filter((i) => !rows.includes(i));
  const start = index.shape.map(() => 0);
  const first: Type = { element: index.element, shape: index.shape.map((d, i) => (rows.includes(i) ? Math.min(1, d) : d)) };
  const [cut] = generic(e, 'stablehlo.slice', [index], [first], sliceText(start, first.shape));
  const [narrow] = generic(e, 'stablehlo.reshape', [cut!], [{ element: index.element, shape: kept.map((i) => index.shape[i]!) }], '');
  return { index: narrow!, rows, batch };
}
const sliceText = (start: readonly number[], limit: readonly number[]): string =>
  `limit_indices = ${arrayText(limit)}, start_indices = ${arrayText(start)}, strides = ${arrayText(start.map(() => 1))}`;

/** Positions among the axes of the narrow index of the axes that it shares with the operand. */
const shared = ({ batch, rows }: Taken): readonly number[] => batch.map((a) => a - rows.filter((r) => r < a).length);

const list = (values: readonly number[]): string => `[${values.join(', ')}]`;

function gathered(e: Emitter, x: Typed, index: Typed, source: Value | undefined, axis: number): Typed {
  if (index.shape.includes(0)) return filled(e, 0, { element: x.element, shape: index.shape });
  const t = taken(e, x, index, source, axis);
  const numbers = [
    ...(t.rows.length > 0 ? [`offset_dims = ${list(t.rows)}`] : []),
    `collapsed_slice_dims = [${axis}]`,
    ...(t.batch.length > 0 ? [`operand_batching_dims = ${list(t.batch)}`, `start_indices_batching_dims = ${list(shared(t))}`] : []),
    `start_index_map = [${axis}]`,
    `index_vector_dim = ${t.index.shape.length}`,
  ].join(', ');
  const sizes = x.shape.map((d, i) => (t.rows.includes(i) ? d : 1));
  const properties = `dimension_numbers = #stablehlo.gather<${numbers}>, slice_sizes = ${arrayText(sizes)}, indices_are_sorted = false`;
  return generic(e, 'stablehlo.gather', [x, t.index], [{ element: x.element, shape: index.shape }], properties)[0]!;
}

function scattered(e: Emitter, op: string, x: Typed, index: Typed, updates: Typed, source: Value | undefined, axis: number): Typed {
  if (index.shape.includes(0)) return x;
  const t = taken(e, x, index, source, axis);
  const numbers = [
    ...(t.rows.length > 0 ? [`update_window_dims = ${list(t.rows)}`] : []),
    `inserted_window_dims = [${axis}]`,
    ...(t.batch.length > 0 ? [`input_batching_dims = ${list(t.batch)}`, `scatter_indices_batching_dims = ${list(shared(t))}`] : []),
    `scatter_dims_to_operand_dims = [${axis}]`,
    `index_vector_dim = ${t.index.shape.length}`,
  ].join(', ');
  const properties = `scatter_dimension_numbers = #stablehlo.scatter<${numbers}>, indices_are_sorted = false, unique_indices = false`;
  return generic(e, 'stablehlo.scatter', [x, t.index, updates], [x], properties, [combining(e, op, x.element)])[0]!;
}

/** Where an index lies within the axis. */
function isInside(e: Emitter, index: Typed, extent: number): Typed {
  const low = compare(e, 'GE', index, filled(e, 0, index));
  return same(e, 'stablehlo.and', low, compare(e, 'LT', index, filled(e, extent, index)));
}

export const indexingPrinters = {
  // The other targets refuse an index out of range; XLA would read another row in silence, so what it reads is made NaN.
  gather: ([x, index], { inputs, attrs }, e) => {
    const values = gathered(e, x!, index!, inputs[1], attrs.axis);
    if (attrs.mode === 'trusted' || !isFloatElement(x!.element)) return [values];
    return [select(e, isInside(e, index!, x!.shape[attrs.axis]!), values, filled(e, Number.NaN, values))];
  },
  scatterAdd: ([x, index, updates], { inputs, attrs }, e) => [scattered(e, 'stablehlo.add', x!, index!, updates!, inputs[1], attrs.axis)],
  // XLA says nothing of which of several updates stays: so the last position is found as a maximum, which has no order.
  scatterSet: ([x, index, updates], n, e) => [lastOf(e, [x!, index!, updates!], n)],
} satisfies PrintersFor<'gather' | 'scatterAdd' | 'scatterSet'>;

function lastOf(e: Emitter, [x, index, updates]: readonly [Typed, Typed, Typed], { inputs, attrs }: NodeOf<'scatterSet'>): Typed {
  const { axis } = attrs;
  if (updates.shape.includes(0)) return x;
  const none = filled(e, -1, like(x, 'i32'));
  const order = iota(e, like(updates, 'i32'), axis);
  const last = scattered(e, 'stablehlo.maximum', none, index, order, inputs[1], axis);
  const isHit = compare(e, 'GE', last, filled(e, 0, last));
  const from = same(e, 'stablehlo.maximum', last, filled(e, 0, last));
  return select(e, isHit, gathered(e, updates, from, undefined, axis), x);
}
