// Reads that go down the columns of a matrix become reads of its rows: a block at a time is transposed into scratch, and read from there.
//
//   par i: I { par j: J { y[i*J + j] = f(x[j*I + i]) } }
//     =>
//   par i_block, par j_block { scratch t[64*68]
//     transpose t[0] row 68 = x[(j_block*64)*I + i_block*64] row I over (64, 64)
//     par i, par j { y[...] = f(t[i*68 + j]) } }
//
// A column of a matrix touches a cache line per element, and where rows lie a power of two apart those lines evict each other. Rows of the
// scratch are therefore a few elements longer than the block. A copy whose rows are short is transposed in place of being read.
import { bytesPerElement, type DType } from '../../runtime/dtype.ts';
import { keyOfExpr } from '../keys.ts';
import type { Expr, Kernel, Position, Stmt } from '../loop.ts';
import { add, axis, constant, mul, strideOf, substitute, zero } from '../position.ts';
import { chainOf } from './loops.ts';
import { effectsOf, freshName, type Loop, namesIn, rename, replaceIn, valuesIn } from './rewrite.ts';

/** Bytes of a row of a block: a few cache lines. Elements of one byte get no longer rows than these have elements. */
const rowBytes = 256;
const mostElements = 64;
/** Extents from which on there is anything to turn. */
const fewestColumns = 2;
const fewestRows = 4;
/** A copy of rows of at most so many elements goes straight to where it belongs. */
const shortRow = 16;

type Load = Extract<Expr, { kind: 'load' }>;
type Store = Extract<Stmt, { kind: 'store' }>;

/** A nest of independent turns, the axis along which it writes, and the one along which it should read. */
type Turned = {
  readonly outer: readonly Loop[];
  readonly write: Loop & { readonly extent: number };
  readonly read: Loop & { readonly extent: number };
  readonly body: readonly Stmt[];
  readonly loads: readonly Load[];
};

export function transposeReads(kernel: Kernel): Kernel {
  const taken = namesIn(
    kernel.body,
    kernel.params.map((p) => p.name),
  );
  return { ...kernel, body: inAll(kernel.body, taken) };
}

const inAll = (body: readonly Stmt[], taken: Set<string>): readonly Stmt[] =>
  body.flatMap((s): readonly Stmt[] => {
    if (s.kind !== 'loop') return [s];
    const turned = turnedIn(s);
    return turned === undefined ? [{ ...s, body: inAll(s.body, taken) }] : inBlocks(turned, taken);
  });

/** The nest, if it writes along its innermost axis and reads something along another. */
function turnedIn(loop: Loop): Turned | undefined {
  const chain = chainOf(loop);
  const isPlain = (l: Loop): l is Turned['write'] => l.mode === 'par' && l.step === undefined && typeof l.extent === 'number';
  const write = chain.at(-1)!;
  if (chain.length < 2 || !chain.every(isPlain) || !isPlain(write) || write.extent < fewestColumns) return undefined;
  const { body } = write;
  if (!body.every((s) => s.kind === 'let' || s.kind === 'store')) return undefined;
  if (!body.some((s) => s.kind === 'store' && strideOf(s.at, write.axis) === 1)) return undefined;
  const { writes } = effectsOf(body);
  const candidates = loadsIn(body).filter(({ buffer, at }) => {
    const stride = strideOf(at, write.axis);
    return !writes.has(buffer) && valuesIn(at).length === 0 && typeof stride === 'number' && Math.abs(stride) > 1;
  });
  const along = (l: Loop): Load[] => candidates.filter(({ at }) => strideOf(at, l.axis) === 1);
  const read = chain.slice(0, -1).find((l) => isPlain(l) && l.extent >= fewestColumns && along(l).length > 0);
  if (read === undefined || !isPlain(read) || Math.max(read.extent, write.extent) < fewestRows) return undefined;
  return { outer: chain.filter((l) => l !== read && l !== write), write, read, body, loads: along(read) };
}

/** Loads that are surely made: not those of one branch of a choice. */
function loadsIn(body: readonly Stmt[]): Load[] {
  const found = new Map<string, Load>();
  for (const s of body) {
    if (s.kind !== 'let' && s.kind !== 'store') continue;
    replaceIn(s.value, (e) => {
      if (e.kind === 'load') found.set(keyOfExpr(e), e);
      return undefined;
    });
  }
  return [...found.values()];
}

