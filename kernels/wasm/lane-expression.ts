// Expressions of a vector loop: what is the same in all lanes is made once, what lies side by side is loaded together, the rest goes lane by lane.
import type { DType } from '../../runtime/dtype.ts';
import { literalValue } from '../literal.ts';
import type { Expr } from '../loop.ts';
import { scalar } from '../scalar.ts';
import { mentionsAny } from '../schedule/rewrite.ts';
import { addressOf, computedIn, inBounds, positionValue, scalarChoice, scalarLoad, scalarValue } from './expression.ts';
import type { FunctionBuilder, Node } from './function.ts';
import { type Lanes, loadLanes, partsOf, reversedLanes, splat } from './lanes.ts';
import { laneStride } from './place.ts';
import { noHalf } from './scalar.ts';
import { bindingOf, type Scope } from './scope.ts';
import { applyLanes, bitcastLanes, castLanes, laneByLane, markNumber } from './vector.ts';

/** Whether an expression differs from lane to lane. */
export const varies = (s: Scope, e: Expr): boolean => mentionsAny(e, s.vector!.varying);

export function laneValues(s: Scope, e: Expr): Lanes {
  const { f } = s;
  const known = s.splats.get(e);
  if (known !== undefined) return known;
  if (!varies(s, e)) return invariantLanes(s, e);
  switch (e.kind) {
    case 'literal':
    case 'slot':
      return invariantLanes(s, e);
    case 'ref': {
      const found = bindingOf(s, e.name);
      if (found.kind === 'lanes') return found.lanes;
      if (found.kind === 'laneVariables') return found.locals.map((l) => f.get(l));
      return splat(f, e.dtype, scalarValue(s, e));
    }
    case 'load':
      return loadedLanes(s, e);
    case 'position':
      return positionLanes(s, e);
    case 'call': {
      const args = e.args.map((a) => laneValues(s, a));
      return applyLanes(
        s,
        e.fn,
        computedIn(e),
        args,
        e.args.map((a) => a.dtype),
        scalar[e.fn].dtype === 'compare' ? 'bool' : e.dtype,
      );
    }
    case 'cast':
      return castLanes(s, laneValues(s, e.value), e.value.dtype, e.dtype);
    case 'bitcast':
      return bitcastLanes(s, laneValues(s, e.value), e.value.dtype, e.dtype);
    case 'choose':
      return chosenLanes(s, e);
    default:
      return e satisfies never;
  }
}

/** The same value in all lanes. */
export function invariantLanes(s: Scope, e: Expr): Lanes {
  const { f } = s;
  if (e.kind === 'literal') return literalLanes(f, e);
  if (e.kind === 'load' && (e.dtype === 'f32' || e.dtype === 'i32')) {
    const { address, offset } = addressOf(s, e, e.buffer, e.at);
    return [f.load('v128.load32_splat', address, offset)];
  }
  return splat(f, e.dtype, scalarValue(s, e));
}

function literalLanes(f: FunctionBuilder, e: Extract<Expr, { kind: 'literal' }>): Lanes {
  const value = literalValue(e);
  const constantOf = (): Node => {
    switch (e.dtype) {
      case 'f32':
      case 'i32':
      case 'u8':
        return f.constant({ i32x4: Number(BigInt.asIntN(32, e.bits)) });
      case 'f64':
      case 'i64':
        return f.constant({ i64x2: BigInt.asIntN(64, e.bits) });
      case 'bool':
        return f.constant({ i32x4: value === 0 ? 0 : -1 });
      case 'f16':
        throw noHalf();
      default:
        return e.dtype satisfies never;
    }
  };
  const constant = constantOf();
  if (!Number.isNaN(Number(value))) markNumber(constant);
  return Array.from({ length: partsOf(e.dtype) }, () => constant);
}

/** Runs `compute` for one lane after another, each with the names of the loop as that lane has them. */
export function eachLane(s: Scope, dtype: DType, compute: () => Node): Lanes {
  const { vector } = s;
  const before = vector!.lane;
  const lanes = laneByLane(
    s.f,
    dtype,
    (lane) => {
      vector!.lane = lane;
      return compute();
    },
    vector!.count,
  );
  vector!.lane = before;
  return lanes;
}

function loadedLanes(s: Scope, e: Extract<Expr, { kind: 'load' }>): Lanes {
  const stride = laneStride(s, e.at);
  if (stride === 1) {
    const { address, offset } = addressOf(s, e, e.buffer, e.at);
    return loadLanes(s.f, e.dtype, address, offset);
  }
  if (stride === 2 && isEveryOther(e.dtype)) {
    const { address, offset } = addressOf(s, e, e.buffer, e.at);
    const at = s.f.bind(address);
    return [s.f.shuffle(s.f.load('v128.load', at, offset), s.f.load('v128.load', at, offset + 16), everyOther)];
  }
  if (stride === -1) return backwards(s, e);
  return eachLane(s, e.dtype, () => scalarLoad(s, e));
}

/** Elements that lie side by side the other way round: the last lane's comes first in memory. */
function backwards(s: Scope, e: Extract<Expr, { kind: 'load' }>): Lanes {
  const { f } = s;
  const vector = s.vector!;
  const before = vector.lane;
  vector.lane = vector.count - 1;
  const { address, offset } = addressOf(s, e, e.buffer, e.at);
  vector.lane = before;
  return reversedLanes(f, e.dtype, loadLanes(f, e.dtype, address, offset), vector.count);
}

/** Whether elements two apart come from two loads, of which every other lane is taken. */
const isEveryOther = (dtype: DType): boolean => dtype === 'f32' || dtype === 'i32';
const everyOther = [0, 8, 16, 24].flatMap((from) => [0, 1, 2, 3].map((byte) => from + byte));

function positionLanes(s: Scope, e: Extract<Expr, { kind: 'position' }>): Lanes {
  const { f } = s;
  const stride = laneStride(s, e.at);
  if (stride === undefined) return eachLane(s, e.dtype, () => scalarValue(s, e));
  const steps = f.constant({ i32x4: [0, stride, 2 * stride, 3 * stride] });
  return castLanes(s, [f.op('i32x4.add', f.op('i32x4.splat', positionValue(s, e.at)), steps)], 'i32', e.dtype);
}

/** Where all lanes are within bounds the branch is computed in lanes; at the edge, lane by lane. */
function chosenLanes(s: Scope, e: Extract<Expr, { kind: 'choose' }>): Lanes {
  const { f, vector } = s;
  const strides = e.when.map(({ at }) => laneStride(s, at));
  const edge = (): Lanes => eachLane(s, e.dtype, () => scalarChoice(s, e));
  if (strides.some((stride) => stride === undefined)) return edge();
  const first = inBounds(s, e.when);
  vector!.lane = vector!.count - 1;
  const last = strides.some((stride) => stride !== 0) ? inBounds(s, e.when) : undefined;
  vector!.lane = undefined;
  if (first === undefined) return laneValues(s, e.then);
  const result = Array.from({ length: partsOf(e.dtype) }, () => f.local('v128'));
  const put = (lanes: Lanes): void => {
    for (const [part, local] of result.entries()) f.set(local, lanes[part]!);
  };
  f.if(
    last === undefined ? first : f.op('i32.and', first, last),
    () => put(laneValues(s, e.then)),
    () => put(last === undefined ? laneValues(s, e.else) : edge()),
  );
  return result.map((local) => f.get(local));
}
