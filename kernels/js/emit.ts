// Prints a kernel as the body of a JavaScript function over typed arrays: the portable reference and the meaning of the loop IR.
import type { DType } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import { literalValue } from '../literal.ts';
import type { Condition, Expr, Extent, Kernel, Position, Product, ProductDType, Size, Stmt, Transpose } from '../loop.ts';
import { boundsOf, type Ranges, summandsOf } from '../position.ts';
import { scalar } from '../scalar.ts';
import { type Code, comment, conditional, element, fround, infix, invoke, number, Precedence, prefix, primary, quoted } from './code.ts';
import { type HelperName, helpers, preludeOf } from './prelude.ts';
import { bitcast, cast, noHalf, printerOf } from './scalar.ts';

/** `source` is a function body over `params`: the buffers in order, then the block of slot values, then `fail`. */
export type EmittedKernel = { readonly name: string; readonly source: string; readonly params: readonly string[] };

const arrays: Readonly<Record<Exclude<DType, 'f16'>, string>> = {
  f32: 'Float32Array',
  f64: 'Float64Array',
  i32: 'Int32Array',
  i64: 'BigInt64Array',
  u8: 'Uint8Array',
  bool: 'Uint8Array',
};

/** What printing one kernel gathers on its way. */
type Emission = {
  readonly kernel: Kernel;
  readonly names: Map<string, string>;
  readonly taken: Set<string>;
  readonly dtypes: Map<string, DType>;
  readonly ranges: Map<string, Extent>;
  readonly helpers: Set<HelperName>;
  readonly slots: Set<number>;
  /** Sizes that are read, by their texts: each is made once per launch, after those that it is computed from. */
  readonly sizes: Map<string, { readonly name: string; readonly code: string }>;
  readonly scratch: string[];
  readonly lines: string[];
  depth: number;
};

export function emit(kernel: Kernel): EmittedKernel {
  const e: Emission = {
    kernel,
    names: new Map(),
    taken: new Set([...reserved, ...Object.keys(helpers)]),
    dtypes: new Map(),
    ranges: new Map(),
    helpers: new Set(),
    slots: new Set(),
    sizes: new Map(),
    scratch: [],
    lines: [],
    depth: 0,
  };
  const params = kernel.params.map((p) => {
    e.dtypes.set(p.name, p.dtype);
    return declare(e, p.name);
  });
  statements(e, kernel.body);
  const slots = [...e.slots].sort((a, b) => a - b).map((i) => `const slot${i} = ${slotCode(e, i).text};`);
  const sizes = [...e.sizes.values()].map(({ name, code }) => `const ${name} = ${code};`);
  const lines = [...kernel.comment.map(comment), ...preludeOf(e.helpers), ...slots, ...sizes, ...e.scratch, ...e.lines];
  return { name: identifierOf(kernel.name), source: `${lines.join('\n')}\n`, params: [...params, 'slots', 'fail'] };
}

// ---- names

const reserved = (
  'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements ' +
  'import in instanceof interface let new null package private protected public return static super switch this throw true try typeof undefined var void ' +
  'while with yield async of get set slots fail Math Number BigInt Object Array DataView ArrayBuffer Infinity NaN'
)
  .split(' ')
  .concat(Object.values(arrays));

/** A name of the nest as an identifier: whatever it holds, it cannot become code. */
const identifierOf = (name: string): string => name.replace(/[^A-Za-z0-9_$]/g, '_').replace(/^(?=\d|$)/, '_');

/** The identifier of a name that comes into scope: free of keywords, of slots, and of what other names have taken. */
function declare(e: Emission, name: string, base = identifierOf(name)): string {
  const known = e.names.get(name);
  if (known !== undefined) return known;
  let id = base;
  for (let n = 2; e.taken.has(id) || /^slot\d+$/.test(id); n++) id = `${base}_${n}`;
  e.taken.add(id);
  e.names.set(name, id);
  return id;
}

function nameOf(e: Emission, name: string): string {
  const id = e.names.get(name);
  if (id === undefined) throw new InternalError(`${name} is not in scope`, { op: 'emit', fix: `kernel ${e.kernel.name}` });
  return id;
}

// ---- statements

function line(e: Emission, text: string): void {
  e.lines.push('  '.repeat(e.depth) + text);
}

function block(e: Emission, head: string, body: readonly Stmt[]): void {
  line(e, `${head} {`);
  e.depth++;
  statements(e, body);
  e.depth--;
}

function statements(e: Emission, body: readonly Stmt[]): void {
  for (const s of body) statement(e, s);
}

