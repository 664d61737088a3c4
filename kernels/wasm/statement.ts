// Statements of the loop IR as WebAssembly: loops, bindings, stores. In a vector loop each does its work for four elements.
import { bytesPerElement, type DType } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import { argumentBlock } from '../../runtime/program.ts';
import type { Expr, Position, Product, ProductDType, Stmt, Transpose } from '../loop.ts';
import type { Loop } from '../schedule/rewrite.ts';
import { mostOf } from '../size.ts';
import { addressOf, positionValue, scalarValue, scaledBy, sizeOf } from './expression.ts';
import { fail } from './failing.ts';
import type { Local, Node, StoreName } from './function.ts';
import { hoisted } from './hoist.ts';
import { invariantLanes, laneValues, varies } from './lane-expression.ts';
import { firstLanes, type Lanes, laneCount, laneOf, loadLanes, partsOf, storeLanes } from './lanes.ts';
import { laneStride } from './place.ts';
import { productFunction } from './product.ts';
import { noHalf, scalarOf, typeOf } from './scalar.ts';
import { bindingOf, bufferOf, type Scope } from './scope.ts';
import { transposeFunction } from './transpose.ts';
import { applyLanes } from './vector.ts';
import { vectorLoop } from './vector-loop.ts';

export function statements(s: Scope, body: readonly Stmt[]): void {
  for (const stmt of body) statement(s, stmt);
}

function statement(s: Scope, stmt: Stmt): void {
  switch (stmt.kind) {
    case 'loop':
      if (stmt.mode === 'vector') vectorLoop(s, stmt, s.f.i32(0), endOf(s, stmt), statements);
      else scalarLoop(s, stmt, s.f.i32(0), endOf(s, stmt));
      return;
    case 'let':
      bindLet(s, stmt);
      return;
    case 'var':
      declareVariable(s, stmt.name, stmt.init);
      return;
    case 'assign':
      assign(s, stmt.name, stmt.value);
      return;
    case 'accumulate':
      accumulate(s, stmt);
      return;
    case 'scratch':
      scratch(s, stmt);
      return;
    case 'store':
      store(s, stmt);
      return;
    case 'update':
      update(s, stmt);
      return;
    case 'if':
      branch(s, stmt);
      return;
    case 'check':
      check(s, stmt);
      return;
    case 'members':
    case 'library':
      throw new InternalError(`${stmt.kind} stands inside of a loop`, { op: 'emit' });
    case 'product':
      product(s, stmt);
      return;
    case 'transpose':
      transpose(s, stmt);
      return;
    default:
      stmt satisfies never;
  }
}

/** A call of the micro-kernel, where the operands' tiles begin. */
function product(s: Scope, stmt: Product): void {
  const { dtype } = bufferOf(s, stmt.c.buffer);
  const fn = productFunction(s.unit, { ...stmt, dtype: dtype as ProductDType });
  s.f.call(fn, [startOf(s, stmt.a), startOf(s, stmt.b), startOf(s, stmt.c), sizeOf(s, stmt.depth)]);
}

function transpose(s: Scope, stmt: Transpose): void {
  const fn = transposeFunction(s.unit, { ...stmt, dtype: bufferOf(s, stmt.to.buffer).dtype });
  s.f.call(fn, [startOf(s, stmt.to), startOf(s, stmt.from)]);
}

/** The address at which a block begins. */
function startOf(s: Scope, { buffer, at }: { readonly buffer: string; readonly at: Position }): Node {
  const { address, dtype } = bufferOf(s, buffer);
  return s.f.op('i32.add', address, scaledBy(s, positionValue(s, at), bytesPerElement[dtype]));
}

// ---- loops

/** Where a loop ends, computed before it begins. */
const endOf = (s: Scope, { extent }: Loop): Node => (typeof extent === 'number' ? s.f.i32(extent) : s.f.bind(sizeOf(s, extent)));

/** A loop that takes one turn after another, in a vector loop for all lanes. */
export function scalarLoop(s: Scope, loop: Loop, from: Node, to: Node): void {
  const { f } = s;
  const step = loop.step ?? 1;
  if (loop.extent === 0) return;
  s.ranges.set(loop.axis, loop.extent);
  if (typeof loop.extent === 'number' && loop.extent <= step) {
    s.axes.set(loop.axis, f.i32(0));
    hoisted(s, loop, () => s.scratch.within(() => statements(s, loop.body)));
  } else {
    const i = f.local('i32');
    f.set(i, from);
    s.axes.set(loop.axis, f.get(i));
    hoisted(s, loop, () => {
      const turns = (): void =>
        f.loop((again) => {
          s.scratch.within(() => statements(s, loop.body));
          f.set(i, f.op('i32.add', f.get(i), f.i32(step)));
          f.brIf(again, f.op('i32.lt_s', f.get(i), to));
        });
      if (typeof loop.extent === 'number') turns();
      else f.if(f.op('i32.lt_s', f.get(i), to), turns);
    });
    f.release(i);
  }
  s.axes.delete(loop.axis);
  s.ranges.delete(loop.axis);
}

