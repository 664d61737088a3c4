// Contractions for targets with micro-kernels: blocks that fit the caches, panels packed where that pays, tiles of registers, epilogues.
//
// The order of each sum is one chain along k whatever tile, blocks or threads: bits do not depend on them. Sizes below were measured on V8
// 11 and 13 (Zen 5); within a factor of two of them little changes.
import { bytesPerElement } from '../../runtime/dtype.ts';
import { literal } from '../literal.ts';
import type { Expr, Extent, Kernel, Position, Product, Spread, Stmt } from '../loop.ts';
import { add, axis, constant, linearize, mul, strideOf, substitute, zero } from '../position.ts';
import { mostOf } from '../size.ts';
import {
  blocksOf,
  type Cut,
  cutEvenly,
  cutInto,
  evenParts,
  inBlocks,
  innermostOver,
  inRun,
  inStretches,
  isOneStretch,
  isOpen,
  loopOver,
  loopsOver,
  partsInBlocks,
  type Run,
  type Stretch,
  sizeOf,
  stepsOf,
  when,
} from './blocks.ts';
import { type Axis, type Contraction, contractionAt, type Strided, stridedOf } from './factors.ts';
import { closeColumns } from './open-columns.ts';
import { packPanels, widthsOf } from './pack.ts';
import { freshName, type Loop, namesIn, rename } from './rewrite.ts';
import { scheduleSkinny } from './skinny.ts';

/** What one micro-kernel computes, in elements of 32 bits, and how it gets elements of `a` into all lanes. */
export type Tile = { readonly rows: number; readonly columns: number; readonly spread: Spread };
export type ProductOptions = {
  readonly tile: Tile;
  /** How many threads will share a kernel. Each may get columns of its own; bits do not depend on it. */
  readonly threads: number;
  readonly limits?: Limits;
};

/** Sizes that decide what is packed and how it is cut. */
export type Limits = {
  /** Steps of k in one go. */
  readonly steps: number;
  /** Bytes of packed rows, which are walked once for each group of columns. */
  readonly packedBytes: number;
  /** A second factor of fewer bytes than this, or for fewer rows, is read where it lies: packing it would cost more than it saves. */
  readonly smallBytes: number;
  readonly fewRows: number;
  /** Rows whose panels stay in the second cache while panels of columns run by, and columns that are packed in one go. */
  readonly rows: number;
  readonly columns: number;
};
/** A panel of eight columns takes 25 KB of the first cache. */
const measured: Limits = { steps: 784, packedBytes: 8 << 20, smallBytes: 64 << 10, fewRows: 32, rows: 96, columns: 256 };

/** Every contraction of the kernel in blocks of products. What is none stays as it is. */
export function scheduleProducts(kernel: Kernel, options: ProductOptions): Kernel {
  const params = kernel.params.map((p) => p.name);
  const taken = namesIn(kernel.body, params);
  const staged = new Set<string>();
  const visit = (body: readonly Stmt[], threads: number): Stmt[] =>
    body.flatMap((s): readonly Stmt[] => {
      if (s.kind === 'scratch') staged.add(s.name);
      if (s.kind !== 'loop') return [s];
      const found = contractionAt(s);
      if (found !== undefined) return scheduleContraction(found, { ...options, threads, staged }, taken) ?? [s];
      return [{ ...s, body: visit(s.body, s.mode === 'par' ? 1 : threads) }];
    });
  return { ...kernel, body: visit(kernel.body, options.threads) };
}

/** Scratch was filled for the products that read it: there is no need to pack it again. */
type Staged = ProductOptions & { readonly staged: ReadonlySet<string> };

function scheduleContraction(c: Contraction, options: Staged, taken: Set<string>): readonly Stmt[] | undefined {
  const skinny = scheduleSkinny(c, taken);
  if (skinny !== undefined) return skinny;
  const column = c.columns.at(-1);
  if (c.rows.length === 0) return undefined;
  if (column !== undefined && typeof column.extent !== 'number')
    return closeColumns(c, column, taken, (closed) => scheduleContraction(closed, options, taken));
  return blocked(planOf(c, options, taken));
}

/** The axis across panels of columns, whose widths are known. */
type Column = Axis & { readonly extent: number };

