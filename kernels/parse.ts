// Reads the text form of kernels back: a recursive-descent parser whose errors name line and column.
import { type DType, dtypes } from '../runtime/dtype.ts';
import { parseLiteral } from './literal.ts';
import type { Condition, Expr, Extent, Kernel, Member, Param, Position, Size, Stmt } from './loop.ts';
import { add, axis, constant, div, mod, mul, sizeOf, valuePosition } from './position.ts';
import { infixes } from './print.ts';
import {
  accept,
  acceptWord,
  dtypeName,
  failAt,
  identifier,
  integer,
  isSymbol,
  list,
  type Parser,
  peek,
  quotedText,
  symbol,
  take,
  word,
} from './reader.ts';
import { isRoutine, routines } from './routines.ts';
import { type ScalarName, scalar, scalarNames } from './scalar.ts';
import { type Token, tokenize } from './tokens.ts';

export function parseKernel(text: string): Kernel {
  const p: Parser = { text, tokens: tokenize(text), next: 0, slots: [], sizes: new Map(), scopes: [new Map()] };
  word(p, 'kernel');
  symbol(p, '@');
  const name = identifier(p);
  const sizes = acceptWord(p, 'sizes') ? list(p, '(', ')', boundedSize) : [];
  const params = list(p, '(', ')', param);
  const slots = acceptWord(p, 'slots') ? list(p, '(', ')', dtypeName) : [];
  const parser: Parser = { ...p, slots };
  for (const x of params) declare(parser, x.name, x.dtype);
  symbol(parser, '{');
  const comment: string[] = [];
  while (acceptWord(parser, 'comment')) comment.push(quotedText(parser));
  const body = statements(parser);
  if (peek(parser).text !== '') throw failAt(parser, peek(parser), 'one kernel only');
  return { name, params, slots, ...(sizes.length === 0 ? {} : { sizes }), comment, body };
}

function extent(p: Parser): Extent {
  if (!accept(p, '#')) return integer(p);
  if (!accept(p, '(')) return size(p);
  const of = position(p);
  symbol(p, ')');
  return sizeOf(of);
}

function size(p: Parser): Size {
  const name = identifier(p);
  return p.sizes.get(name) ?? { size: name };
}

/** `#n: 2 to 128` */
function boundedSize(p: Parser): NonNullable<Kernel['sizes']>[number] {
  symbol(p, '#');
  const name = identifier(p);
  symbol(p, ':');
  const least = integer(p);
  word(p, 'to');
  const bounded = { size: name, least, most: integer(p) };
  p.sizes.set(name, bounded);
  return bounded;
}

function param(p: Parser): Param {
  const name = identifier(p);
  symbol(p, ':');
  const use = access(p);
  const dtype = dtypeName(p);
  symbol(p, '[');
  const length = extent(p);
  symbol(p, ']');
  return { name, dtype, access: use, length };
}

function access(p: Parser): Param['access'] {
  const t = take(p, 'name', 'read, write or update');
  const found = (['read', 'write', 'update'] as const).find((a) => a === t.text);
  if (found === undefined) throw failAt(p, t, 'read, write or update');
  return found;
}

// ---- statements

function declare(p: Parser, name: string, dtype: DType | 'axis'): void {
  p.scopes.at(-1)!.set(name, dtype);
}

