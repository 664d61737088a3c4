// Expressions and positions of the loop IR as WebAssembly, one value at a time; addresses, with what was added up before a loop left out.
import { bytesPerElement, type DType } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import { literalValue } from '../literal.ts';
import type { Condition, Expr, Extent, Position, Stmt } from '../loop.ts';
import { add, asConstant, axis, boundsOf, constant, mul, sub } from '../position.ts';
import { bitcastScalar, castScalar } from './cast.ts';
import type { FunctionBuilder, LoadName, Node } from './function.ts';
import { laneOf } from './lanes.ts';
import { accessOf, constantOf, regularStride } from './place.ts';
import { noHalf, scalarOf, typeOf } from './scalar.ts';
import { bindingOf, boundSize, bufferOf, type Scope, type VectorLoop } from './scope.ts';

/** The dtype that decides how a function computes: of the operands, for select of what it selects. */
export const computedIn = (e: Extract<Expr, { kind: 'call' }>): DType => (e.fn === 'select' ? e.dtype : e.args[0]!.dtype);

export function scalarValue(s: Scope, e: Expr): Node {
  switch (e.kind) {
    case 'literal':
      return literalNode(s.f, e);
    case 'ref':
      return scalarRef(s, e.name);
    case 'slot':
      return slotValue(s, e.index);
    case 'load':
      return scalarLoad(s, e);
    case 'position':
      return castScalar(s, positionValue(s, e.at), 'i32', e.dtype);
    case 'call':
      return scalarOf(e.fn, computedIn(e))(s, ...e.args.map((a) => scalarValue(s, a)));
    case 'cast':
      return castScalar(s, scalarValue(s, e.value), e.value.dtype, e.dtype);
    case 'bitcast':
      return bitcastScalar(s, scalarValue(s, e.value), e.value.dtype, e.dtype);
    case 'choose':
      return scalarChoice(s, e);
    default:
      return e satisfies never;
  }
}

function literalNode(f: FunctionBuilder, e: Extract<Expr, { kind: 'literal' }>): Node {
  const value = literalValue(e);
  switch (e.dtype) {
    case 'f32':
      return f.f32Bits(Number(e.bits));
    case 'f64':
      return f.f64Bits(e.bits);
    case 'i64':
      return f.i64(value as bigint);
    case 'i32':
    case 'u8':
    case 'bool':
      return f.i32(value as number);
    case 'f16':
      throw noHalf();
    default:
      return e.dtype satisfies never;
  }
}

function scalarRef(s: Scope, name: string): Node {
  const found = bindingOf(s, name);
  switch (found.kind) {
    case 'value':
      return found.node;
    case 'variable':
      return s.f.get(found.local);
    case 'lanes':
      return laneOf(s.f, found.dtype, found.lanes, laneInUse(s, name));
    case 'laneVariables':
      return laneOf(
        s.f,
        found.dtype,
        found.locals.map((l) => s.f.get(l)),
        laneInUse(s, name),
      );
    default:
      return found satisfies never;
  }
}

function laneInUse(s: Scope, name: string): number {
  const lane = s.vector?.lane;
  if (lane === undefined) throw new InternalError(`${name} differs from lane to lane`, { op: 'emit' });
  return lane;
}

function slotValue(s: Scope, index: number): Node {
  const found = s.slots.get(index);
  if (found === undefined) throw new InternalError(`slot ${index} is not at hand`, { op: 'emit' });
  return found;
}

const loads = { f32: 'f32.load', f64: 'f64.load', i32: 'i32.load', i64: 'i64.load', u8: 'i32.load8_u', bool: 'i32.load8_u' } as const;
const loadOf = (dtype: DType): LoadName => {
  if (dtype === 'f16') throw noHalf();
  return loads[dtype];
};

export function scalarLoad(s: Scope, e: Extract<Expr, { kind: 'load' }>): Node {
  const { address, offset } = addressOf(s, e, e.buffer, e.at);
  return s.f.load(loadOf(bufferOf(s, e.buffer).dtype), address, offset);
}

/** Only the branch that is taken is evaluated: the other may load what is not there. */
export function scalarChoice(s: Scope, e: Extract<Expr, { kind: 'choose' }>): Node {
  const { f } = s;
  const test = inBounds(s, e.when);
  if (test === undefined) return scalarValue(s, e.then);
  const result = f.local(typeOf[e.dtype as Exclude<DType, 'f16'>]);
  f.if(
    test,
    () => f.set(result, scalarValue(s, e.then)),
    () => f.set(result, scalarValue(s, e.else)),
  );
  return f.get(result);
}

/** The bounds that the axes around do not already promise; none if they promise all. One unsigned comparison tests both ends. */
export function inBounds(s: Scope, bounds: Condition): Node | undefined {
  let all: Node | undefined;
  for (const { at, below } of bounds) {
    const { low, high } = boundsOf(at, s.ranges);
    if (typeof below === 'number' && low >= 0 && high < below) continue;
    const test = s.f.op('i32.lt_u', positionValue(s, at), sizeOf(s, below));
    all = all === undefined ? test : s.f.op('i32.and', all, test);
  }
  return all;
}

// ---- positions

