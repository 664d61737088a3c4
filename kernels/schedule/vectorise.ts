// Chooses the loops that go four elements at a time: of each nest the loop where that costs least, judged by how it walks through memory.
//
// A loop of independent turns may hold other loops, which then run in all lanes together (columns of a product); a serial loop may be one if all
// that it carries are accumulators of functions that may be combined in any order. Their sums are then those of `vector` loops.
import type { DType } from '../../runtime/dtype.ts';
import type { Expr, Kernel, Position, Stmt } from '../loop.ts';
import { strideOf } from '../position.ts';
import type { ScalarName } from '../scalar.ts';
import { mostOf } from '../size.ts';
import { identityOf } from './accumulator.ts';
import { effectsOf, type Loop, mentioned, mentionsAny, valuesIn } from './rewrite.ts';
import { costOf } from './work.ts';

const lanes = 4;

export const vectorise = (kernel: Kernel): Kernel => ({ ...kernel, body: planAll(kernel.body).body });

type Plan = { readonly body: readonly Stmt[]; readonly cost: number };

function planAll(body: readonly Stmt[]): Plan {
  const plans = body.map(plan);
  return { body: plans.map((p) => p.stmt), cost: plans.reduce((sum, p) => sum + p.cost, 0) };
}

function plan(s: Stmt): { readonly stmt: Stmt; readonly cost: number } {
  switch (s.kind) {
    case 'loop': {
      const inner = planAll(s.body);
      const scalar = { stmt: { ...s, body: inner.body }, cost: turnsOf(s) * (inner.cost + 2) };
      const cost = s.mode !== 'unroll' && s.step === undefined ? costInLanes(s) : undefined;
      return cost === undefined || cost >= scalar.cost ? scalar : { stmt: { ...s, mode: 'vector' }, cost };
    }
    case 'if': {
      const [then, otherwise] = [planAll(s.then), planAll(s.else)];
      return { stmt: { ...s, then: then.body, else: otherwise.body }, cost: Math.max(then.cost, otherwise.cost) + 1 };
    }
    case 'members':
      return { stmt: { ...s, body: planAll(s.body).body }, cost: 0 };
    default:
      return { stmt: s, cost: scalarCost(s) };
  }
}

/** What is open counts by its greatest size; unknown ones are taken to be large. */
function turnsOf({ extent, step = 1 }: Loop): number {
  const most = mostOf(extent);
  return Number.isFinite(most) ? Math.ceil(most / step) : 4096;
}

// ---- what a statement costs, one element at a time

function scalarCost(s: Stmt): number {
  switch (s.kind) {
    case 'let':
    case 'assign':
    case 'accumulate':
    case 'check':
      return 1 + valueCost(s.value);
    case 'var':
      return 1 + valueCost(s.init);
    case 'store':
      return 1 + valueCost(s.value);
    case 'update':
      return 2 + valueCost(s.value);
    default:
      return 1;
  }
}

function valueCost(e: Expr): number {
  switch (e.kind) {
    case 'literal':
    case 'ref':
    case 'slot':
      return 0;
    case 'load':
    case 'position':
      return 1;
    case 'call':
      return e.args.reduce((sum, a) => sum + valueCost(a), costOf(e.fn));
    case 'cast':
    case 'bitcast':
      return 1 + valueCost(e.value);
    case 'choose':
      return 2 + Math.max(valueCost(e.then), valueCost(e.else));
    default:
      return e satisfies never;
  }
}

// ---- four at a time

/** What is known while a loop is judged: its axis, the names that differ from lane to lane, and accumulators that its turns share. */
type Judged = {
  readonly loop: Loop;
  readonly varying: Set<string>;
  readonly isSerial: boolean;
  readonly reads: ReadonlySet<string>;
  isRight: boolean;
};

/** The cost of a loop in lanes; undefined where it must not be one. */
function costInLanes(loop: Loop): number | undefined {
  const { reads } = readsOf(loop.body);
  const judged: Judged = { loop, varying: new Set([loop.axis]), isSerial: loop.mode === 'serial', reads, isRight: true };
  const declared = effectsOf(loop.body).declares;
  const cost = bodyCost(judged, loop.body, declared);
  return judged.isRight ? Math.ceil(turnsOf(loop) / lanes) * cost + 4 : undefined;
}

