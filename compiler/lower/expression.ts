// The expression that a value of a region is at given coordinates: views compose into index maps, what is needed twice is bound once, and
// what does not change in a loop is computed before it.
//
// Three loops over demands (a value at a place under a guard): find them, inputs first; decide backwards which get a name; write forwards.
import type { Condition, Expr, Extent, Position, Stmt } from '../../kernels/loop.ts';
import { constant, linearize, valuePosition } from '../../kernels/position.ts';
import type { ScalarName } from '../../kernels/scalar.ts';
import type { DType } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import type { Aval } from '../ir/aval.ts';
import { literalOf } from '../ir/literal.ts';
import { avalOf, dtypeOf, shapeOf, type Value } from '../ir/node.ts';
import { extentOf, extentsOf } from '../ops/extent.ts';
import { rules } from '../ops/table.ts';
import { always, both, choose, concatParts, padInside, padPlace } from './condition.ts';
import { identifier } from './names.ts';
import { fresh, innermost, type Nest, type Place, placeOf } from './nest.ts';

/** What is known from elsewhere: parameters, slots, finished reductions, kept rows. Undefined where the value is to be computed. */
export type Known = (value: Value, at: Place) => Expr | undefined;

export type Request = {
  readonly value: Value;
  readonly at: readonly Position[];
  /** Bind it to a name even if it is used once: where a body stores twice, all loads come before the first store. */
  readonly bind?: boolean;
  /** Where the value is wanted; zero elsewhere. */
  readonly guard?: Condition;
};

/** A value at a place, wanted only where `guard` holds. */
type Demand = {
  readonly value: Value;
  readonly at: Place;
  readonly guard: Condition;
  /** Found elsewhere; it has no inputs then. */
  readonly known: Expr | undefined;
  formula: Formula;
  /** Set where coordinates refer to it by this name. */
  name: string | undefined;
  bind: boolean;
  uses: number;
  /** Index of the innermost loop that it depends on; -1 until it is found. */
  level: number;
  /** Index of the innermost loop in which it is used. */
  usedAt: number;
  expr: Expr | undefined;
  /** Operations that stand in `expr`. */
  size: number;
};

/** How a value is computed: from what, at which coordinates of its own, and how it is written once its inputs are. */
type Formula = {
  readonly inputs: readonly Demand[];
  readonly reads?: readonly Position[];
  readonly write: (parts: readonly Expr[]) => Expr;
};

type Search = {
  readonly nest: Nest;
  readonly known: Known;
  readonly demands: Map<Condition, Map<Place, Map<Value, Demand>>>;
  /** Inputs before users. */
  readonly order: Demand[];
};

/** Longer expressions are cut into named parts, which bounds their depth and reads better. */
const longestExpression = 12;

/** Expressions for all requests, valid in the innermost open body. */
export function expressions(nest: Nest, known: Known, requests: readonly Request[]): Expr[] {
  const search: Search = { nest, known, demands: new Map(), order: [] };
  const roots = requests.map((request) => {
    const root = demandFor(search, request.value, request.at, request.guard ?? always);
    find(search, root);
    root.uses++;
    root.bind ||= request.bind === true;
    root.usedAt = innermost(nest);
    return root;
  });
  for (let i = search.order.length - 1; i >= 0; i--) decide(search.order[i]!);
  const whole = new Set(roots);
  for (const demand of search.order) write(nest, demand, whole.has(demand));
  return roots.map((root) => (root.bind ? root.expr! : total(root.expr!, root.guard)));
}

/** The expression of one value. */
export const expression = (nest: Nest, known: Known, value: Value, at: readonly Position[]): Expr =>
  expressions(nest, known, [{ value, at }])[0]!;

// ---- find

/** Of what is known, and of what is not found yet. */
const leaf: Formula = { inputs: [], write: () => failed('a value is written before it is found') };

function failed(what: string): never {
  throw new InternalError(what, { op: 'lower' });
}

type ViewMap = (position: readonly Position[], x: Aval, attrs: unknown) => readonly Position[];

