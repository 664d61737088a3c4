// Reads the text form of graphs back. Every mistake is an IRError that says line, column and what was expected there.
import { type DType, dtypes } from '../../runtime/dtype.ts';
import { FluxionError, IRError } from '../../runtime/errors.ts';
import { type Aval, aval, avalText, sameAval } from './aval.ts';
import { build, recordWith } from './builder.ts';
import { type Codec, unquote } from './codec.ts';
import { parseDim, type Shape } from './dim.ts';
import { hintFromIds } from './names.ts';
import { codecsOf, type Graph, isLeaf, maxNesting, type Node, nodesOf, type Value } from './node.ts';
import { isOpName, type OpName, opset } from './opset.ts';

export type ParseOptions = {
  /** Stands before line and column in errors. */
  readonly file?: string;
  /** Characters and nodes that are read at most. */
  readonly maxLength?: number;
  readonly maxNodes?: number;
};
export type NamedGraph = { readonly name: string; readonly graph: Graph };

/** Axes that a type may have; it also bounds what inference costs per node. */
const maxRank = 64;

type Cursor = { readonly text: string; readonly file: string | undefined; readonly maxNodes: number; at: number; nodes: number };
/** What an id stands for, in one graph; where each node was written, for errors about the whole graph. */
type Scope = { readonly values: Map<string, Value>; readonly places: Map<Node, number> };

/** The one graph that `text` holds. */
export function parse(text: string, options: ParseOptions = {}): Graph {
  const graphs = parseModule(text, options);
  if (graphs.length !== 1) throw new IRError(`expected one graph, found ${graphs.length}`, { op: 'parse', at: options.file ?? '1:1' });
  return graphs[0]!.graph;
}

/** All graphs of a text with their names. Nothing is recorded while it reads. */
export function parseModule(text: string, options: ParseOptions = {}): readonly NamedGraph[] {
  const c: Cursor = { text, file: options.file, maxNodes: options.maxNodes ?? 1 << 22, at: 0, nodes: 0 };
  if (text.length > (options.maxLength ?? 1 << 28)) throw refusal(c, 0, `text of ${text.length} characters is too long`);
  const before = recordWith(undefined);
  try {
    const graphs: NamedGraph[] = [];
    while (!atEnd(c)) graphs.push(namedGraph(c));
    return graphs;
  } finally {
    recordWith(before);
  }
}

// Grammar, from the outside in.

function namedGraph(c: Cursor): NamedGraph {
  expectWord(c, 'graph');
  expect(c, '@');
  const name = c.text[c.at] === '"' ? quoted(c, 'the name of the graph') : take(c, /[A-Za-z_]\w*/y, 'the name of the graph');
  return { name, graph: graphBody(c, 0) };
}

/** `(params) -> (results) { statements }` */
function graphBody(c: Cursor, depth: number): Graph {
  const start = c.at;
  if (depth > maxNesting) throw refusal(c, start, `regions are nested more than ${maxNesting} deep`);
  const scope: Scope = { values: new Map(), places: new Map() };
  const inputs = list(c, '(', ')', () => param(c, scope));
  expect(c, '->');
  const results = list(c, '(', ')', () => result(c));
  expect(c, '{');
  while (!accept(c, '}')) {
    statement(c, scope, depth);
    accept(c, ';');
  }
  const outputs = results.map(({ id, at, type }) => {
    const value = lookup(c, scope, id, at);
    if (type !== undefined) demandType(c, type, value.node.outputs[value.index]!, `%${id}`);
    return value;
  });
  const graph: Graph = { inputs, outputs };
  demandReached(c, scope, graph);
  return graph;
}

/** `%x: f32[2] loc("file:1") "hint"` or `%x: slot f32` */
function param(c: Cursor, scope: Scope): Value {
  const ids = [definition(c)];
  expect(c, ':');
  const node = acceptWord(c, 'slot') ? build('slot', [], { dtype: dtypeName(c) }) : input(c, type(c));
  return define(c, scope, ids, node);
}

const input = (c: Cursor, { aval, at }: Typed): Node => placed(c, at, () => build('input', [], aval));

/** `%x` or `%x: f32[2]` */
function result(c: Cursor): { id: string; at: number; type: Typed | undefined } {
  const { id, at } = definition(c);
  return { id, at, type: accept(c, ':') ? type(c) : undefined };
}