type Plan = {
  readonly c: Contraction;
  readonly row: Axis;
  readonly column: Column;
  readonly tile: Tile;
  /** Where the factors lie, if they are read there. */
  readonly a: Strided | undefined;
  readonly b: Strided | undefined;
  /** Where sums can be kept until they are complete, if that is where they end up. */
  readonly result: Extract<Stmt, { kind: 'store' }> | undefined;
  readonly limits: Limits;
  /** Columns that are packed together, and parts of these groups with a packing of `a` each. */
  readonly groups: Cut<number>;
  readonly parts: number;
  readonly taken: Set<string>;
};

function planOf(c: Contraction, { tile, threads, staged, limits = measured }: Staged, taken: Set<string>): Plan {
  const [row, column] = [c.rows.at(-1)!, (c.columns.at(-1) ?? { name: freshName('j', taken), extent: 1 }) as Column];
  const [a, b] = [forward(stridedOf(c.a, c.depth, row)), forward(stridedOf(c.b, c.depth, column))];
  const bytes = sizeOf(c.depth) * sizeOf(c.columns) * bytesPerElement[c.dtype];
  const isThin = !isOpen(c.depth) && sizeOf(c.depth) <= fewTerms && column.extent > tile.columns;
  const isSmall = isThin || bytes <= limits.smallBytes || sizeOf(c.rows) <= limits.fewRows;
  const isStaged = b !== undefined && staged.has(b.load.buffer) && (b.k * bytesPerElement[c.dtype]) % pageBytes > 0;
  const inPlace = { a: isSmall ? a : undefined, b: (isSmall || isStaged) && b?.along === 1 ? b : undefined };
  const own = isThin ? thinTile : fitted(tileFor(c.dtype, tile, inPlace.a), mostOf(row.extent));
  const groups = groupsOf(column, lineOf(c, own), threads, limits);
  const isSplit = inPlace.a === undefined && sizeOf(c.batch) < threads && blocksOf(groups) % threads === 0;
  return {
    c,
    row,
    column,
    tile: own,
    ...inPlace,
    result: plainResult(c, row, column),
    limits,
    groups,
    parts: isSplit ? threads : 1,
    taken,
  };
}

/** Micro-kernels add up offsets, which are never negative: a factor that lies the other way round is packed. */
const forward = (s: Strided | undefined): Strided | undefined => (s !== undefined && s.k >= 0 && s.along >= 0 ? s : undefined);

/** Rows that lie a multiple of this apart evict each other from the first cache. */
const pageBytes = 1024;
/** Bytes that are fetched together. */
const lineBytes = 64;
/** Columns that are packed on one way along k: a line of them, in one panel or more. */
const lineOf = ({ dtype }: Contraction, { columns }: Tile): number =>
  columns * Math.max(1, Math.floor(lineBytes / bytesPerElement[dtype] / columns));

/** How columns are grouped: a multiple of the threads that will share them, if there are columns enough, and at least a few. */
function groupsOf(column: Column, unit: number, threads: number, limits: Limits): Cut<number> {
  const fewest = threads * Math.ceil(fewGroups / threads);
  const groups = fewest * Math.ceil(column.extent / (fewest * limits.columns));
  return cutEvenly(column.extent, Math.max(unit, Math.ceil(column.extent / groups / unit) * unit), unit);
}
const fewGroups = 4;

/** Terms of a sum that stay in registers, or near them, while a product walks along its columns: that is better than to walk along k. */
const fewTerms = 8;
const thinTile: Tile = { rows: 4, columns: 256, spread: 'load' };

/** Of 64-bit elements half as many columns fit; rows that do not lie side by side are loaded one by one, which takes more registers. */
function tileFor(dtype: Contraction['dtype'], tile: Tile, a: Strided | undefined): Tile {
  const columns = dtype === 'f64' ? tile.columns / 2 : tile.columns;
  const shuffles = tile.spread === 'shuffle' && dtype === 'f32' && (a === undefined || a.along === 1);
  return shuffles || tile.spread === 'load' ? { ...tile, columns } : { rows: 4, columns, spread: 'load' };
}

/** Few rows take wider tiles: sums enough for one not to wait for the other, and no more vectors than registers hold. */
function fitted(tile: Tile, rows: number): Tile {
  const { size } = evenParts(rows, tile.rows)[0]!;
  const widths: Readonly<Record<number, number>> = { 1: 3, 2: 2, 3: 1.5 };
  return size === tile.rows ? tile : { rows: size, columns: tile.columns * (widths[size] ?? 1), spread: 'load' };
}