/** The demand for the value that is really read, once views are followed. */
function demandFor(search: Search, of: Value, where: readonly Position[], guard: Condition): Demand {
  const { nest, known } = search;
  let value = of;
  let at = placeOf(nest, where);
  let found = boundTo(nest, value, at) ?? known(value, at);
  while (found === undefined) {
    const lower = rules[value.node.op].lower;
    if (lower.kind !== 'view') break;
    const operand: Value = value.node.inputs[0]!;
    at = placeOf(nest, (lower.at as unknown as ViewMap)(at, avalOf(operand), value.node.attrs));
    value = operand;
    found = boundTo(nest, value, at) ?? known(value, at);
  }
  const byPlace = entry(search.demands, guard, () => new Map<Place, Map<Value, Demand>>());
  const byValue = entry(byPlace, at, () => new Map<Value, Demand>());
  return entry(byValue, value, () => ({
    value,
    at,
    guard,
    known: found,
    formula: leaf,
    name: undefined,
    bind: false,
    uses: 0,
    level: -1,
    usedAt: -1,
    expr: undefined,
    size: 0,
  }));
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function boundTo(nest: Nest, value: Value, at: Place): Expr | undefined {
  for (let l = innermost(nest); l >= 0; l--) {
    const expr = nest.levels[l]!.bound.get(at)?.get(value);
    if (expr !== undefined) return expr;
  }
  return undefined;
}

/** Appends what `root` needs to the order and gives each demand its level. */
function find(search: Search, root: Demand): void {
  if (root.level >= 0) return;
  const stack = [{ demand: root, next: -1 }];
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    const { demand } = top;
    if (top.next < 0) {
      if (demand.known === undefined) demand.formula = formulaOf(search, demand);
      top.next = 0;
    }
    const { inputs } = demand.formula;
    if (top.next < inputs.length) {
      const input = inputs[top.next++]!;
      if (input.level < 0) stack.push({ demand: input, next: -1 });
    } else {
      stack.pop();
      demand.level = levelOf(search.nest, demand);
      if (demand.name !== undefined) search.nest.depth.set(demand.name, demand.level);
      search.order.push(demand);
    }
  }
}

function formulaOf(search: Search, { value, at, guard }: Demand): Formula {
  const { nest } = search;
  const { node } = value;
  const dtype = dtypeOf(value);
  const ask = (x: Value, place: readonly Position[], when: Condition = guard): Demand => demandFor(search, x, place, when);
  switch (node.op) {
    case 'literal':
      return { inputs: [], write: () => ({ kind: 'literal', ...node.attrs.value }) };
    case 'size': {
      const position = constant(extentOf(node.attrs.size, nest.sizes));
      return { inputs: [], write: () => ({ kind: 'position', dtype, at: position }) };
    }
    case 'iota': {
      const position = at[node.attrs.axis]!;
      return { inputs: [], reads: [position], write: () => ({ kind: 'position', dtype, at: position }) };
    }
    case 'randomBits': {
      const counter = linearize(at, extentsOf(node.attrs.shape, nest.sizes), nest.extents);
      return {
        inputs: node.inputs.map((x) => ask(x, [])),
        reads: [counter],
        write: (parts) => ({ kind: 'call', dtype, fn: 'threefry', args: [...parts, { kind: 'position', dtype, at: counter }] }),
      };
    }
    case 'pad': {
      const [x, fill] = node.inputs;
      const inside = padInside(nest, node, at);
      const inputs = [ask(x, padPlace(node, at), both(guard, inside)), ...(inside === always ? [] : [ask(fill, [])])];
      return { inputs, reads: at, write: ([element, outside]) => (outside === undefined ? element! : choose(inside, element!, outside)) };
    }
    case 'concat': {
      const parts = concatParts(nest, node, at);
      return {
        inputs: parts.map((part) => ask(part.value, part.at, both(guard, part.when))),
        reads: [at[node.attrs.axis]!],
        // From the last part to the first: one of them holds, so the last is not asked. Without elements there is none, and nothing is read.
        write: (exprs) => (exprs.length === 0 ? zeroOf(dtype) : exprs.reduceRight((rest, expr, i) => choose(parts[i]!.when, expr, rest))),
      };
    }
    case 'gather': {
      const { axis, mode } = node.attrs;
      const [x, indices] = node.inputs;
      const index = ask(indices, at);
      const reference = valuePosition(referenceTo(nest, index));
      const place = at.map((p, d) => (d === axis ? reference : p));
      return {
        inputs: [index, ask(x, place)],
        write: ([, element]) => {
          if (mode === 'checked') checkIndex(nest, index, extentOf(shapeOf(x)[axis]!, nest.sizes));
          return element!;
        },
      };
    }
    case 'cast':
    case 'bitcast':
      return { inputs: [ask(node.inputs[0], at)], write: ([x]) => ({ kind: node.op, dtype, value: x! }) };
    default: {
      const lower = rules[node.op].lower;
      if (lower.kind !== 'pointwise') throw new InternalError(`${node.op} has no expression inside this kernel`, { op: 'lower' });
      const fn: ScalarName = lower.fn;
      return { inputs: (node.inputs as readonly Value[]).map((x) => ask(x, at)), write: (args) => ({ kind: 'call', dtype, fn, args }) };
    }
  }
}

