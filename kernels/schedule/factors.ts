// What a plain contraction is made of: which parallel axes move with one factor or the other, what is summed over, and what becomes of the sum.
import { type Expr, type Extent, type ProductDType, productDTypes, type Stmt } from '../loop.ts';
import { strideOf } from '../position.ts';
import { mostOf } from '../size.ts';
import { effectsOf, type Loop, mentioned } from './rewrite.ts';

/** A loop of so many turns, at least one. */
export type Axis = { readonly name: string; readonly extent: Extent };

/** A factor: what has to be computed before it (lets and checks, in order), its value, and the axes that it moves with. */
export type Factor = { readonly before: readonly Stmt[]; readonly value: Expr; readonly axes: ReadonlySet<string> };

/** sum = the sum over `depth` of a * b, for all of `batch`, `rows` and `columns`, which then goes through the epilogue. */
export type Contraction = {
  readonly dtype: ProductDType;
  /** Axes that both factors move with, or neither. */
  readonly batch: readonly Axis[];
  /** Axes of `a` alone; the last is the one to be tiled. */
  readonly rows: readonly Axis[];
  /** Axes of `b` alone; the last is the one to be tiled, along which results lie side by side if they do along any. */
  readonly columns: readonly Axis[];
  readonly depth: readonly Axis[];
  readonly a: Factor;
  readonly b: Factor;
  readonly sum: string;
  /** Statements for each element of the result, which read `sum`. */
  readonly epilogue: readonly Stmt[];
};

type Let = Extract<Stmt, { kind: 'let' | 'check' }>;
const isLet = (s: Stmt): s is Let => s.kind === 'let' || s.kind === 'check';

/** Loops nested in one another with nothing but lets between them, the lets, and the body of the innermost. */
type Nested = { readonly loops: readonly Loop[]; readonly lets: readonly Let[]; readonly body: readonly Stmt[] };

function nestedIn(loop: Loop, mode: Loop['mode']): Nested {
  const loops = [loop];
  const lets: Let[] = [];
  let body = loop.body;
  for (;;) {
    const last = body.at(-1);
    if (last?.kind !== 'loop' || last.mode !== mode || !body.slice(0, -1).every(isLet)) return { loops, lets, body };
    lets.push(...body.slice(0, -1).filter(isLet));
    loops.push(last);
    body = last.body;
  }
}

/** The contraction that a nest of parallel loops computes; undefined if it is none, or of elements that there are no tiles for. */
export function contractionAt(nest: Loop): Contraction | undefined {
  if (nest.mode !== 'par') return undefined;
  const outer = nestedIn(nest, 'par');
  const at = outer.body.findIndex((s) => s.kind === 'loop');
  const serial = outer.body[at];
  if (serial?.kind !== 'loop' || serial.mode !== 'serial') return undefined;
  const inner = nestedIn(serial, 'serial');
  const [before, after] = [outer.body.slice(0, at), outer.body.slice(at + 1)];
  const sum = before.find((s) => s.kind === 'var');
  const added = inner.body.find((s) => s.kind === 'accumulate');
  const rest = [...before.filter((s) => s !== sum), ...inner.body.filter((s) => s !== added)];
  if (sum === undefined || added?.name !== sum.name || added.fn !== 'add' || !isZero(sum.init) || !rest.every(isLet)) return undefined;
  if (added.value.kind !== 'call' || added.value.fn !== 'mul' || !after.every((s) => isLet(s) || s.kind === 'store')) return undefined;
  const dtype = productDTypes.find((d) => d === sum.init.dtype);
  const lets = [...outer.lets, ...before.filter(isLet), ...inner.lets, ...inner.body.filter(isLet)];
  const [parallel, depth] = [axesOf(outer.loops), axesOf(inner.loops)];
  if (dtype === undefined || parallel === undefined || depth === undefined) return undefined;
  const axes = [...parallel, ...depth];
  const [x, y] = added.value.args.map((value) => factorOf(value, lets, axes));
  const factors = orient(x!, y!, parallel, after);
  if (factors === undefined || writesOperands(after, factors) || checksOf(lets) !== checksOf([...factors.a.before, ...factors.b.before]))
    return undefined;
  const outside = [...outer.lets, ...before.filter(isLet)];
  return { dtype, ...factors, depth, sum: sum.name, epilogue: [...neededBy(after, outside), ...after] };
}

function axesOf(loops: readonly Loop[]): Axis[] | undefined {
  const axes = loops.flatMap((l) => (l.step === undefined ? [{ name: l.axis, extent: l.extent }] : []));
  return axes.length === loops.length && axes.every((a) => leastOf(a.extent) > 0) ? axes : undefined;
}

/** Of a size without bounds nothing is known: it may be that of a member. */
const leastOf = (e: Extent): number => (typeof e === 'number' ? e : e.most === undefined ? 0 : (e.least ?? 0));

const isZero = (e: Expr): boolean => e.kind === 'literal' && e.bits === 0n;
const checksOf = (statements: readonly Stmt[]): number => statements.filter((s) => s.kind === 'check').length;

