// Contractions for targets with micro-kernels: blocks that fit the caches, panels packed where that pays, tiles of registers, epilogues.
//
// The order of each sum is one chain along k whatever tile, blocks or threads: bits do not depend on them. Sizes below were measured on V8
// 11 and 13 (Zen 5); within a factor of two of them little changes.
import { bytesPerElement } from '../../runtime/dtype.ts';
import { literal } from '../literal.ts';
import type { Expr, Kernel, Position, Product, Spread, Stmt } from '../loop.ts';
import { add, axis, constant, linearize, mul, strideOf, substitute, zero } from '../position.ts';
import {
  cutEvenly,
  cutInto,
  inBlocks,
  innermostOver,
  inStretches,
  isOneStretch,
  loopOver,
  loopsOver,
  type Stretch,
  sizeOf,
} from './blocks.ts';
import { type Axis, type Contraction, contractionAt, type Strided, stridedOf } from './factors.ts';
import { packPanel } from './pack.ts';
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
  /** Bytes of packed rows, which are walked once for each panel of columns. */
  readonly packedBytes: number;
  /** A second factor of fewer bytes than this, or for fewer rows, is read where it lies: packing it would cost more than it saves. */
  readonly smallBytes: number;
  readonly fewRows: number;
  /** Rows of sums that wait for their epilogue. */
  readonly waiting: number;
};
/** A panel of eight columns takes 25 KB of the first cache; packed rows come from the second or third. */
const measured: Limits = { steps: 784, packedBytes: 2 << 20, smallBytes: 256 << 10, fewRows: 32, waiting: 512 };

/** Every contraction of the kernel in blocks of products. What is none stays as it is. */
export function scheduleProducts(kernel: Kernel, options: ProductOptions): Kernel {
  const params = kernel.params.map((p) => p.name);
  const taken = namesIn(kernel.body, params);
  const visit = (body: readonly Stmt[], threads: number): Stmt[] =>
    body.flatMap((s): readonly Stmt[] => {
      if (s.kind !== 'loop') return [s];
      const found = contractionAt(s);
      if (found !== undefined) return scheduleContraction(found, { ...options, threads }, taken) ?? [s];
      return [{ ...s, body: visit(s.body, s.mode === 'par' ? 1 : threads) }];
    });
  return { ...kernel, body: visit(kernel.body, options.threads) };
}

function scheduleContraction(c: Contraction, options: ProductOptions, taken: Set<string>): readonly Stmt[] | undefined {
  const skinny = scheduleSkinny(c, taken);
  if (skinny !== undefined) return skinny;
  return c.rows.length === 0 ? undefined : blocked(planOf(c, options, taken));
}

type Plan = {
  readonly c: Contraction;
  readonly row: Axis;
  readonly column: Axis;
  readonly tile: Tile;
  /** Where the factors lie, if they are read there. */
  readonly a: Strided | undefined;
  readonly b: Strided | undefined;
  /** Where sums can be kept until they are complete, if that is where they end up. */
  readonly result: Extract<Stmt, { kind: 'store' }> | undefined;
  readonly isOneStretch: boolean;
  readonly limits: Limits;
  /** Parts of the columns with a packing of `a` each. */
  readonly parts: number;
  readonly taken: Set<string>;
};

function planOf(c: Contraction, { tile, threads, limits = measured }: ProductOptions, taken: Set<string>): Plan {
  const [row, column] = [c.rows.at(-1)!, c.columns.at(-1) ?? { name: freshName('j', taken), extent: 1 }];
  const [a, b] = [stridedOf(c.a, c.depth, row), stridedOf(c.b, c.depth, column)];
  const bytes = sizeOf(c.depth) * sizeOf(c.columns) * bytesPerElement[c.dtype];
  const isSmall = bytes <= limits.smallBytes || sizeOf(c.rows) <= limits.fewRows;
  const inPlace = { a: isSmall ? a : undefined, b: isSmall && b?.along === 1 ? b : undefined };
  const own = tileFor(c.dtype, tile, inPlace.a);
  const panels = Math.ceil(column.extent / own.columns);
  const isSplit = inPlace.a === undefined && sizeOf(c.batch) < threads && panels >= 2 * threads;
  return {
    c,
    row,
    column,
    tile: own,
    ...inPlace,
    result: plainResult(c, row, column),
    isOneStretch: isOneStretch(c.depth, limits.steps),
    limits,
    parts: isSplit ? threads : 1,
    taken,
  };
}