/** The store, if the epilogue is nothing else: of the sum as it is, to elements that lie side by side. */
function plainResult({ epilogue, sum, dtype }: Contraction, row: Axis, column: Column): Plan['result'] {
  const [only] = epilogue;
  if (epilogue.length !== 1 || only?.kind !== 'store') return undefined;
  const isSum = only.value.kind === 'ref' && only.value.name === sum && only.value.dtype === dtype;
  const isDense = strideOf(only.at, column.name) === 1 || column.extent === 1;
  return isSum && isDense && typeof strideOf(only.at, row.name) === 'number' ? only : undefined;
}

// ---- blocks, from the outside in

function blocked(plan: Plan): readonly Stmt[] {
  const { c, parts, taken } = plan;
  const outer = [...c.batch, ...c.rows.slice(0, -1)];
  if (parts === 1)
    return loopsOver(
      outer,
      'par',
      rowBlocks(plan, (rows) => columnGroups(plan, rows)),
    );
  const part: Axis = { name: freshName('part', taken), extent: parts };
  return [
    loopOver(
      part,
      'par',
      loopsOver(
        outer,
        'par',
        rowBlocks(plan, (rows) => groupsOfPart(plan, rows, part)),
      ),
    ),
  ];
}

/** Rows of `a` that are packed together, or wait together: where they start, how many, and the buffer that holds them if packed. */
type Rows = { readonly start: Position; readonly extent: Extent; readonly packed: string | undefined };

function rowBlocks(plan: Plan, body: (rows: Rows) => readonly Stmt[]): Stmt[] {
  const { c, row, tile, a, limits, taken } = plan;
  const depth = sizeOf(c.depth);
  const most = a === undefined ? Math.floor(limits.packedBytes / (depth * bytesPerElement[c.dtype])) : mostOf(row.extent);
  return inBlocks(cutEvenly(row.extent, most, tile.rows), `${row.name}_block`, 'par', taken, (start, extent) => {
    if (a !== undefined) return body({ start, extent, packed: undefined });
    const packed = freshName('rows', taken);
    const packing = evenParts(extent, tile.rows).flatMap((run) =>
      inRun(
        run,
        inBlocks(panelsOf(run, rowsAtOnce(plan, run.size)), `${row.name}_panel`, 'par', taken, (at, many) => {
          const first = add(at, run.start);
          const widths = widthsOf(mostOf(many), run.size);
          const panels = { buffer: packed, at: mul(first, depth), across: row, start: add(start, first), widths };
          return packPanels(c.a, panels, { axes: c.depth, starts: new Map() }, taken);
        }),
      ),
    );
    return [
      { kind: 'scratch', name: packed, dtype: c.dtype, length: mostOf(extent) * depth },
      ...packing,
      ...body({ start, extent, packed }),
    ];
  });
}

/** The panels of a run, so many rows at a time; of an open number of them, one at a time. */
const panelsOf = ({ size, count }: Run, rows: number): Cut =>
  typeof count === 'number' ? cutInto(count * size, rows) : { size, count, rest: 0 };

/** Rows that are packed on one way along k: as many panels as fit a line, if rows lie side by side. */
function rowsAtOnce({ c, row }: Plan, panel: number): number {
  const isSideBySide = stridedOf(c.a, c.depth, row)?.along === 1;
  return isSideBySide ? panel * Math.max(1, Math.floor(lineBytes / bytesPerElement[c.dtype] / panel)) : panel;
}

/** A group of columns: where it starts. */
type Columns = { readonly start: Position; readonly extent: number };

/** All columns. */
function columnGroups(plan: Plan, rows: Rows): readonly Stmt[] {
  const { c, column, groups, taken } = plan;
  const all = inBlocks(groups, `${column.name}_group`, 'par', taken, (start, extent) =>
    columnGroup(plan, rows, { start, extent: mostOf(extent) }),
  );
  return loopsOver(c.columns.slice(0, -1), 'par', all);
}

/** The groups of one part. The last group may have another size. */
function groupsOfPart(plan: Plan, rows: Rows, part: Axis): readonly Stmt[] {
  const { c, column, groups, parts, taken } = plan;
  const { size, count, rest } = groups;
  const each = blocksOf(groups) / parts;
  const group: Axis = { name: freshName(`${column.name}_group`, taken), extent: each };
  const index = add(mul(axis(part.name), each), axis(group.name));
  const whole = columnGroup(plan, rows, { start: mul(index, size), extent: size });
  const last: Columns = { start: constant(count * size), extent: rest };
  const ofPart =
    rest === 0
      ? [loopOver(group, 'par', whole)]
      : [loopOver(group, 'par', [when('lt', index, count, whole)]), when('eq', axis(part.name), parts - 1, columnGroup(plan, rows, last))];
  return loopsOver(c.columns.slice(0, -1), 'par', ofPart);
}