/** An extent as a value. */
export function sizeOf(s: Scope, size: Extent): Node {
  if (typeof size === 'number') return s.f.i32(size);
  return size.of === undefined ? boundSize(s, size.size) : positionValue(s, size.of);
}

export function positionValue(s: Scope, p: Position): Node {
  const { f } = s;
  switch (p.kind) {
    case 'const':
      return sizeOf(s, p.value);
    case 'axis':
      return axisValue(s, p.axis);
    case 'add':
      return f.op('i32.add', positionValue(s, p.a), positionValue(s, p.b));
    case 'mul':
      return scaledBy(s, positionValue(s, p.a), p.by);
    case 'div':
      return quotient(s, p);
    case 'mod':
      return remainder(s, p);
    case 'value':
      return integerValue(s, p.value);
    default:
      return p satisfies never;
  }
}

/** An integer expression as i32: what it indexes has less than 2^31 elements. */
export function integerValue(s: Scope, e: Expr): Node {
  const value = scalarValue(s, e);
  return value.type === 'i64' ? s.f.op('i32.wrap_i64', value) : value;
}

function axisValue(s: Scope, name: string): Node {
  const value = s.axes.get(name)!;
  const { vector } = s;
  if (vector?.axis !== name) return value;
  if (vector.start !== undefined) return s.f.i32(vector.start + (vector.lane ?? 0));
  const further = vector.ahead + (vector.lane ?? 0);
  return further === 0 ? value : s.f.op('i32.add', value, s.f.i32(further));
}

export function scaledBy(s: Scope, x: Node, by: Extent): Node {
  const { f } = s;
  if (by === 1) return x;
  if (typeof by === 'number' && by > 0 && (by & (by - 1)) === 0) return f.op('i32.shl', x, f.i32(Math.log2(by)));
  return f.op('i32.mul', x, sizeOf(s, by));
}

/** Engines turn division by a constant into a multiplication; only positions that may be negative need more than it. */
function quotient(s: Scope, p: Extract<Position, { kind: 'div' }>): Node {
  const { f } = s;
  if (boundsOf(p.a, s.ranges).low >= 0) return f.op('i32.div_u', positionValue(s, p.a), sizeOf(s, p.by));
  const x = f.bind(positionValue(s, p.a));
  const by = f.bind(sizeOf(s, p.by));
  const q = f.bind(f.op('i32.div_s', x, by));
  return f.op('i32.sub', q, f.op('i32.lt_s', f.op('i32.sub', x, f.op('i32.mul', q, by)), f.i32(0)));
}

function remainder(s: Scope, p: Extract<Position, { kind: 'mod' }>): Node {
  const { f } = s;
  if (boundsOf(p.a, s.ranges).low >= 0) return f.op('i32.rem_u', positionValue(s, p.a), sizeOf(s, p.by));
  const by = f.bind(sizeOf(s, p.by));
  const r = f.bind(f.op('i32.rem_s', positionValue(s, p.a), by));
  return f.op('i32.add', r, f.op('i32.and', f.op('i32.shr_s', r, f.i32(31)), by));
}

/** Where an element lies: an address and the constant number of bytes to be added to it. */
export function addressOf(s: Scope, place: Expr | Stmt, buffer: string, at: Position): { readonly address: Node; readonly offset: number } {
  const { f } = s;
  const bytes = bytesPerElement[bufferOf(s, buffer).dtype];
  const { base, rest: whole, isBehindStart } = s.accesses.get(place) ?? accessOf(s, buffer, at);
  const { rest, ...left } = inLane(s, whole);
  const fixed = constantOf(rest);
  const varying = sub(rest, constant(fixed));
  // An offset is never negative, and what it is added to must not be either.
  const isOffset = fixed >= 0 && isBehindStart && boundsOf(varying, s.ranges).low >= 0;
  const moved = isOffset ? varying : rest;
  const offset = isOffset ? fixed * bytes : 0;
  const elements = asConstant(moved);
  if (elements === 0) return { address: base, offset };
  const { lane, ahead } = s.vector ?? left;
  if (s.vector !== undefined) Object.assign(s.vector, left);
  const address = f.op('i32.add', base, scaledBy(s, positionValue(s, moved), bytes));
  if (s.vector !== undefined) Object.assign(s.vector, { lane, ahead });
  return { address, offset };
}

/** A position in the lane in use. Where lanes lie at regular distances, that is a constant: `lane` and `ahead` are what is left to be minded. */
function inLane({ vector }: Scope, at: Position): { readonly rest: Position } & Pick<VectorLoop, 'lane' | 'ahead'> {
  const nothingLeft = { lane: undefined, ahead: 0 };
  if (vector === undefined) return { rest: at, ...nothingLeft };
  const { lane, start, ahead } = vector;
  const further = ahead + (lane ?? 0);
  const stride = lane === undefined && start === undefined && ahead === 0 ? undefined : regularStride(vector, at);
  if (stride === undefined) return { rest: at, lane, ahead };
  if (start === undefined) return { rest: add(at, constant(stride * further)), ...nothingLeft };
  return { rest: add(sub(at, mul(axis(vector.axis), stride)), constant(stride * (start + further))), ...nothingLeft };
}