/** Of 64-bit elements half as many columns fit; rows that do not lie side by side are loaded one by one, which takes more registers. */
function tileFor(dtype: Contraction['dtype'], tile: Tile, a: Strided | undefined): Tile {
  const columns = dtype === 'f64' ? tile.columns / 2 : tile.columns;
  const shuffles = tile.spread === 'shuffle' && dtype === 'f32' && (a === undefined || a.along === 1);
  return shuffles || tile.spread === 'load' ? { ...tile, columns } : { rows: 4, columns, spread: 'load' };
}

/** The store, if the epilogue is nothing else: of the sum as it is, to elements that lie side by side. */
function plainResult({ epilogue, sum, dtype }: Contraction, row: Axis, column: Axis): Plan['result'] {
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
      rowBlocks(plan, (rows) => columnPanels(plan, rows)),
    );
  const part: Axis = { name: freshName('part', taken), extent: parts };
  return [
    loopOver(
      part,
      'par',
      loopsOver(
        outer,
        'par',
        rowBlocks(plan, (rows) => panelsOfPart(plan, rows, part)),
      ),
    ),
  ];
}

/** Rows of `a` that are packed together, or wait together: where they start, how many, and the buffer that holds them if packed. */
type Rows = { readonly start: Position; readonly extent: number; readonly packed: string | undefined };

function rowBlocks(plan: Plan, body: (rows: Rows) => readonly Stmt[]): Stmt[] {
  const { c, row, tile, a, result, limits, taken } = plan;
  const depth = sizeOf(c.depth);
  const fitting = a === undefined ? Math.floor(limits.packedBytes / (depth * bytesPerElement[c.dtype])) : row.extent;
  const most = result === undefined ? Math.min(fitting, limits.waiting) : fitting;
  return inBlocks(cutEvenly(row.extent, most, tile.rows), `${row.name}_block`, 'par', taken, (start, extent) => {
    if (a !== undefined) return body({ start, extent, packed: undefined });
    const packed = freshName('rows', taken);
    return [
      { kind: 'scratch', name: packed, dtype: c.dtype, length: extent * depth },
      ...inBlocks(cutInto(extent, tile.rows), `${row.name}_panel`, 'par', taken, (panel, width) =>
        packPanel(
          c.a,
          { buffer: packed, at: mul(panel, depth), across: row, start: add(start, panel), width },
          { axes: c.depth, starts: new Map() },
          taken,
        ),
      ),
      ...body({ start, extent, packed }),
    ];
  });
}

/** All panels of columns. */
function columnPanels(plan: Plan, rows: Rows): readonly Stmt[] {
  const { c, column, tile, taken } = plan;
  const panels = inBlocks(cutInto(column.extent, tile.columns), `${column.name}_panel`, 'par', taken, (start, width) =>
    columnPanel(plan, rows, start, width),
  );
  return loopsOver(c.columns.slice(0, -1), 'par', panels);
}

/** The panels of one part; the last part may have fewer whole ones, and has the rest. */
function panelsOfPart(plan: Plan, rows: Rows, part: Axis): readonly Stmt[] {
  const { c, column, tile, parts, taken } = plan;
  const { count, rest } = cutInto(column.extent, tile.columns);
  const each = Math.ceil((count + (rest > 0 ? 1 : 0)) / parts);
  const panel: Axis = { name: freshName(`${column.name}_panel`, taken), extent: each };
  const index = add(mul(axis(part.name), each), axis(panel.name));
  const whole = columnPanel(plan, rows, mul(index, tile.columns), tile.columns);
  const body = each * parts === count ? whole : [when('lt', index, count, whole)];
  const last = rest === 0 ? [] : [when('eq', axis(part.name), parts - 1, columnPanel(plan, rows, constant(count * tile.columns), rest))];
  return loopsOver(c.columns.slice(0, -1), 'par', [loopOver(panel, 'par', body), ...last]);
}

const when = (fn: 'lt' | 'eq', at: Position, bound: number, then: readonly Stmt[]): Stmt => ({
  kind: 'if',
  test: { kind: 'call', dtype: 'bool', fn, args: [{ kind: 'position', dtype: 'i32', at }, literal(bound, 'i32')] },
  then,
  else: [],
});