function lookup(p: Parser, name: string): DType | 'axis' | undefined {
  for (let i = p.scopes.length - 1; i >= 0; i--) {
    const found = p.scopes[i]!.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function dtypeOf(p: Parser, t: Token): DType {
  const found = lookup(p, t.text);
  if (found === undefined || found === 'axis') throw failAt(p, t, 'a name in scope');
  return found;
}

/** Statements up to the closing brace, in a scope of their own. */
function statements(p: Parser): Stmt[] {
  const body: Stmt[] = [];
  while (!accept(p, '}')) body.push(statement(p));
  return body;
}

function scoped(p: Parser, axisName?: string): Stmt[] {
  symbol(p, '{');
  p.scopes.push(new Map(axisName === undefined ? [] : [[axisName, 'axis']]));
  const body = statements(p);
  p.scopes.pop();
  return body;
}

const modes = ['par', 'serial', 'vector', 'unroll'] as const;

function statement(p: Parser): Stmt {
  const t = take(p, 'name', 'a statement');
  const mode = modes.find((m) => m === t.text);
  if (mode !== undefined) return loop(p, mode);
  switch (t.text) {
    case 'let': {
      const name = identifier(p);
      symbol(p, '=');
      const value = expression(p);
      declare(p, name, value.dtype);
      return { kind: 'let', name, value };
    }
    case 'var': {
      const name = identifier(p);
      symbol(p, '=');
      const init = expression(p);
      declare(p, name, init.dtype);
      return { kind: 'var', name, init };
    }
    case 'scratch': {
      const name = identifier(p);
      symbol(p, ':');
      const dtype = dtypeName(p);
      symbol(p, '[');
      const length = extent(p);
      symbol(p, ']');
      const init = accept(p, '=') ? expression(p) : undefined;
      declare(p, name, dtype);
      return { kind: 'scratch', name, dtype, length, ...(init === undefined ? {} : { init }) };
    }
    case 'if': {
      const test = expression(p);
      const then = scoped(p);
      const otherwise = acceptWord(p, 'else') ? scoped(p) : [];
      return { kind: 'if', test, then, else: otherwise };
    }
    case 'check': {
      const value = expression(p);
      word(p, 'below');
      const below = extent(p);
      word(p, 'for');
      return { kind: 'check', value, below, op: quotedText(p) };
    }
    case 'members':
      return members(p);
    case 'library': {
      const t = peek(p);
      const name = identifier(p);
      if (!isRoutine(name)) throw failAt(p, t, `one of ${Object.keys(routines).join(', ')}`);
      const buffers = list(p, '(', ')', identifier);
      word(p, 'extents');
      const extents = list(p, '(', ')', extent);
      word(p, 'flags');
      return { kind: 'library', routine: name, buffers, extents, flags: list(p, '(', ')', integer) };
    }
    case 'product':
      return product(p);
    case 'transpose':
      return transpose(p);
    default:
      return assignment(p, t);
  }
}

/** `product y[i*1280] row 256 = a[i*3920] k 5 row 1 load * b[0] k 8 over (5, 8, 784)`, with `+=` if it adds to what is there. */
function product(p: Parser): Stmt {
  const c = { ...place(p), row: stride(p, 'row') };
  const t = peek(p);
  const from = accept(p, '=') ? 'zero' : combiner(p) === 'add' ? 'c' : undefined;
  if (from === undefined) throw failAt(p, t, '= or +=');
  const left = { ...place(p), k: stride(p, 'k'), row: stride(p, 'row') };
  const s = take(p, 'name', 'load or shuffle');
  const spread = (['load', 'shuffle'] as const).find((name) => name === s.text);
  if (spread === undefined) throw failAt(p, s, 'load or shuffle');
  symbol(p, '*');
  const b = { ...place(p), k: stride(p, 'k') };
  const [rows, columns, depth] = over(p, ['rows', 'columns', 'depth'], extent) as [number, number, Extent];
  return { kind: 'product', rows, columns, depth, a: { ...left, spread }, b, c, from };
}

/** `transpose t[0] row 68 = x[i*64] row 512 over (64, 64)` */
function transpose(p: Parser): Stmt {
  const to = { ...place(p), row: stride(p, 'row') };
  symbol(p, '=');
  const from = { ...place(p), row: stride(p, 'row') };
  const [rows, columns] = over(p, ['rows', 'columns'], integer) as [number, number];
  return { kind: 'transpose', rows, columns, to, from };
}

function place(p: Parser): { readonly buffer: string; readonly at: Position } {
  const t = peek(p);
  const buffer = identifier(p);
  dtypeOf(p, t);
  symbol(p, '[');
  const at = position(p);
  symbol(p, ']');
  return { buffer, at };
}

function stride(p: Parser, name: string): number {
  word(p, name);
  return integer(p);
}

/** `over (5, 8)`: as many extents as there are names for them. */
function over<T extends Extent>(p: Parser, names: readonly string[], item: (p: Parser) => T): T[] {
  word(p, 'over');
  const t = peek(p);
  const sizes = list(p, '(', ')', item);
  if (sizes.length !== names.length) throw failAt(p, t, `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`);
  return sizes;
}

/** `members (p: read f32, #n) of [(x, 12) (x_2, 5)] { ... }` */
function members(p: Parser): Stmt {
  const buffers: Extract<Stmt, { kind: 'members' }>['buffers'][number][] = [];
  const sizes: string[] = [];
  list(p, '(', ')', () => {
    if (accept(p, '#')) return void sizes.push(identifier(p));
    const name = identifier(p);
    symbol(p, ':');
    buffers.push({ name, access: access(p), dtype: dtypeName(p) });
  });
  word(p, 'of');
  symbol(p, '[');
  const rows: Member[] = [];
  while (!accept(p, ']')) {
    const cells = list(p, '(', ')', () => (peek(p).kind === 'integer' ? integer(p) : identifier(p)));
    rows.push({ buffers: cells.filter((c) => typeof c === 'string'), sizes: cells.filter((c) => typeof c === 'number') });
  }
  symbol(p, '{');
  p.scopes.push(new Map(buffers.map((x) => [x.name, x.dtype])));
  const body = statements(p);
  p.scopes.pop();
  return { kind: 'members', buffers, sizes, rows, body };
}

function loop(p: Parser, mode: (typeof modes)[number]): Stmt {
  const name = identifier(p);
  symbol(p, ':');
  const size = extent(p);
  const step = acceptWord(p, 'step') ? integer(p) : undefined;
  const body = scoped(p, name);
  return { kind: 'loop', axis: name, extent: size, ...(step === undefined ? {} : { step }), mode, body };
}

/** A statement that starts with the name of a scalar or buffer. */
function assignment(p: Parser, t: Token): Stmt {
  dtypeOf(p, t);
  if (accept(p, '[')) {
    const at = position(p);
    symbol(p, ']');
    const fn = accept(p, '=') ? undefined : combiner(p);
    const value = expression(p);
    return fn === undefined ? { kind: 'store', buffer: t.text, at, value } : { kind: 'update', buffer: t.text, at, fn, value };
  }
  const fn = accept(p, '=') ? undefined : combiner(p);
  const value = expression(p);
  return fn === undefined ? { kind: 'assign', name: t.text, value } : { kind: 'accumulate', name: t.text, fn, value };
}

const compound: Readonly<Record<string, ScalarName>> = { '+=': 'add', '-=': 'sub', '*=': 'mul', '/=': 'div' };

function combiner(p: Parser): ScalarName {
  const t = peek(p);
  const fn = compound[t.text] ?? scalarNames.find((n) => `${n}=` === t.text);
  if (t.kind !== 'combine' || fn === undefined) throw failAt(p, t, 'an assignment');
  p.next++;
  return fn;
}

// ---- expressions

function expression(p: Parser, precedence = 1): Expr {
  let left = operand(p);
  for (;;) {
    const t = peek(p);
    const found = (Object.entries(infixes) as [ScalarName, readonly [string, number]][]).find(
      ([, [text, level]]) => t.kind === 'symbol' && text === t.text && level >= precedence,
    );
    if (found === undefined) return left;
    p.next++;
    left = call(p, t, found[0], [left, expression(p, found[1][1] + 1)]);
  }
}

/** A call with the dtype that the function's rule gives; the verifier checks that the operands fit. */
function call(p: Parser, t: Token, fn: ScalarName, args: readonly Expr[]): Expr {
  const { arity, dtype: rule } = scalar[fn];
  if (args.length !== arity) throw failAt(p, t, `${arity} operands of ${fn}`);
  const dtype = rule === 'compare' || rule === 'logical' ? 'bool' : rule === 'select' ? args[1]!.dtype : args[0]!.dtype;
  return { kind: 'call', dtype, fn, args };
}

function operand(p: Parser): Expr {
  const t = peek(p);
  const minus = isSymbol(p, '-') && p.tokens[p.next + 1]!.kind === 'literal';
  if (minus) p.next++;
  if (peek(p).kind === 'literal') {
    const read = parseLiteral((minus ? '-' : '') + take(p, 'literal', 'a literal').text);
    if (read === undefined) throw failAt(p, t, 'a literal in the range of its dtype');
    return read;
  }
  if (accept(p, '(')) {
    const inner = expression(p);
    symbol(p, ')');
    return inner;
  }
  if (accept(p, '$')) {
    const slot = integer(p);
    const dtype = p.slots[slot];
    if (dtype === undefined) throw failAt(p, t, `a slot below ${p.slots.length}`);
    return { kind: 'slot', dtype, index: slot };
  }
  const name = take(p, 'name', 'an expression');
  if (accept(p, '[')) {
    const at = position(p);
    symbol(p, ']');
    return { kind: 'load', dtype: dtypeOf(p, name), buffer: name.text, at };
  }
  if (accept(p, '.')) return typed(p, name);
  if (!accept(p, '(')) return { kind: 'ref', dtype: dtypeOf(p, name), name: name.text };
  return application(p, name);
}

/** `position.i64(...)` and `bitcast.i32(...)`. */
function typed(p: Parser, name: Token): Expr {
  const dtype = dtypeName(p);
  symbol(p, '(');
  if (name.text === 'position') {
    const at = position(p);
    symbol(p, ')');
    return { kind: 'position', dtype, at };
  }
  if (name.text !== 'bitcast') throw failAt(p, name, 'position or bitcast');
  const value = expression(p);
  symbol(p, ')');
  return { kind: 'bitcast', dtype, value };
}

/** What follows `name(`: a cast, a choice or a scalar function. */
function application(p: Parser, name: Token): Expr {
  if (name.text === 'choose') {
    const when = condition(p);
    symbol(p, ',');
    const yes = expression(p);
    symbol(p, ',');
    const no = expression(p);
    symbol(p, ')');
    return { kind: 'choose', dtype: yes.dtype, when, then: yes, else: no };
  }
  const args: Expr[] = [];
  while (!accept(p, ')')) {
    if (args.length > 0) symbol(p, ',');
    args.push(expression(p));
  }
  const dtype = dtypes.find((d) => d === name.text);
  if (dtype !== undefined) {
    if (args.length !== 1) throw failAt(p, name, 'one operand of a cast');
    return { kind: 'cast', dtype, value: args[0]! };
  }
  const fn = scalarNames.find((n) => n === name.text);
  if (fn === undefined) throw failAt(p, name, 'a scalar function');
  return call(p, name, fn, args);
}

function condition(p: Parser): Condition {
  if (acceptWord(p, 'always')) return [];
  const bounds: { at: Position; below: Extent }[] = [];
  do {
    const t = take(p, 'integer', '0 <=');
    if (t.text !== '0') throw failAt(p, t, '0 <=');
    symbol(p, '<=');
    const at = position(p);
    symbol(p, '<');
    bounds.push({ at, below: extent(p) });
  } while (accept(p, '&'));
  return bounds;
}

// ---- positions

function position(p: Parser): Position {
  let sum = isSymbol(p, '-') && p.tokens[p.next + 1]!.kind !== 'integer' ? constant(0) : factor(p);
  for (;;) {
    if (accept(p, '+')) sum = add(sum, factor(p));
    else if (accept(p, '-')) sum = add(sum, mul(factor(p), -1));
    else return sum;
  }
}

function factor(p: Parser): Position {
  let left = atom(p);
  for (;;) {
    if (accept(p, '*')) left = mul(left, extent(p));
    else if (acceptWord(p, 'div')) left = div(left, extent(p));
    else if (acceptWord(p, 'mod')) left = mod(left, extent(p));
    else return left;
  }
}

function atom(p: Parser): Position {
  const t = peek(p);
  if (t.kind === 'integer' || isSymbol(p, '#') || isSymbol(p, '-')) return constant(extent(p));
  if (accept(p, '(')) {
    const inner = position(p);
    symbol(p, ')');
    return inner;
  }
  const name = identifier(p);
  if (name === 'value' && accept(p, '(')) {
    const value = expression(p);
    symbol(p, ')');
    return valuePosition(value);
  }
  if (lookup(p, name) !== 'axis') throw failAt(p, t, 'an axis in scope');
  return axis(name);
}