/** Names that are read otherwise than by being accumulated into. */
function readsOf(body: readonly Stmt[]): { readonly reads: Set<string> } {
  const reads = new Set<string>();
  const value = (e: Expr): void => void mentioned(e, reads);
  const visit = (s: Stmt): void => {
    switch (s.kind) {
      case 'loop':
        s.body.forEach(visit);
        return;
      case 'let':
      case 'assign':
      case 'accumulate':
      case 'check':
        value(s.value);
        return;
      case 'var':
        value(s.init);
        return;
      case 'store':
      case 'update':
        value(s.value);
        for (const e of valuesIn(s.at)) value(e);
        return;
      default:
        for (const name of effectsOf([s]).reads) reads.add(name);
    }
  };
  body.forEach(visit);
  return { reads };
}

function bodyCost(j: Judged, body: readonly Stmt[], declared: ReadonlySet<string>): number {
  let cost = 0;
  for (const s of body) cost += laneCost(j, s, declared);
  return cost;
}

function laneCost(j: Judged, s: Stmt, declared: ReadonlySet<string>): number {
  const refuse = (): number => {
    j.isRight = false;
    return 0;
  };
  switch (s.kind) {
    case 'loop':
      if (s.mode === 'vector') return refuse();
      return turnsOf(s) * (bodyCost(j, s.body, declared) + 2);
    case 'let': {
      const cost = 1 + lanesCost(j, s.value);
      if (varies(j, s.value)) j.varying.add(s.name);
      return cost;
    }
    case 'var':
      j.varying.add(s.name);
      return 1 + lanesCost(j, s.init);
    case 'assign':
      return declared.has(s.name) ? 1 + lanesCost(j, s.value) : refuse();
    case 'accumulate':
      if (!declared.has(s.name) && (!j.isSerial || j.reads.has(s.name) || !isFree(s.fn, s.value.dtype))) return refuse();
      return 1 + lanesCost(j, s.value);
    case 'store':
    case 'update': {
      const stride = strideIn(j, s.at);
      // Turns of a serial loop may depend on one another through memory.
      if (j.isSerial && (stride === undefined || stride === 0 || j.reads.has(s.buffer))) return refuse();
      if (stride === 0) return refuse();
      const own = stride === 1 ? 1 : 2 * lanes;
      return (s.kind === 'store' ? own : 2 * own) + lanesCost(j, s.value);
    }
    case 'check':
      return varies(j, s.value) ? 2 * lanes + lanesCost(j, s.value) : 1;
    default:
      return refuse();
  }
}

/** Whether a function may be combined in any order. */
const isFree = (fn: ScalarName, dtype: DType): boolean => identityOf(fn, dtype) !== undefined;

const varies = (j: Judged, e: Expr): boolean => mentionsAny(e, j.varying);

/** Elements from lane to lane; undefined where they lie in no regular way. */
function strideIn(j: Judged, at: Position): number | undefined {
  for (const e of valuesIn(at)) if (varies(j, e)) return undefined;
  const stride = strideOf(at, j.loop.axis);
  return typeof stride === 'number' ? stride : undefined;
}

/** An expression in lanes: what does not vary is made once, what lies side by side is one load, and the rest goes lane by lane. */
function lanesCost(j: Judged, e: Expr): number {
  if (!varies(j, e)) return 0.25;
  switch (e.kind) {
    case 'literal':
    case 'ref':
    case 'slot':
      return 0;
    case 'load': {
      const stride = strideIn(j, e.at);
      if (stride === 1) return 1;
      if (stride === -1) return 2;
      return stride === 2 && (e.dtype === 'f32' || e.dtype === 'i32') ? 3 : 2 * lanes;
    }
    case 'position':
      return strideIn(j, e.at) === undefined ? 2 * lanes : 2;
    case 'call':
      return e.args.reduce((sum, a) => sum + lanesCost(j, a), costOf(e.fn) * factorOf(e.fn, e.args.at(-1)!.dtype));
    case 'cast':
    case 'bitcast':
      return 1 + lanesCost(j, e.value);
    case 'choose':
      return 4 + lanesCost(j, e.then) + lanesCost(j, e.else) / 4;
    default:
      return e satisfies never;
  }
}

/** Instructions for four elements, where one instruction does for one: 64-bit elements fill two vectors. */
const factorOf = (fn: ScalarName, dtype: DType): number => {
  if (laneByLane.has(fn)) return lanes;
  return dtype === 'f64' || dtype === 'i64' ? 2 : 1;
};
/** Functions without a form in lanes, for any dtype. */
const laneByLane: ReadonlySet<ScalarName> = new Set(['floorDiv', 'rem', 'fmod']);