/** A block of rows by a panel of columns: products, stretch of k by stretch of k, then the epilogue. */
function columnPanel(plan: Plan, rows: Rows, start: Position, width: number): readonly Stmt[] {
  const { c, row, column, result, taken } = plan;
  const waiting = result === undefined ? freshName('sums', taken) : undefined;
  const from = plan.isOneStretch ? 'zero' : 'c';
  const sums = (r: Position): Product['c'] =>
    waiting === undefined
      ? {
          buffer: result!.buffer,
          at: moved(result!.at, row, add(rows.start, r), column, start),
          row: strideOf(result!.at, row.name) as number,
        }
      : { buffer: waiting, at: mul(r, width), row: width };
  return [
    ...(waiting === undefined ? [] : [{ kind: 'scratch', name: waiting, dtype: c.dtype, length: rows.extent * width } satisfies Stmt]),
    ...(from === 'zero' ? [] : cleared(plan, rows.extent, width, sums)),
    ...inStretches(c.depth, plan.limits.steps, taken, (stretch) => products(plan, rows, { start, width }, stretch, sums, from)),
    ...(waiting === undefined ? [] : epilogue(plan, rows, { start, width }, waiting)),
  ];
}

type Columns = { readonly start: Position; readonly width: number };

/** Zeros where sums begin. */
function cleared({ c, taken }: Plan, extent: number, width: number, sums: (r: Position) => Product['c']): readonly Stmt[] {
  const [r, lane] = [freshName('r', taken), freshName('lane', taken)];
  const { buffer, at } = sums(axis(r));
  const clear: Stmt = { kind: 'store', buffer, at: add(at, axis(lane)), value: literal(0, c.dtype) };
  return loopsOver([{ name: r, extent }], 'par', [loopOver({ name: lane, extent: width }, 'vector', [clear])]);
}

/** One panel of columns by all rows of the block, along one stretch of k. */
function products(
  plan: Plan,
  rows: Rows,
  columns: Columns,
  stretch: Stretch,
  sums: (r: Position) => Product['c'],
  from: Product['from'],
): readonly Stmt[] {
  const { c, row, column, tile, taken } = plan;
  const steps = sizeOf(stretch.axes);
  const packed = plan.b === undefined ? freshName('columns', taken) : undefined;
  const b: Product['b'] =
    packed === undefined
      ? { buffer: plan.b!.load.buffer, at: beginning(plan.b!, column, columns.start, stretch), k: plan.b!.k }
      : { buffer: packed, at: zero, k: columns.width };
  const packing: readonly Stmt[] =
    packed === undefined
      ? []
      : [
          { kind: 'scratch', name: packed, dtype: c.dtype, length: steps * columns.width },
          ...packPanel(c.b, { buffer: packed, at: zero, across: column, ...columns }, stretch, taken),
        ];
  const tiles = inBlocks(cutInto(rows.extent, tile.rows), `${row.name}_panel`, 'par', taken, (start, count) => [
    {
      kind: 'product',
      rows: count,
      columns: columns.width,
      depth: steps,
      a: rowsOf(plan, rows, start, count, stretch),
      b,
      c: sums(start),
      from,
    },
  ]);
  return [...packing, ...tiles];
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

const moved = (at: Position, row: Axis, r: Position, column: Axis, j: Position): Position =>
  substitute(
    at,
    new Map([
      [row.name, r],
      [column.name, j],
    ]),
  );

/** What becomes of sums that are complete. */
function epilogue({ c, row, column, taken }: Plan, rows: Rows, { start, width }: Columns, sums: string): readonly Stmt[] {
  const [r, lane] = [freshName('r', taken), freshName('lane', taken)];
  const axes = new Map([
    [row.name, add(rows.start, axis(r))],
    [column.name, add(start, axis(lane))],
  ]);
  const sum: Expr = { kind: 'load', dtype: c.dtype, buffer: sums, at: add(mul(axis(r), width), axis(lane)) };
  const statements: Stmt[] = [{ kind: 'let', name: c.sum, value: sum }, ...c.epilogue.map((s) => rename(s, { axes, names: new Map() }))];
  const mode: Loop['mode'] = statements.some((s) => s.kind === 'check') ? 'serial' : 'vector';
  return loopsOver([{ name: r, extent: rows.extent }], 'par', innermostOver({ name: lane, extent: width }, mode, statements));
}
