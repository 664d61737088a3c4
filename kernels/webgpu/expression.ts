// Expressions and positions of the loop IR as WGSL. Positions are i32; what must not be evaluated in vain becomes a statement before.
import type { DType } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import { literalValue } from '../literal.ts';
import type { Condition, Expr, Position } from '../loop.ts';
import { boundsOf, summandsOf } from '../position.ts';
import type { ScalarName } from '../scalar.ts';
import { type Code, infix, integer, invoke, prefix, primary } from './code.ts';
import { load, storeOf } from './memory.ts';
import { sizeOf } from './phases.ts';
import { type Asked, bitcast, cast, printerOf, shaderDType, typeOf, wrap8 } from './scalar.ts';
import { bindingOf, declare, failure, line, nameOf, need, type Scope } from './scope.ts';

export const askedOf = (e: Scope): Asked => ({
  need: (name) => need(e, name),
  divisionByZero: () => primary(`${failure(e, { op: 'division by zero' })}u`),
});

export function value(e: Scope, x: Expr): Code {
  const dtype = shaderDType(x.dtype);
  switch (x.kind) {
    case 'literal':
      return literal(e, x);
    case 'ref':
      return primary(nameOf(e, x.name));
    case 'slot':
      e.slots.add(x.index);
      e.used.add(bindingOf.slots);
      if (dtype === 'i64') return primary(`vec2(slots.slot${x.index}, slots.slot${x.index}_high)`);
      return dtype === 'bool' ? infix(primary(`slots.slot${x.index}`), '!=', primary('0u')) : primary(`slots.slot${x.index}`);
    case 'load':
      return load(e, storeOf(e, x.buffer), position(e, x.at));
    case 'position':
      return positionAs(e, x.at, x.dtype);
    case 'call':
      return printerOf(x.fn, x.fn === 'select' ? x.dtype : x.args[0]!.dtype)(operands(e, x.args), askedOf(e));
    case 'cast':
      return cast(operands(e, [x.value])[0]!, shaderDType(x.value.dtype), dtype, askedOf(e));
    case 'bitcast':
      return bitcast(operands(e, [x.value])[0]!, shaderDType(x.value.dtype), dtype);
    case 'choose':
      return choose(e, x);
    default:
      return x satisfies never;
  }
}

/** What is computed of constants alone is refused where it overflows, so one of them is made to look like none. */
function operands(e: Scope, args: readonly Expr[]): readonly Code[] {
  const isConstant = args.every((a) => a.kind === 'literal' && a.dtype !== 'bool' && a.dtype !== 'i64');
  return args.map((a, i) => (isConstant && i === 0 ? runtimeLiteral(e, a) : value(e, a)));
}

function runtimeLiteral(e: Scope, x: Expr): Code {
  if (x.kind !== 'literal') throw new InternalError('only literals are constants', { op: 'emit' });
  if (x.dtype !== 'f32') {
    need(e, 'runtime_i32');
    return invoke('runtime_i32', literal(e, x));
  }
  need(e, 'runtime_f32');
  return invoke('runtime_f32', primary(`0x${x.bits.toString(16)}u`));
}

function literal(e: Scope, x: Extract<Expr, { kind: 'literal' }>): Code {
  const v = Number(literalValue(x));
  switch (shaderDType(x.dtype)) {
    case 'bool':
      return primary(v === 0 ? 'false' : 'true');
    case 'i32':
    case 'u8':
      return integer(v);
    case 'i64':
      return primary(`vec2(${x.bits & 0xffffffffn}u, ${x.bits >> 32n}u)`);
    case 'f32':
      return Number.isFinite(v) ? float(v) : runtimeLiteral(e, x);
  }
}

const float = (v: number): Code => (v < 0 || Object.is(v, -0) ? prefix('-', float(-v)) : primary(`${shortest(v)}f`));

/** The shortest decimal that is nearest to this float32. */
function shortest(v: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = v.toPrecision(digits);
    if (Math.fround(Number(text)) === v) return String(Number(text));
  }
  return String(v);
}