// ---- names

/** Bound before it may be hoisted past: a value is what it was when its statement ran. */
function bindLet(s: Scope, { name, value }: Extract<Stmt, { kind: 'let' }>): void {
  const { dtype } = value;
  if (s.vector !== undefined && varies(s, value)) {
    s.vector.varying.add(name);
    s.names.set(name, { kind: 'lanes', dtype, lanes: laneValues(s, value).map((part) => s.f.bind(part)) });
  } else s.names.set(name, { kind: 'value', dtype, node: s.f.bind(scalarValue(s, value)) });
}

/** In a vector loop every variable has a value for each lane. */
function declareVariable(s: Scope, name: string, init: Expr): void {
  const { f } = s;
  const { dtype } = init;
  if (s.vector === undefined) {
    const local = f.local(typeOf[dtype as Exclude<DType, 'f16'>]);
    f.set(local, scalarValue(s, init));
    s.names.set(name, { kind: 'variable', dtype, local });
    return;
  }
  const locals = Array.from({ length: partsOf(dtype) }, () => f.local('v128'));
  setLanes(s, locals, lanesOf(s, init));
  s.vector.varying.add(name);
  s.names.set(name, { kind: 'laneVariables', dtype, locals });
}

const lanesOf = (s: Scope, e: Expr): Lanes => (varies(s, e) ? laneValues(s, e) : (s.splats.get(e) ?? invariantLanes(s, e)));

function setLanes(s: Scope, locals: readonly Local[], lanes: Lanes): void {
  for (const [part, local] of locals.entries()) s.f.set(local, lanes[part]!);
}

function assign(s: Scope, name: string, value: Expr): void {
  const found = bindingOf(s, name);
  if (found.kind === 'variable') s.f.set(found.local, scalarValue(s, value));
  else if (found.kind === 'laneVariables') {
    const lanes = lanesOf(s, value).map((part) => s.f.bind(part));
    setLanes(s, found.locals, lanes);
  } else throw new InternalError(`${name} is assigned and is no variable`, { op: 'emit' });
}

/** Lanes beyond those in use keep what they have: they are part of no sum. */
function accumulate(s: Scope, { name, fn, value }: Extract<Stmt, { kind: 'accumulate' }>): void {
  const { f } = s;
  const found = bindingOf(s, name);
  const { dtype } = value;
  if (found.kind === 'variable') {
    f.set(found.local, scalarOf(fn, dtype)(s, f.get(found.local), scalarValue(s, value)));
    return;
  }
  if (found.kind !== 'laneVariables') throw new InternalError(`${name} is accumulated and is no variable`, { op: 'emit' });
  const before = found.locals.map((l) => f.get(l));
  const after = applyLanes(s, fn, dtype, [before, lanesOf(s, value)], [dtype, dtype], dtype);
  const { count } = s.vector!;
  if (count === laneCount) setLanes(s, found.locals, after);
  else {
    const mask = firstLanes(f, count);
    const masks = partsOf(dtype) === 1 ? [mask] : wideMasks(s, count);
    setLanes(
      s,
      found.locals,
      after.map((part, p) => f.op('v128.bitselect', part, before[p]!, masks[p]!)),
    );
  }
}

const wideMasks = (s: Scope, count: number): Lanes =>
  [0, 2].map((first) => s.f.constant({ i64x2: [0, 1].map((l) => (first + l < count ? -1n : 0n)) }));

// ---- memory

const stores = { f32: 'f32.store', f64: 'f64.store', i32: 'i32.store', i64: 'i64.store', u8: 'i32.store8', bool: 'i32.store8' } as const;
function storeOf(dtype: DType): StoreName {
  if (dtype === 'f16') throw noHalf();
  return stores[dtype];
}

function store(s: Scope, stmt: Extract<Stmt, { kind: 'store' }>): void {
  const { f, vector } = s;
  const { dtype } = bufferOf(s, stmt.buffer);
  if (vector === undefined) {
    const value = scalarValue(s, stmt.value);
    const { address, offset } = addressOf(s, stmt, stmt.buffer, stmt.at);
    f.store(storeOf(dtype), address, value, offset);
    return;
  }
  const lanes = lanesOf(s, stmt.value);
  if (laneStride(s, stmt.at) === 1) {
    const { address, offset } = addressOf(s, stmt, stmt.buffer, stmt.at);
    storeLanes(f, dtype, address, offset, lanes, vector.count);
    return;
  }
  const bound = lanes.map((part) => f.bind(part));
  forLanes(s, (lane) => {
    const { address, offset } = addressOf(s, stmt, stmt.buffer, stmt.at);
    if (dtype === 'f32' || dtype === 'i32') f.storeLane('v128.store32_lane', address, bound[0]!, lane, offset);
    else f.store(storeOf(dtype), address, laneOf(f, dtype, bound, lane), offset);
  });
}

