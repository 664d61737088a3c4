// Contractions whose columns are open until the launch, as contractions of known widths: many columns at a time, then fewer, then one by one.
import type { Extent, Position, Stmt } from '../loop.ts';
import { add, axis, constant, mul, zero } from '../position.ts';
import { mostOf, restOf, times, wholeParts } from '../size.ts';
import { loopOver } from './blocks.ts';
import type { Axis, Contraction, Factor } from './factors.ts';
import { freshName, rename } from './rewrite.ts';

/** Columns of one contraction. Bits do not depend on them, since each sum is a chain of its own. */
const widths = [64, 8, 1] as const;

/** `schedule` gets contractions whose last column has a known extent; undefined if it refuses one of them. */
export function closeColumns(
  c: Contraction,
  column: Axis,
  taken: Set<string>,
  schedule: (closed: Contraction) => readonly Stmt[] | undefined,
): readonly Stmt[] | undefined {
  const result: Stmt[] = [];
  let [start, left]: [Position, Extent] = [zero, column.extent];
  for (const width of widths) {
    const count = wholeParts(left, width);
    if (mostOf(count) === 0) continue;
    const block = freshName(`${column.name}_block`, taken);
    const inner = freshName(column.name, taken);
    const first = add(start, mul(axis(block), width));
    const body = schedule(within(c, column, inner, width, add(first, width === 1 ? zero : axis(inner))));
    if (body === undefined) return undefined;
    result.push(loopOver({ name: block, extent: count }, 'par', body));
    start = add(start, constant(times(count, width)));
    left = restOf(left, width);
  }
  return result;
}

/** The contraction of `width` columns, which lie at `at`. */
function within(c: Contraction, column: Axis, inner: string, width: number, at: Position): Contraction {
  const moved = { axes: new Map([[column.name, at]]), names: new Map<string, string>() };
  const factor = (f: Factor): Factor => {
    if (!f.axes.has(column.name)) return f;
    const [value] = [rename({ kind: 'let', name: '', value: f.value }, moved)] as [Extract<Stmt, { kind: 'let' }>];
    const axes = new Set([...f.axes].map((name) => (name === column.name ? inner : name)));
    return { before: f.before.map((s) => rename(s, moved) as Factor['before'][number]), value: value.value, axes };
  };
  const own = width === 1 ? [] : [{ name: inner, extent: width }];
  return {
    ...c,
    columns: [...c.columns.filter((a) => a !== column), ...own],
    a: factor(c.a),
    b: factor(c.b),
    epilogue: c.epilogue.map((s) => rename(s, moved)),
  };
}