function statement(e: Emission, s: Stmt): void {
  switch (s.kind) {
    case 'loop': {
      const id = declare(e, s.axis);
      const outer = e.ranges.get(s.axis);
      e.ranges.set(s.axis, s.extent);
      loop(e, s, id);
      if (outer === undefined) e.ranges.delete(s.axis);
      else e.ranges.set(s.axis, outer);
      return;
    }
    case 'let':
      e.dtypes.set(s.name, s.value.dtype);
      line(e, `const ${declare(e, s.name)} = ${value(e, s.value).text};`);
      return;
    case 'var':
      e.dtypes.set(s.name, s.init.dtype);
      line(e, `let ${declare(e, s.name)} = ${value(e, s.init).text};`);
      return;
    case 'assign':
      line(e, `${nameOf(e, s.name)} = ${value(e, s.value).text};`);
      return;
    case 'accumulate':
      combine(e, primary(nameOf(e, s.name)), s.fn, s.value);
      return;
    case 'scratch':
      scratch(e, s);
      return;
    case 'store': {
      const stored = value(e, s.value);
      const exact = e.dtypes.get(s.buffer) === 'f32' ? (stored.exact ?? stored) : stored;
      line(e, `${target(e, s.buffer, s.at).text} = ${exact.text};`);
      return;
    }
    case 'update':
      combine(e, target(e, s.buffer, s.at), s.fn, s.value, e.dtypes.get(s.buffer) === 'f32');
      return;
    case 'if':
      block(e, `if (${condition(e, s.test).text})`, s.then);
      if (s.else.length > 0) block(e, '} else', s.else);
      line(e, '}');
      return;
    case 'check':
      e.helpers.add('check');
      line(e, `check(${quoted(s.op)}, ${index(e, s.value).text}, ${extent(e, s.below).text});`);
      return;
    case 'members':
      members(e, s);
      return;
    case 'library':
      e.helpers.add(s.routine);
      line(
        e,
        `${s.routine}(${[...s.buffers.map((b) => nameOf(e, b)), ...s.extents.map((x) => extent(e, x).text), ...s.flags.map(String)].join(', ')});`,
      );
      return;
    case 'product':
      product(e, s);
      return;
    case 'transpose':
      transpose(e, s);
      return;
    default:
      s satisfies never;
  }
}

/** A loop of a single turn, as tails of tiles are, is a block. */
function loop(e: Emission, s: Extract<Stmt, { kind: 'loop' }>, id: string): void {
  const size = s.extent;
  const step = s.step ?? 1;
  if (typeof size === 'number' && size > 0 && size <= step) {
    line(e, '{');
    e.depth++;
    line(e, `const ${id} = 0;`);
    statements(e, s.body);
    e.depth--;
  } else {
    block(e, `for (let ${id} = 0; ${id} < ${extent(e, size).text}; ${step === 1 ? `${id}++` : `${id} += ${step}`})`, s.body);
  }
  line(e, '}');
}

/** One loop over the table, whose rows bind buffers and sizes. */
function members(e: Emission, s: Extract<Stmt, { kind: 'members' }>): void {
  for (const b of s.buffers) e.dtypes.set(b.name, b.dtype);
  const head = [...s.buffers.map((b) => declare(e, b.name)), ...s.sizes.map((n) => declare(e, `#${n}`, identifierOf(n)))];
  line(e, `for (const [${head.join(', ')}] of [`);
  e.depth++;
  for (const row of s.rows) line(e, `[${[...row.buffers.map((b) => nameOf(e, b)), ...row.sizes.map(String)].join(', ')}],`);
  e.depth--;
  block(e, '])', s.body);
  line(e, '}');
}

const products = { f32: 'productF32', f64: 'productF64', i32: 'productI32' } as const satisfies Record<ProductDType, HelperName>;

/** A call of the routine that means the statement. */
function product(e: Emission, { rows, columns, depth, a, b, c, from }: Product): void {
  const routine = products[e.dtypes.get(c.buffer) as ProductDType];
  e.helpers.add(routine);
  const place = (p: Product['a' | 'b' | 'c']): string => `${nameOf(e, p.buffer)}, ${position(e, p.at).text}`;
  const operands = `${place(a)}, ${a.k}, ${a.row}, ${place(b)}, ${b.k}, ${place(c)}, ${c.row}, ${from === 'c'}`;
  line(e, `${routine}(${rows}, ${columns}, ${extent(e, depth).text}, ${operands});`);
}

function transpose(e: Emission, { rows, columns, to, from }: Transpose): void {
  e.helpers.add('transposeBlock');
  const place = ({ buffer, at, row }: Transpose['to']): string => `${nameOf(e, buffer)}, ${position(e, at).text}, ${row}`;
  line(e, `transposeBlock(${rows}, ${columns}, ${place(to)}, ${place(from)});`);
}