/** `%v, %i: f32[3], i64[3] = sort(%x) {axis: 0, descending: false} loc("file:1") "hint"` */
function statement(c: Cursor, scope: Scope, depth: number): void {
  const ids = sequence(c, () => definition(c, "a value such as %x, or '}'"));
  expect(c, ':');
  const types = sequence(c, () => type(c));
  expect(c, '=');
  const opAt = skipSpace(c);
  const op = opName(c);
  const operands = list(c, '(', ')', () => {
    const { id, at } = definition(c);
    return lookup(c, scope, id, at);
  });
  const attrs = attributes(c, op);
  const regions = (opset[op].regions as readonly string[]).map((label) => {
    expectWord(c, label);
    return graphBody(c, depth + 1);
  });
  if (++c.nodes > c.maxNodes) throw refusal(c, opAt, `more than ${c.maxNodes} nodes`);
  const node = placed(c, opAt, () => build(op, operands, attrs, regions));
  if (node.outputs.length !== ids.length) throw refusal(c, ids[0]!.at, `${op} has ${node.outputs.length} results, ${ids.length} are named`);
  if (types.length !== ids.length) throw refusal(c, types[0]!.at, `${ids.length} values are named, but ${types.length} types given`);
  for (const [i, written] of types.entries()) demandType(c, written, node.outputs[i]!, op);
  scope.places.set(node, ids[0]!.at);
  define(c, scope, ids, node);
}

/** Reads location and hint, and gives the ids their meaning; returns the first value. */
function define(c: Cursor, scope: Scope, ids: readonly Id[], node: Node): Value {
  if (acceptWord(c, 'loc')) {
    expect(c, '(');
    skipSpace(c);
    node.loc = { site: quoted(c, 'a quoted location') };
    expect(c, ')');
  }
  skipSpace(c);
  node.name = c.text[c.at] === '"' ? quoted(c, 'a quoted name') : hintFromIds(ids.map((i) => i.id));
  ids.forEach(({ id, at }, i) => {
    if (scope.values.has(id)) throw refusal(c, at, `%${id} is defined twice`);
    scope.values.set(id, node.values[i]!);
  });
  return node.values[0]!;
}

/** `{axes: [0], mode: checked}`; nothing at all where the op has no attributes. */
function attributes(c: Cursor, op: OpName): object {
  const codecs = codecsOf(op);
  const names = Object.keys(codecs);
  if (names.length === 0) return {};
  const start = skipSpace(c);
  const attrs: Record<string, unknown> = {};
  list(c, '{', '}', () => {
    const place = skipSpace(c);
    const name = take(c, /[A-Za-z_]\w*/y, `an attribute of ${op} (${names.join(', ')})`);
    if (!Object.hasOwn(codecs, name)) throw refusal(c, place, `${op} has no attribute ${name}; it has ${names.join(', ')}`);
    if (Object.hasOwn(attrs, name)) throw refusal(c, place, `the attribute ${name} is given twice`);
    expect(c, ':');
    attrs[name] = attribute(c, codecs[name]!);
  });
  const missing = names.find((name) => !Object.hasOwn(attrs, name));
  if (missing !== undefined) throw refusal(c, start, `${op} lacks its attribute ${missing}`);
  return attrs;
}

/** The value is all text up to a comma or closing brace outside brackets and quotes; its codec reads it. */
function attribute(c: Cursor, codec: Codec<unknown>): unknown {
  const start = skipSpace(c);
  let open = 0;
  for (;;) {
    const ch = c.text[c.at];
    if (ch === undefined || ch === '\n') throw refusal(c, c.at, "expected ',' or '}' after an attribute");
    if (ch === '"') {
      quoted(c, 'a quoted text');
      continue;
    }
    if (open === 0 && (ch === ',' || ch === '}')) break;
    if (ch === '[' || ch === '{') open++;
    if (ch === ']' || ch === '}') open--;
    c.at++;
  }
  return placed(c, start, () => codec.parse(c.text.slice(start, c.at).trimEnd()));
}

// Checks.

type Typed = { readonly aval: Aval; readonly at: number };
type Id = { readonly id: string; readonly at: number };

function demandType(c: Cursor, written: Typed, inferred: Aval, what: string): void {
  if (sameAval(written.aval, inferred)) return;
  throw refusal(c, written.at, `${avalText(written.aval)} is written, but ${what} is ${avalText(inferred)}`);
}

/** A graph is what its outputs reach: anything else would be lost unnoticed. */
function demandReached(c: Cursor, scope: Scope, graph: Graph): void {
  const reached = nodesOf(graph);
  if (reached.length === scope.places.size) return;
  for (const node of reached) scope.places.delete(node);
  const [node, place] = scope.places.entries().next().value!;
  throw refusal(c, place, `this ${node.op} is reached by no result of the graph`);
}

function lookup(c: Cursor, scope: Scope, id: string, place: number): Value {
  const value = scope.values.get(id);
  if (value === undefined) throw refusal(c, place, `%${id} is not defined before its use`);
  return value;
}

// Words of the language.

const definition = (c: Cursor, what = 'a value such as %x'): Id => {
  const place = skipSpace(c);
  return { id: take(c, /%(?:[A-Za-z_]\w*|\d+)/y, what).slice(1), at: place };
};