/** A reference to a demand that is not written yet: it is given its name now. */
function referenceTo(nest: Nest, demand: Demand): Expr {
  if (demand.known?.kind === 'ref') return demand.known;
  if (demand.name === undefined) {
    demand.name = fresh(nest, identifier(nameOf(demand.value)));
    demand.bind = true;
    if (demand.level >= 0) nest.depth.set(demand.name, demand.level);
  }
  return { kind: 'ref', dtype: dtypeOf(demand.value), name: demand.name };
}

function levelOf(nest: Nest, { guard, known, formula }: Demand): number {
  let level = known === undefined ? 0 : levelOfExpr(nest, known);
  for (const input of formula.inputs) level = Math.max(level, input.level);
  for (const position of formula.reads ?? []) level = Math.max(level, levelOfPosition(nest, position));
  for (const bound of guard) level = Math.max(level, levelOfPosition(nest, bound.at));
  return level;
}

function levelOfPosition(nest: Nest, at: Position): number {
  switch (at.kind) {
    case 'const':
      return 0;
    case 'axis':
      return nest.depth.get(at.axis) ?? 0;
    case 'add':
      return Math.max(levelOfPosition(nest, at.a), levelOfPosition(nest, at.b));
    case 'mul':
    case 'div':
    case 'mod':
      return levelOfPosition(nest, at.a);
    case 'value':
      return levelOfExpr(nest, at.value);
  }
}

/** What is known are small expressions: loads, references, and casts of them. */
function levelOfExpr(nest: Nest, expr: Expr): number {
  switch (expr.kind) {
    case 'literal':
    case 'slot':
      return 0;
    case 'ref':
      return nest.depth.get(expr.name) ?? 0;
    case 'load':
      return Math.max(nest.depth.get(expr.buffer) ?? 0, levelOfPosition(nest, expr.at));
    case 'position':
      return levelOfPosition(nest, expr.at);
    case 'call':
      return Math.max(0, ...expr.args.map((arg) => levelOfExpr(nest, arg)));
    case 'cast':
    case 'bitcast':
      return levelOfExpr(nest, expr.value);
    case 'choose':
      return Math.max(
        levelOfExpr(nest, expr.then),
        levelOfExpr(nest, expr.else),
        ...expr.when.map((bound) => levelOfPosition(nest, bound.at)),
      );
  }
}

// ---- decide

/** Bound to a name where it is used more than once, or can leave a loop; what costs nothing is repeated instead. */
function decide(demand: Demand): void {
  if (!isFree(demand)) demand.bind ||= demand.uses > 1 || demand.level < demand.usedAt;
  const place = demand.bind ? demand.level : demand.usedAt;
  for (const input of demand.formula.inputs) {
    input.uses++;
    input.usedAt = Math.max(input.usedAt, place);
  }
}

function isFree({ known, value }: Demand): boolean {
  if (known !== undefined) return known.kind === 'literal' || known.kind === 'ref' || known.kind === 'position' || known.kind === 'slot';
  return value.node.op === 'literal' || value.node.op === 'iota' || value.node.op === 'size';
}

// ---- write

function write(nest: Nest, demand: Demand, isRoot: boolean): void {
  const { value, at, guard, level } = demand;
  const { inputs, write: writeFormula } = demand.formula;
  const expr = demand.known ?? writeFormula(inputs.map((input) => input.expr!));
  demand.expr = expr;
  demand.size = inputs.reduce((n, input) => n + input.size, 1);
  if (demand.size > longestExpression && !isRoot) demand.bind = true;
  if (!demand.bind || (expr.kind === 'ref' && demand.name === undefined)) return;
  const name = demand.name ?? fresh(nest, identifier(nameOf(value)));
  nest.depth.set(name, level);
  nest.levels[level]!.body.push({ kind: 'let', name, value: total(expr, guard) });
  demand.expr = { kind: 'ref', dtype: expr.dtype, name };
  demand.size = 0;
  if (guard === always) entry(nest.levels[level]!.bound, at, () => new Map<Value, Expr>()).set(value, demand.expr);
}

/** What the user called the value, else its op. */
const nameOf = ({ node }: Value): string => node.name?.split(',')[0] || (node.op === 'input' ? 'x' : node.op);

/** What is wanted only under a guard, but computed outside of that branch, must have a value everywhere. */
const total = (expr: Expr, guard: Condition): Expr => (guard === always ? expr : choose(guard, expr, zeroOf(expr.dtype)));

export const zeroOf = (dtype: DType): Expr => ({ kind: 'literal', ...literalOf(0, dtype) });

function checkIndex(nest: Nest, { expr, guard, level }: Demand, below: Extent): void {
  const check: Stmt = { kind: 'check', value: expr!, below, op: 'gather' };
  const truth = (value: boolean): Expr => ({ kind: 'literal', ...literalOf(value, 'bool') });
  nest.levels[level]!.body.push(
    guard === always ? check : { kind: 'if', test: choose(guard, truth(true), truth(false)), then: [check], else: [] },
  );
}