/** Nodes that are computed in vain rather than jumped over: compilers of shaders are slow with branches, and so are their processors. */
const mostInVain = 12;
/** Functions that are more work than a branch, or fail. */
const dear: ReadonlySet<ScalarName> = new Set<ScalarName>([
  'floorDiv',
  'rem',
  'fmod',
  'pow',
  'exp',
  'log',
  'sin',
  'cos',
  'tan',
  'tanh',
  'erf',
  'threefry',
]);

/** How many nodes an expression has, if it does no harm where it is not wanted: reading out of range does none on this target, failing does. */
function sizeInVain(x: Expr): number {
  switch (x.kind) {
    case 'literal':
    case 'ref':
    case 'slot':
    case 'position':
    case 'load':
      return 1;
    case 'cast':
    case 'bitcast':
      return 1 + sizeInVain(x.value);
    case 'call':
      return dear.has(x.fn) ? Number.POSITIVE_INFINITY : x.args.reduce((n, a) => n + sizeInVain(a), 1);
    case 'choose':
      return 1 + sizeInVain(x.then) + sizeInVain(x.else);
    default:
      return x satisfies never;
  }
}

function choose(e: Scope, x: Extract<Expr, { kind: 'choose' }>): Code {
  const test = inBounds(e, x.when);
  if (sizeInVain(x) <= mostInVain) return invoke('select', value(e, x.else), value(e, x.then), test);
  const id = declare(e, 'chosen');
  const branch = (result: Expr): void => {
    e.depth++;
    const code = value(e, result);
    line(e, `${id} = ${code.text};`);
    e.depth--;
  };
  line(e, `var ${id}: ${typeOf[shaderDType(x.dtype)]};`);
  line(e, `if (${test.text}) {`);
  branch(x.then);
  line(e, '} else {');
  branch(x.else);
  line(e, '}');
  return primary(id);
}

/** The bounds that the axes in scope do not already promise. */
function inBounds(e: Scope, bounds: Condition): Code {
  let all: Code | undefined;
  const both = (test: Code): void => {
    all = all === undefined ? test : infix(all, '&', test);
  };
  for (const { at, below } of bounds) {
    const { low, high } = boundsOf(at, e.ranges);
    const limit = sizeOf(below, e.bindings);
    if (low < 0) both(infix(position(e, at), '>=', integer(0)));
    if (high >= limit) both(infix(position(e, at), '<', integer(limit)));
  }
  return all ?? primary('true');
}

function positionAs(e: Scope, at: Position, dtype: DType): Code {
  const code = position(e, at);
  switch (shaderDType(dtype)) {
    case 'i32':
      return code;
    case 'i64':
      need(e, 'to_i64');
      return invoke('to_i64', code);
    case 'f32':
      return invoke('f32', code);
    case 'u8':
      return wrap8(code);
    case 'bool':
      return infix(code, '!=', integer(0));
  }
}

export function position(e: Scope, p: Position): Code {
  switch (p.kind) {
    case 'const':
      return integer(sizeOf(p.value, e.bindings));
    case 'axis':
      return primary(nameOf(e, p.axis));
    case 'add':
      return sumOf(e, p);
    case 'mul':
      return p.by === -1 ? prefix('-', position(e, p.a)) : infix(position(e, p.a), '*', integer(sizeOf(p.by, e.bindings)));
    case 'div':
    case 'mod': {
      const by = integer(sizeOf(p.by, e.bindings));
      if (boundsOf(p.a, e.ranges).low >= 0) return infix(position(e, p.a), p.kind === 'div' ? '/' : '%', by);
      const name = p.kind === 'div' ? 'floor_divide_i32' : 'floor_remainder_i32';
      need(e, name);
      return invoke(name, position(e, p.a), by);
    }
    case 'value': {
      const code = value(e, p.value);
      return p.value.dtype === 'u8' ? code : cast(code, shaderDType(p.value.dtype), 'i32', askedOf(e));
    }
    default:
      return p satisfies never;
  }
}

function sumOf(e: Scope, p: Position): Code {
  let sum: Code | undefined;
  for (const { isNegative, term } of summandsOf(p)) {
    const code = position(e, term);
    if (sum !== undefined) sum = infix(sum, isNegative ? '-' : '+', code);
    else sum = isNegative ? prefix('-', code) : code;
  }
  return sum!;
}