function opName(c: Cursor): OpName {
  const place = c.at;
  const name = take(c, /[A-Za-z]\w*/y, 'the name of an op');
  if (!isOpName(name)) throw refusal(c, place, `there is no op ${name}`);
  if (isLeaf(name)) throw refusal(c, place, `${name} stands in the header of a graph: %x: f32[2] or %x: slot f32`);
  return name;
}

function dtypeName(c: Cursor): DType {
  const place = skipSpace(c);
  const name = take(c, /[A-Za-z]\w*/y, `a dtype (${dtypes.join(', ')})`);
  const found = dtypes.find((d) => d === name);
  if (found === undefined) throw refusal(c, place, `there is no dtype ${name}, only ${dtypes.join(', ')}`);
  return found;
}

/** `f32[2,n]` */
function type(c: Cursor): Typed {
  const place = skipSpace(c);
  const dtype = dtypeName(c);
  const shape: Shape = list(c, '[', ']', () => {
    const start = skipSpace(c);
    const text = take(c, /[\w*+-]+/y, 'a size');
    const size = placed(c, start, () => parseDim(text));
    if (typeof size === 'number' && !(size >= 0 && Number.isSafeInteger(size))) throw refusal(c, start, `${text} is no size of an axis`);
    return size;
  });
  if (shape.length > maxRank) throw refusal(c, place, `a type has at most ${maxRank} axes, not ${shape.length}`);
  return { aval: aval(dtype, shape), at: place };
}

function quoted(c: Cursor, what: string): string {
  const start = c.at;
  if (c.text[start] !== '"') throw refusal(c, start, `expected ${what}, found ${found(c)}`);
  do {
    if (c.text[c.at] === '\\') c.at++;
    c.at++;
    if (c.at >= c.text.length || c.text[c.at] === '\n') throw refusal(c, start, 'this quoted text has no end on its line');
  } while (c.text[c.at] !== '"');
  c.at++;
  return placed(c, start, () => unquote(c.text.slice(start, c.at)));
}

/** `open item, item close`, possibly empty. */
function list<T>(c: Cursor, open: string, close: string, item: () => T): T[] {
  expect(c, open);
  if (accept(c, close)) return [];
  const items = sequence(c, item);
  if (!accept(c, close)) throw refusal(c, c.at, `expected ',' or '${close}', found ${found(c)}`);
  return items;
}

function sequence<T>(c: Cursor, item: () => T): T[] {
  const items = [item()];
  while (accept(c, ',')) items.push(item());
  return items;
}

// The cursor.

/** Moves to the next character that counts, and returns where that is. */
function skipSpace(c: Cursor): number {
  while (c.at < c.text.length && ' \t\r\n'.includes(c.text[c.at]!)) c.at++;
  return c.at;
}

function atEnd(c: Cursor): boolean {
  return skipSpace(c) === c.text.length;
}

function accept(c: Cursor, symbol: string): boolean {
  if (!c.text.startsWith(symbol, skipSpace(c))) return false;
  c.at += symbol.length;
  return true;
}

function acceptWord(c: Cursor, word: string): boolean {
  const start = skipSpace(c);
  if (!accept(c, word)) return false;
  if (!/\w/.test(c.text[c.at] ?? '')) return true;
  c.at = start;
  return false;
}

function expect(c: Cursor, symbol: string): void {
  if (!accept(c, symbol)) throw refusal(c, c.at, `expected '${symbol}', found ${found(c)}`);
}

function expectWord(c: Cursor, word: string): void {
  if (!acceptWord(c, word)) throw refusal(c, c.at, `expected '${word}', found ${found(c)}`);
}

function take(c: Cursor, pattern: RegExp, what: string): string {
  pattern.lastIndex = skipSpace(c);
  const match = pattern.exec(c.text);
  if (match === null) throw refusal(c, c.at, `expected ${what}, found ${found(c)}`);
  c.at = pattern.lastIndex;
  return match[0];
}

/** What stands at the cursor, for messages. */
function found(c: Cursor): string {
  if (c.at >= c.text.length) return 'the end';
  return `'${/^(?:\w+|[^\w\s])/.exec(c.text.slice(c.at, c.at + 20))?.[0] ?? c.text[c.at]}'`;
}

/** Runs what may refuse its arguments, and says where they stand. */
function placed<T>(c: Cursor, place: number, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof FluxionError) throw refusal(c, place, cause.what, cause);
    throw cause;
  }
}

function refusal(c: Cursor, place: number, what: string, cause?: unknown): IRError {
  const lines = c.text.slice(0, place).split('\n');
  const where = `${lines.length}:${lines.at(-1)!.length + 1}`;
  return new IRError(what, { op: 'parse', at: c.file === undefined ? where : `${c.file}:${where}`, cause });
}