/** `place = fn(place, value)`, as a compound assignment where that is the same. */
function combine(e: Emission, place: Code, fn: Extract<Stmt, { kind: 'accumulate' }>['fn'], operand: Expr, rounds = false): void {
  const symbol = ({ add: '+', sub: '-', mul: '*' } as Readonly<Record<string, string>>)[fn];
  if (symbol !== undefined && (operand.dtype === 'f64' || rounds)) {
    line(e, `${place.text} ${symbol}= ${value(e, operand).text};`);
    return;
  }
  const rule = scalar[fn].dtype;
  const args = rule === 'logical' ? [place, condition(e, operand)] : [place, value(e, operand)];
  const combined = printerOf(fn, operand.dtype)(args, (name) => e.helpers.add(name));
  const result = rule === 'logical' || rule === 'compare' ? asNumber(combined) : combined;
  line(e, `${place.text} = ${(rounds ? (result.exact ?? result) : result).text};`);
}

/** Scratch is allocated once per launch, wherever it stands, and filled where it stands. */
function scratch(e: Emission, s: Extract<Stmt, { kind: 'scratch' }>): void {
  if (s.dtype === 'f16') throw noHalf();
  const allocation = ` = new ${arrays[s.dtype]}(${extent(e, s.length).text});`;
  const known = e.names.get(s.name);
  if (known === undefined || !e.scratch.includes(`const ${known}${allocation}`)) {
    e.names.delete(s.name); // A sibling scope may have had other scratch, or a scalar, of this name.
    e.scratch.push(`const ${declare(e, s.name)}${allocation}`);
  }
  e.dtypes.set(s.name, s.dtype);
  if (s.init !== undefined) line(e, `${nameOf(e, s.name)}.fill(${value(e, s.init).text});`);
}

function extent(e: Emission, size: Extent): Code {
  return typeof size === 'number' ? number(size) : primary(sizeName(e, size));
}

/** The name of a member's size, or of one that the launch binds or that is computed from such. */
function sizeName(e: Emission, { size, of }: Size): string {
  const known = e.sizes.get(size)?.name ?? e.names.get(`#${size}`);
  if (known !== undefined) return known;
  const code = of === undefined ? boundSize(e, size) : position(e, of).text;
  // Sizes have names of their own: an axis may be called like one.
  const name = declare(e, `#${size}`, identifierOf(of === undefined ? size : `size${e.sizes.size + 1}`));
  e.sizes.set(size, { name, code });
  return name;
}

function boundSize(e: Emission, size: string): string {
  const index = (e.kernel.sizes ?? []).findIndex((s) => s.size === size);
  if (index < 0) throw new InternalError(`size ${size} is not bound`, { op: 'emit', fix: `kernel ${e.kernel.name}` });
  return `slots[${e.kernel.slots.length + index}]`;
}

// ---- expressions

const asNumber = (boolean: Code): Code => conditional(boolean, number(1), number(0));

/** An expression as a JavaScript value: a number, for i64 a BigInt, for bool 0 or 1. */
function value(e: Emission, x: Expr): Code {
  if (x.dtype === 'f16') throw noHalf();
  const need = (name: HelperName): void => void e.helpers.add(name);
  switch (x.kind) {
    case 'literal': {
      const v = literalValue(x);
      return typeof v === 'bigint' ? { text: `${v}n`, precedence: v < 0n ? Precedence.unary : Precedence.primary } : number(v);
    }
    case 'ref':
      return primary(nameOf(e, x.name));
    case 'slot':
      e.slots.add(x.index);
      return primary(`slot${x.index}`);
    case 'load':
      return target(e, x.buffer, x.at);
    case 'position':
      return positionAs(e, x.at, x.dtype);
    case 'call': {
      const rule = scalar[x.fn].dtype;
      if (rule === 'compare' || rule === 'logical') return asNumber(condition(e, x));
      const [first, ...rest] = x.args;
      const args = rule === 'select' ? [condition(e, first!), ...rest.map((a) => value(e, a))] : x.args.map((a) => value(e, a));
      return printerOf(x.fn, x.dtype)(args, need);
    }
    case 'cast':
      if (x.dtype === 'bool' && x.value.dtype !== 'bool') return asNumber(condition(e, x));
      return cast(value(e, x.value), x.value.dtype, x.dtype, need);
    case 'bitcast':
      return bitcast(value(e, x.value), x.value.dtype, x.dtype, need);
    case 'choose':
      return conditional(inBounds(e, x.when), value(e, x.then), value(e, x.else));
    default:
      return x satisfies never;
  }
}