/** Part of a block of rows, in panels, by part of a group of columns, counted from where these begin. */
type Region = {
  readonly row: Position;
  readonly rows: Extent;
  readonly panels: readonly Run[];
  readonly column: Position;
  readonly columns: number;
};

/** Where the sums of a tile are, by its first row and column within the region. */
type Sums = (row: Position, column: Position) => Product['c'];

/**
 * A block of rows by a group of columns. Sums that are complete after one stretch of k go through the epilogue strip by strip; others wait
 * until the last stretch is done.
 */
function columnGroup(plan: Plan, rows: Rows, columns: Columns): readonly Stmt[] {
  const { c, tile, result, limits, taken } = plan;
  const panels = evenParts(rows.extent, tile.rows);
  const all: Region = { row: zero, rows: rows.extent, panels, column: zero, columns: columns.extent };
  const inResult = (region: Region): Sums | undefined => (result === undefined ? undefined : resultSums(plan, rows, columns, region));
  if (isOneStretch(c.depth, limits.steps)) {
    return inStretches(c.depth, limits.steps, taken, (stretch) =>
      withPacking(plan, columns, stretch, (b) =>
        regionsOf(plan, all, (region) => {
          const tiles = (sums: Sums): Stmt[] => products(plan, rows, region, stretch, b, sums, 'zero');
          const sums = inResult(region);
          return sums === undefined ? waiting(plan, rows, columns, region, tiles) : tiles(sums);
        }),
      ),
    );
  }
  const stretches = (sums: Sums): Stmt[] => [
    ...cleared(plan, all, sums),
    ...inStretches(c.depth, limits.steps, taken, (stretch) =>
      withPacking(plan, columns, stretch, (b) =>
        regionsOf(plan, all, (region) => {
          const own: Sums = (r, j) => sums(add(region.row, r), add(region.column, j));
          return products(plan, rows, region, stretch, b, own, 'c');
        }),
      ),
    ),
  ];
  const sums = inResult(all);
  return sums === undefined ? waiting(plan, rows, columns, all, stretches) : stretches(sums);
}

function resultSums({ result, row, column }: Plan, rows: Rows, columns: Columns, region: Region): Sums {
  const { buffer, at } = result!;
  return (r, j) => {
    const place = new Map([
      [row.name, add(rows.start, region.row, r)],
      [column.name, add(columns.start, region.column, j)],
    ]);
    return { buffer, at: substitute(at, place), row: strideOf(at, row.name) as number };
  };
}

/** Sums in scratch, and what becomes of them when they are complete. */
function waiting(plan: Plan, rows: Rows, columns: Columns, region: Region, body: (sums: Sums) => Stmt[]): Stmt[] {
  const name = freshName('sums', plan.taken);
  return [
    { kind: 'scratch', name, dtype: plan.c.dtype, length: mostOf(region.rows) * region.columns },
    ...body((r, j) => ({ buffer: name, at: add(mul(r, region.columns), j), row: region.columns })),
    ...epilogue(plan, rows, columns, region, name),
  ];
}

/** Strips of rows by lines of columns, all columns of a strip before the next one. */
function regionsOf({ row, column, tile, c, limits, taken }: Plan, all: Region, body: (region: Region) => Stmt[]): Stmt[] {
  const line = lineOf(c, tile);
  const { cut, partsOf } = partsInBlocks(all.rows, all.panels, limits.rows);
  return inBlocks(cut, `${row.name}_strip`, 'par', taken, (r, rows) =>
    inBlocks(cutInto(all.columns, line), `${column.name}_line`, 'par', taken, (j, columns) =>
      body({ row: r, rows, panels: partsOf(rows), column: j, columns: mostOf(columns) }),
    ),
  );
}

/** Zeros where sums begin. */
function cleared({ c, taken }: Plan, { rows, columns }: Region, sums: Sums): Stmt[] {
  const [r, lane] = [freshName('r', taken), freshName('lane', taken)];
  const { buffer, at } = sums(axis(r), axis(lane));
  const clear: Stmt = { kind: 'store', buffer, at, value: literal(0, c.dtype) };
  return [loopOver({ name: r, extent: rows }, 'par', [loopOver({ name: lane, extent: columns }, 'vector', [clear])])];
}