function update(s: Scope, stmt: Extract<Stmt, { kind: 'update' }>): void {
  const { f, vector } = s;
  const { dtype } = bufferOf(s, stmt.buffer);
  const combine = scalarOf(stmt.fn, dtype);
  if (vector === undefined) {
    const value = f.bind(scalarValue(s, stmt.value));
    updateOne(s, stmt, dtype, (before) => combine(s, before, value));
    return;
  }
  const lanes = lanesOf(s, stmt.value);
  if (laneStride(s, stmt.at) === 1) {
    const { address, offset } = addressOf(s, stmt, stmt.buffer, stmt.at);
    const at = f.bind(address);
    const after = applyLanes(s, stmt.fn, dtype, [loadLanes(f, dtype, at, offset), lanes], [dtype, dtype], dtype);
    storeLanes(f, dtype, at, offset, after, vector.count);
    return;
  }
  // Lanes may meet in one element: each finds what the one before it left.
  const bound = lanes.map((part) => f.bind(part));
  forLanes(s, (lane) => updateOne(s, stmt, dtype, (before) => combine(s, before, laneOf(f, dtype, bound, lane))));
}

function updateOne(s: Scope, stmt: Extract<Stmt, { kind: 'update' }>, dtype: DType, combine: (before: Node) => Node): void {
  const { f } = s;
  const { address, offset } = addressOf(s, stmt, stmt.buffer, stmt.at);
  const at = f.bind(address);
  const load = storeOf(dtype).replace('store8', 'load8_u').replace('store', 'load') as 'f32.load';
  f.store(storeOf(dtype), at, combine(f.load(load, at, offset)), offset);
}

function forLanes(s: Scope, body: (lane: number) => void): void {
  const { vector } = s;
  for (let lane = 0; lane < vector!.count; lane++) {
    vector!.lane = lane;
    body(lane);
  }
  vector!.lane = undefined;
}

/** Scratch lies where the kernel's plan says; zeros are filled in at once, other values in a loop. */
function scratch(s: Scope, stmt: Extract<Stmt, { kind: 'scratch' }>): void {
  const { f } = s;
  if (s.vector !== undefined) throw new InternalError(`scratch ${stmt.name} stands inside of a vector loop`, { op: 'emit' });
  const length = mostOf(stmt.length);
  if (!Number.isFinite(length)) throw new InternalError(`scratch ${stmt.name} has no known length`, { op: 'emit' });
  const address = s.scratch.place(stmt.name, length * bytesPerElement[stmt.dtype]);
  s.buffers.set(stmt.name, { dtype: stmt.dtype, address });
  if (stmt.init === undefined) return;
  if (stmt.init.kind === 'literal' && stmt.init.bits === 0n) {
    f.memoryFill(address, f.i32(0), f.i32(length * bytesPerElement[stmt.dtype]));
    return;
  }
  const axis = `${stmt.name}_at`;
  const fill: Loop = {
    kind: 'loop',
    axis,
    extent: length,
    mode: 'vector',
    body: [{ kind: 'store', buffer: stmt.name, at: { kind: 'axis', axis }, value: stmt.init }],
  };
  vectorLoop(s, fill, f.i32(0), f.i32(length), statements);
}

// ---- control

function branch(s: Scope, { test, then, else: otherwise }: Extract<Stmt, { kind: 'if' }>): void {
  if (s.vector !== undefined && varies(s, test))
    throw new InternalError('a branch that differs from lane to lane stands in a vector loop', { op: 'emit' });
  s.f.if(scalarValue(s, test), () => statements(s, then), otherwise.length === 0 ? undefined : () => statements(s, otherwise));
}

/** An index that is out of range ends the kernel, before anything is read with it. */
function check(s: Scope, { value, below, op }: Extract<Stmt, { kind: 'check' }>): void {
  const { f } = s;
  const limit = s.f.bind(sizeOf(s, below));
  const one = (): void => {
    const index = f.bind(scalarValue(s, value));
    const isBad = index.type === 'i64' ? f.op('i64.ge_u', index, f.op('i64.extend_i32_u', limit)) : f.op('i32.ge_u', index, limit);
    f.if(isBad, () => {
      if (typeof below !== 'number') f.store('f64.store', s.args, f.op('f64.convert_i32_s', limit), argumentBlock.limit);
      fail(
        s,
        op,
        typeof below === 'number' ? below : 'open',
        index.type === 'i64' ? f.op('f64.convert_i64_s', index) : f.op('f64.convert_i32_s', index),
      );
      f.return_();
    });
  };
  if (s.vector !== undefined && varies(s, value)) forLanes(s, one);
  else one();
}
