// Contractions of a single row, where moving the other factor is the work: results are walked side by side in vectors, and nothing is packed.
import { literal } from '../literal.ts';
import type { Expr, Position, Stmt } from '../loop.ts';
import { add, axis, constant } from '../position.ts';
import { mostOf } from '../size.ts';
import { cutEvenly, cutInto, inBlocks, innermostOver, isOpen, loopOver, loopsOver, sizeOf } from './blocks.ts';
import { type Axis, type Contraction, type Factor, stridedOf } from './factors.ts';
import { freshName, rename } from './rewrite.ts';

/** Terms of a sum that are written out, as those of a depthwise convolution. */
const fewTerms = 25;
/** Summed steps that share what is loaded of the sums. */
const sideBySide = 8;
/** Sums that stay in the first cache while rows of the second factor run by. */
const residentSums = 2048;

export function scheduleSkinny(c: Contraction, taken: Set<string>): readonly Stmt[] | undefined {
  const column = c.columns.at(-1);
  if (column === undefined || c.rows.length > 0 || hasChecks(c)) return undefined;
  if (isOpen(c.depth)) return undefined;
  if (sizeOf(c.depth) <= fewTerms) return writtenOut(c, column, taken);
  if (typeof column.extent !== 'number') return undefined;
  return stridedOf(c.b, c.depth, column)?.along === 1 ? sumOfRows(c, column, taken) : undefined;
}

const hasChecks = (c: Contraction): boolean => [...c.a.before, ...c.b.before, ...c.epilogue].some((s) => s.kind === 'check');

/** The factor at a given place of the summed axes, under a name: what it needs, and the name. */
function named(
  factor: Factor,
  base: string,
  at: ReadonlyMap<string, Position>,
  taken: Set<string>,
): { readonly lets: Stmt[]; readonly ref: Expr } {
  const names = new Map(factor.before.flatMap((s) => (s.kind === 'let' ? [[s.name, freshName(s.name, taken)] as const] : [])));
  const name = freshName(base, taken);
  const lets = [...factor.before, { kind: 'let', name, value: factor.value } satisfies Stmt].map((s) => rename(s, { axes: at, names }));
  return { lets, ref: { kind: 'ref', dtype: factor.value.dtype, name } };
}

type Places = readonly ReadonlyMap<string, Position>[];

/** `sum += a * b` for each place: first the factors that the columns share. */
function terms(c: Contraction, places: Places, taken: Set<string>): { readonly shared: Stmt[]; readonly adding: Stmt[] } {
  const shared: Stmt[] = [];
  const adding: Stmt[] = [];
  for (const at of places) {
    const [x, y] = [named(c.a, 'x', at, taken), named(c.b, 'y', at, taken)];
    shared.push(...x.lets);
    const value: Expr = { kind: 'call', dtype: c.dtype, fn: 'mul', args: [x.ref, y.ref] };
    adding.push(...y.lets, { kind: 'accumulate', name: c.sum, fn: 'add', value });
  }
  return { shared, adding };
}

/** All terms of a sum written out. */
function writtenOut(c: Contraction, column: Axis, taken: Set<string>): readonly Stmt[] {
  const { shared, adding } = terms(c, placesOf(c.depth), taken);
  const sum: Stmt = { kind: 'var', name: c.sum, init: literal(0, c.dtype) };
  const along = innermostOver(column, 'vector', [...shared, sum, ...adding, ...c.epilogue]);
  return loopsOver([...c.batch, ...c.columns.slice(0, -1)], 'par', along);
}

/** Every place of the axes, the last one fastest. */
function placesOf(axes: readonly Axis[]): ReadonlyMap<string, Position>[] {
  return axes.reduce<ReadonlyMap<string, Position>[]>(
    (places, { name, extent }) =>
      places.flatMap((at) => Array.from({ length: mostOf(extent) }, (_, n) => new Map([...at, [name, constant(n)]]))),
    [new Map()],
  );
}

/** A row by a matrix: rows of the matrix, scaled, are added to sums that stay in the first cache. */
function sumOfRows(c: Contraction, column: Axis, taken: Set<string>): readonly Stmt[] {
  const blocks = inBlocks(cutEvenly(column.extent, residentSums, 64), `${column.name}_block`, 'par', taken, (start, width) => {
    const sums = freshName('sums', taken);
    const lane = freshName('lane', taken);
    const across = new Map([[column.name, add(start, axis(lane))]]);
    const overLanes = (statements: readonly Stmt[]): Stmt[] => innermostOver({ name: lane, extent: width }, 'vector', statements);
    const sum: Expr = { kind: 'load', dtype: c.dtype, buffer: sums, at: axis(lane) };
    const last = c.depth.at(-1)!;
    const adding = inBlocks(cutInto(last.extent, sideBySide), last.name, 'serial', taken, (first, count) => {
      const places = Array.from({ length: mostOf(count) }, (_, n) => new Map([...across, [last.name, add(first, constant(n))]]));
      const step = terms(c, places, taken);
      return overLanes([
        ...step.shared,
        { kind: 'var', name: c.sum, init: sum },
        ...step.adding,
        { kind: 'store', buffer: sums, at: axis(lane), value: { kind: 'ref', dtype: c.dtype, name: c.sum } },
      ]);
    });
    return [
      { kind: 'scratch', name: sums, dtype: c.dtype, length: width },
      loopOver({ name: lane, extent: width }, 'vector', [{ kind: 'store', buffer: sums, at: axis(lane), value: literal(0, c.dtype) }]),
      ...loopsOver(c.depth.slice(0, -1), 'serial', adding),
      ...overLanes([{ kind: 'let', name: c.sum, value: sum }, ...c.epilogue.map((s) => rename(s, { axes: across, names: new Map() }))]),
    ];
  });
  return loopsOver([...c.batch, ...c.columns.slice(0, -1)], 'par', blocks);
}