/** A bool expression as something to branch on. */
function condition(e: Emission, x: Expr): Code {
  const need = (name: HelperName): void => void e.helpers.add(name);
  if (x.kind === 'call') {
    const rule = scalar[x.fn].dtype;
    if (rule === 'logical') {
      return printerOf(x.fn, 'bool')(
        x.args.map((a) => condition(e, a)),
        need,
      );
    }
    if (rule === 'compare') {
      return printerOf(x.fn, x.args[0]!.dtype)(
        x.args.map((a) => value(e, a)),
        need,
      );
    }
  }
  if (x.kind === 'cast' && x.value.dtype !== 'bool') return cast(value(e, x.value), x.value.dtype, 'bool', need);
  return value(e, x);
}

/** The bounds that the axes in scope do not already promise. */
function inBounds(e: Emission, bounds: Condition): Code {
  let all: Code | undefined;
  const both = (test: Code): void => {
    all = all === undefined ? test : infix(all, '&&', test);
  };
  for (const { at, below } of bounds) {
    const { low, high } = boundsOf(at, e.ranges);
    if (low < 0) both(infix(position(e, at), '>=', number(0)));
    if (typeof below !== 'number' || high >= below) both(infix(position(e, at), '<', extent(e, below)));
  }
  return all ?? primary('true');
}

const target = (e: Emission, buffer: string, at: Position): Code => element(nameOf(e, buffer), position(e, at));

/** An integer expression as a plain number. */
const index = (e: Emission, x: Expr): Code => (x.dtype === 'i64' ? invoke('Number', value(e, x)) : value(e, x));

function positionAs(e: Emission, at: Position, dtype: DType): Code {
  const code = position(e, at);
  const { low, high } = boundsOf(at, e.ranges);
  const fits = (limit: number): boolean => low >= -limit && high < limit;
  switch (dtype) {
    case 'i64':
      return invoke('BigInt', code);
    case 'f32':
      return fits(2 ** 24) ? code : fround(code);
    case 'i32':
      return fits(2 ** 31) ? code : infix(code, '|', number(0));
    case 'u8':
      return low >= 0 && high < 256 ? code : infix(code, '&', number(255));
    case 'bool':
      return asNumber(infix(code, '!==', number(0)));
    case 'f64':
      return code;
    case 'f16':
      throw noHalf();
    default:
      return dtype satisfies never;
  }
}

function position(e: Emission, p: Position): Code {
  switch (p.kind) {
    case 'const':
      return extent(e, p.value);
    case 'axis':
      return primary(nameOf(e, p.axis));
    case 'add':
      return sumOf(e, p);
    case 'mul':
      return p.by === -1 ? prefix('-', position(e, p.a)) : infix(position(e, p.a), '*', extent(e, p.by));
    case 'div':
      return quotient(e, p);
    case 'mod':
      return remainder(e, p);
    case 'value':
      return index(e, p.value);
    default:
      return p satisfies never;
  }
}

function sumOf(e: Emission, p: Position): Code {
  let sum: Code | undefined;
  for (const { isNegative, term } of summandsOf(p)) {
    const code = position(e, term);
    if (sum !== undefined) sum = infix(sum, isNegative ? '-' : '+', code);
    else sum = isNegative ? prefix('-', code) : code;
  }
  return sum!;
}

/** `| 0` lets engines divide integers; it is right only where the position is known to be a small natural number. */
const isSmallNatural = (at: Position, ranges: Ranges): boolean => {
  const { low, high } = boundsOf(at, ranges);
  return low >= 0 && high < 2 ** 31;
};

function quotient(e: Emission, p: Extract<Position, { kind: 'div' }>): Code {
  const exact = infix(position(e, p.a), '/', extent(e, p.by));
  return isSmallNatural(p.a, e.ranges) ? infix(exact, '|', number(0)) : invoke('Math.floor', exact);
}

function remainder(e: Emission, p: Extract<Position, { kind: 'mod' }>): Code {
  const by = extent(e, p.by);
  const rest = infix(position(e, p.a), '%', by);
  return boundsOf(p.a, e.ranges).low >= 0 ? rest : infix(infix(rest, '+', by), '%', by);
}

/** Slots arrive as float64; each is converted once per launch. */
function slotCode(e: Emission, i: number): Code {
  const dtype = e.kernel.slots[i];
  if (dtype === undefined) throw new InternalError(`slot ${i} is not declared`, { op: 'emit', fix: `kernel ${e.kernel.name}` });
  const raw = primary(`slots[${i}]`);
  const converted = cast(raw, 'f64', dtype, (name) => e.helpers.add(name));
  return dtype === 'bool' ? asNumber(converted) : converted;
}