/** Where a panel of columns lies along a stretch of k, by its first column within the group. */
type Right = (column: Position, width: number) => Product['b'];

/** What reads a group of columns along a stretch of k, with their packing before it where they are packed. */
function withPacking(plan: Plan, { start, extent }: Columns, stretch: Stretch, body: (right: Right) => Stmt[]): Stmt[] {
  const { c, column, tile, b, taken } = plan;
  if (b !== undefined) return body((j) => ({ buffer: b.load.buffer, at: beginning(b, column, add(start, j), stretch), k: b.k }));
  const depth = sizeOf(stretch.axes);
  const buffer = freshName('columns', taken);
  const line = lineOf(c, tile);
  return [
    { kind: 'scratch', name: buffer, dtype: c.dtype, length: depth * extent },
    ...inBlocks(cutInto(extent, line), `${column.name}_line`, 'par', taken, (first, width) => {
      const widths = widthsOf(mostOf(width), tile.columns);
      const panels = { buffer, at: mul(first, depth), across: column, start: add(start, first), widths };
      return packPanels(c.b, panels, stretch, taken);
    }),
    ...body((j, width) => ({ buffer, at: mul(j, depth), k: width })),
  ];
}

/** The tiles of a region along one stretch of k, panel of columns by panel. */
function products(plan: Plan, rows: Rows, region: Region, stretch: Stretch, right: Right, sums: Sums, from: Product['from']): Stmt[] {
  const { row, tile, taken } = plan;
  const depth = stepsOf(stretch.axes);
  return widthsOf(region.columns, tile.columns).flatMap((width, i) => {
    const first = constant(i * tile.columns);
    const b = right(add(region.column, first), width);
    return region.panels.flatMap((run) =>
      inRun(
        run,
        inBlocks({ size: run.size, count: run.count, rest: 0 }, `${row.name}_panel`, 'par', taken, (at) => {
          const start = add(at, run.start);
          const a = rowsOf(plan, rows, add(region.row, start), run.size, stretch);
          return [{ kind: 'product', rows: run.size, columns: width, depth, a, b, c: sums(start, first), from }];
        }),
      ),
    );
  });
}

/** Where `count` rows of `a` begin that start at `start` within their block. */
function rowsOf(plan: Plan, rows: Rows, start: Position, count: number, stretch: Stretch): Product['a'] {
  const { c, row, tile, a } = plan;
  const spread = count === tile.rows ? tile.spread : 'load';
  if (a !== undefined) {
    const at = beginning(a, row, add(rows.start, start), stretch);
    return { buffer: a.load.buffer, at, k: a.k, row: a.along, spread: a.along === 1 ? spread : 'load' };
  }
  const walked = new Set(stretch.axes.map((s) => s.name));
  const step = linearize(
    c.depth.map((d) => stretch.starts.get(d.name) ?? (walked.has(d.name) ? zero : axis(d.name))),
    c.depth.map((d) => d.extent),
  );
  return { buffer: rows.packed!, at: add(mul(start, sizeOf(c.depth)), mul(step, count)), k: count, row: 1, spread };
}

/** The position of a factor's first element: at `start` along its own axis, and where the stretch of k begins. */
function beginning({ load }: Strided, along: Axis, start: Position, stretch: Stretch): Position {
  const at = new Map<string, Position>(stretch.axes.map((s) => [s.name, stretch.starts.get(s.name) ?? zero]));
  return substitute(load.at, at.set(along.name, start));
}

/** What becomes of sums that are complete. */
function epilogue({ c, row, column, taken }: Plan, rows: Rows, columns: Columns, region: Region, sums: string): readonly Stmt[] {
  const [r, lane] = [freshName('r', taken), freshName('lane', taken)];
  const axes = new Map([
    [row.name, add(rows.start, region.row, axis(r))],
    [column.name, add(columns.start, region.column, axis(lane))],
  ]);
  const sum: Expr = { kind: 'load', dtype: c.dtype, buffer: sums, at: add(mul(axis(r), region.columns), axis(lane)) };
  const statements: Stmt[] = [{ kind: 'let', name: c.sum, value: sum }, ...c.epilogue.map((s) => rename(s, { axes, names: new Map() }))];
  const mode: Loop['mode'] = statements.some((s) => s.kind === 'check') ? 'serial' : 'vector';
  return loopsOver([{ name: r, extent: region.rows }], 'par', innermostOver({ name: lane, extent: region.columns }, mode, statements));
}