/** Those of the lets that the statements read, and that these read, in order. Checks are not read. */
function neededBy(statements: readonly Stmt[], lets: readonly Let[]): Let[] {
  const read = new Set(effectsOf(statements).reads);
  const needed: Let[] = [];
  for (const s of [...lets].reverse()) {
    if (s.kind !== 'let' || !read.has(s.name)) continue;
    for (const name of mentioned(s.value)) read.add(name);
    needed.push(s);
  }
  return needed.reverse();
}

/** A factor takes the checks along that read nothing but what it computes anyway: they belong to the indices that it loads from. */
function factorOf(value: Expr, lets: readonly Let[], axes: readonly Axis[]): Factor {
  const use: Stmt = { kind: 'let', name: '', value };
  const computed = new Set(neededBy([use], lets));
  const reads = effectsOf([...computed, use]).reads;
  const before = lets.filter((s) => computed.has(s) || (s.kind === 'check' && isWithin(mentioned(s.value), reads)));
  const all = effectsOf([...before, use]).reads;
  return { before, value, axes: new Set(axes.map((a) => a.name).filter((name) => all.has(name))) };
}

const isWithin = (names: ReadonlySet<string>, others: ReadonlySet<string>): boolean => [...names].every((name) => others.has(name));

/** Rows and columns, so that results lie side by side along the last of the columns where that is possible. */
function orient(
  x: Factor,
  y: Factor,
  parallel: readonly Axis[],
  after: readonly Stmt[],
): Pick<Contraction, 'a' | 'b' | 'batch' | 'rows' | 'columns'> | undefined {
  const only = (one: Factor, other: Factor): Axis[] => parallel.filter((l) => one.axes.has(l.name) && !other.axes.has(l.name));
  const [ofX, ofY] = [only(x, y), only(y, x)];
  const batch = parallel.filter((l) => !ofX.includes(l) && !ofY.includes(l));
  const store = after.find((s) => s.kind === 'store');
  if (store === undefined || ofX.length + ofY.length === 0) return undefined;
  const side = parallel.findLast((l) => strideOf(store.at, l.name) === 1);
  // Columns are packed in panels of known widths; rows may be open.
  const isOpen = (axes: readonly Axis[]): boolean => axes.some((l) => typeof l.extent !== 'number');
  const swaps = isOpen(ofX) !== isOpen(ofY) ? isOpen(ofY) : side === undefined ? ofY.length === 0 : ofX.includes(side);
  const [a, b, rows, columns] = swaps ? [y, x, ofY, ofX] : [x, y, ofX, ofY];
  return { a, b, batch, rows: withLast(rows, longest(rows)), columns: withLast(columns, acrossPanels(columns, side, b)) };
}

/** Elements that a panel needs for its axis to be worth being walked in vectors. */
const wide = 8;

/** The axis across panels of columns: along which results lie side by side, or else elements of the factor, if it is wide enough. */
function acrossPanels(columns: readonly Axis[], side: Axis | undefined, { value, before }: Factor): Axis | undefined {
  const load = loadOf(value, before);
  const sources = columns.filter((l) => load !== undefined && strideOf(load.at, l.name) === 1);
  return [...columns.filter((l) => l === side), ...sources].find((l) => mostOf(l.extent) >= wide) ?? longest(columns);
}

const longest = (axes: readonly Axis[]): Axis | undefined =>
  axes.reduce<Axis | undefined>((best, l) => (best === undefined || mostOf(l.extent) >= mostOf(best.extent) ? l : best), undefined);
const withLast = (axes: readonly Axis[], last: Axis | undefined): Axis[] => [
  ...axes.filter((l) => l !== last),
  ...(last === undefined ? [] : [last]),
];

/** Tiles finish in another order than elements do, so results must not be operands. */
function writesOperands(after: readonly Stmt[], { a, b }: Pick<Contraction, 'a' | 'b'>): boolean {
  const { writes } = effectsOf(after);
  const { reads } = effectsOf([a, b].flatMap((f): Stmt[] => [...f.before, { kind: 'let', name: '', value: f.value }]));
  return [...writes].some((name) => reads.has(name));
}

/** Where a factor that is nothing but a load lies, as strides of the axes that it is walked along; undefined if it has to be packed. */
export type Strided = { readonly load: Extract<Expr, { kind: 'load' }>; readonly k: number; readonly along: number };

export function stridedOf({ before, value }: Factor, depth: readonly Axis[], along: Axis): Strided | undefined {
  const load = loadOf(value, before);
  if (load === undefined) return undefined;
  const strides = [...depth, along].map((l) => strideOf(load.at, l.name));
  if (strides.some((s) => typeof s !== 'number')) return undefined;
  const walk = strides as number[];
  // Several summed axes are walked as one where each step of the outer one is a whole run of the inner one.
  for (let d = 0; d + 1 < depth.length; d++) {
    const { extent } = depth[d + 1]!;
    if (typeof extent !== 'number' || walk[d] !== walk[d + 1]! * extent) return undefined;
  }
  return { load, k: walk[depth.length - 1]!, along: walk[depth.length]! };
}

/** The load that an expression is, through lets that name it. */
function loadOf(value: Expr, before: readonly Stmt[]): Strided['load'] | undefined {
  if (value.kind === 'load') return before.length === 0 ? value : undefined;
  const [only] = before;
  const isName = value.kind === 'ref' && only?.kind === 'let' && before.length === 1 && only.name === value.name;
  return isName && only.value.kind === 'load' ? only.value : undefined;
}