function inBlocks(turned: Turned, taken: Set<string>): readonly Stmt[] {
  const { outer, write, read } = turned;
  const width = Math.min(...turned.loads.map(({ dtype }) => blockOf(dtype)));
  const alongWrite = (inner: Blocks): Stmt[] => blocks(write, width, taken, inner);
  const alongRead = (inner: Blocks): Stmt[] => blocks(read, width, taken, inner);
  // The longer axis is the outer one, for threads to share.
  const body =
    read.extent < write.extent
      ? alongWrite((w, columns) => alongRead((r, rows) => block(turned, r, rows, w, columns, taken)))
      : alongRead((r, rows) => alongWrite((w, columns) => block(turned, r, rows, w, columns, taken)));
  return outer.reduceRight<readonly Stmt[]>((inner, l) => [{ ...l, body: inner }], body);
}

const blockOf = (dtype: DType): number => Math.min(mostElements, rowBytes / bytesPerElement[dtype]);

/** What a block is: where it starts and how long it is. */
type Blocks = (start: Position, extent: number) => Stmt[];

/** A loop over whole blocks, then what is left. */
function blocks({ axis: name, extent }: Turned['read'], size: number, taken: Set<string>, inner: Blocks): Stmt[] {
  const whole = Math.floor(extent / size);
  const rest = extent - whole * size;
  const outer = freshName(`${name}_block`, taken);
  const loop: Stmt = { kind: 'loop', axis: outer, extent: whole, mode: 'par', body: whole > 1 ? inner(mul(axis(outer), size), size) : [] };
  return [...(whole > 1 ? [loop] : whole === 1 ? inner(zero, size) : []), ...(rest > 0 ? inner(constant(whole * size), rest) : [])];
}

/** `rows` turns of the reading axis from `r` on, and `columns` of the writing one from `w` on. */
function block({ write, read, body, loads }: Turned, r: Position, rows: number, w: Position, columns: number, taken: Set<string>): Stmt[] {
  const start = (at: Position): Position =>
    substitute(
      at,
      new Map([
        [read.axis, r],
        [write.axis, w],
      ]),
    );
  const transpose = ({ buffer, at }: Load, to: string, place: Position, row: number): Stmt => ({
    kind: 'transpose',
    rows: columns,
    columns: rows,
    to: { buffer: to, at: place, row },
    from: { buffer, at: start(at), row: strideOf(at, write.axis) as number },
  });
  const [only] = body as [Store];
  if (body.length === 1 && only.value.kind === 'load' && loads.length === 1 && write.extent <= shortRow) {
    const row = strideOf(only.at, read.axis) as number;
    return [transpose(only.value, only.buffer, start(only.at), row)];
  }
  const staged: Stmt[] = [];
  const places = new Map<Load, { readonly name: string; readonly row: number }>();
  for (const load of loads) {
    // A vector longer than the block, and in whole vectors.
    const perVector = 16 / bytesPerElement[load.dtype];
    const row = (Math.ceil(columns / perVector) + 1) * perVector;
    const name = freshName(`${load.buffer}_block`, taken);
    staged.push({ kind: 'scratch', name, dtype: load.dtype, length: rows * row }, transpose(load, name, zero, row));
    places.set(load, { name, row });
  }
  const inBlock = (l: Loop, from: Position): readonly [string, Position] => [l.axis, add(from, axis(inner.get(l.axis)!))];
  const inner = new Map([read, write].map((l) => [l.axis, freshName(`${l.axis}_in`, taken)]));
  const [i, j] = [inner.get(read.axis)!, inner.get(write.axis)!];
  const renaming = { axes: new Map([inBlock(read, r), inBlock(write, w)]), names: new Map<string, string>() };
  const fromScratch = new Map<string, Expr>();
  for (const [load, { name, row }] of places) {
    const moved = rename({ kind: 'let', name: '', value: load }, renaming) as Extract<Stmt, { kind: 'let' }>;
    fromScratch.set(keyOfExpr(moved.value), { kind: 'load', dtype: load.dtype, buffer: name, at: add(mul(axis(i), row), axis(j)) });
  }
  const across = body.map((s) => {
    const moved = rename(s, renaming) as Store;
    return { ...moved, value: replaceIn(moved.value, (e) => (e.kind === 'load' ? fromScratch.get(keyOfExpr(e)) : undefined)) };
  });
  const columnsOf: Stmt = { kind: 'loop', axis: j, extent: columns, mode: 'par', body: across };
  return [...staged, { kind: 'loop', axis: i, extent: rows, mode: 'par', body: [columnsOf] }];
}
