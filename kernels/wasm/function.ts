// Builds the body of one WebAssembly function: expressions are trees, statements write them out as bytes at once.
import { InternalError } from '../../runtime/errors.ts';
import { append, type Bytes, bytes, f32Bits, f64Bits, pushByte, pushPadded, pushU32 } from './bytes.ts';
import { pushInstruction } from './encode.ts';
import {
  type FunctionRef,
  type Immediate,
  isConstant,
  type Local,
  type Node,
  node,
  read,
  type VectorConstant,
  vectorBytes,
  vectorKey,
} from './node.ts';
import { type Opcode, type OpName, opcodes, type Type, typeCodes } from './opcode.ts';

export type { FunctionRef, Local, Node } from './node.ts';
export type { OpName, Type } from './opcode.ts';

/** Where a branch goes: nesting depth of its block. */
export type Label = { readonly depth: number };

type Load = Extract<OpName, `${string}.load${string}`>;
export type LoadName = Exclude<Load, `${string}_lane` | `${string}.atomic.${string}`>;
type Store = Extract<OpName, `${string}.store${string}`>;
export type StoreName = Exclude<Store, `${string}_lane` | `${string}.atomic.${string}`>;
export type LoadLaneName = Extract<Load, `${string}_lane`>;
export type StoreLaneName = Extract<Store, `${string}_lane`>;
/** Atomic accesses of the address, then their other operands. */
export type AtomicName = Extract<OpName, `${string}.atomic.${string}`> | 'atomic.fence';
type LaneShape = 'i8x16' | 'i16x8' | 'i32x4' | 'i64x2' | 'f32x4' | 'f64x2';
type ExtractShape = 'i8x16_s' | 'i8x16_u' | 'i16x8_s' | 'i16x8_u' | 'i32x4' | 'i64x2' | 'f32x4' | 'f64x2';

export type FunctionBuilder = {
  /** The i-th parameter; parameters are never assigned. */
  param(i: number): Node;
  /** A local that can be assigned, zero at first or what a released local left in it. A local with a name is never used again. */
  local(type: Type, name?: string): Local;
  release(local: Local): void;
  get(local: Local): Node;
  set(local: Local, value: Node): void;
  /** Evaluates now, into a local of its own, unless the value is a constant, a parameter or bound already. */
  bind(value: Node, name?: string): Node;
  /** Runs `body` and gives back the locals that it took, but for the one that holds its result. */
  scope(body: () => Node): Node;

  /** An instruction without immediates. */
  op(name: OpName, ...args: Node[]): Node;
  /** `condition ? x : y`, both evaluated; scalars only. */
  select(condition: Node, x: Node, y: Node): Node;
  extractLane(shape: ExtractShape, lane: number, x: Node): Node;
  replaceLane(shape: LaneShape, lane: number, x: Node, value: Node): Node;
  /** Byte k of the result is byte lanes[k] of a (0 to 15) and b (16 to 31). */
  shuffle(a: Node, b: Node, lanes: readonly number[]): Node;

  i32(value: number): Node;
  i64(value: bigint): Node;
  f32(value: number): Node;
  f32Bits(bits: number): Node;
  f64(value: number): Node;
  f64Bits(bits: bigint): Node;
  /** A vector constant. It lives in a local that is set once, on entry: V8 materialises a constant in a loop anew in every round. */
  constant(value: VectorConstant): Node;

  load(name: LoadName, address: Node, offset?: number): Node;
  store(name: StoreName, address: Node, value: Node, offset?: number): void;
  loadLane(name: LoadLaneName, address: Node, vector: Node, lane: number, offset?: number): Node;
  storeLane(name: StoreLaneName, address: Node, vector: Node, lane: number, offset?: number): void;
  /** Evaluated now, in order with everything else; the result, if any, is bound. */
  atomic(name: AtomicName, args: readonly Node[], offset?: number): Node | undefined;
  memoryCopy(to: Node, from: Node, count: Node): void;
  memoryFill(to: Node, byte: Node, count: Node): void;

  block(body: (exit: Label) => void): void;
  loop(body: (again: Label) => void): void;
  if(condition: Node, then: () => void, otherwise?: () => void): void;
  br(label: Label): void;
  brIf(label: Label, condition: Node): void;
  /** To labels[index], or to `otherwise` if there is no such label. */
  brTable(index: Node, labels: readonly Label[], otherwise: Label): void;
  call(fn: FunctionRef, args: readonly Node[]): void;
  /** Calls now and binds the one result. */
  callValue(fn: FunctionRef, args: readonly Node[]): Node;
  /** Calls now and binds all results. */
  callValues(fn: FunctionRef, args: readonly Node[]): Node[];
  return_(...values: Node[]): void;
  unreachable(): void;
};

/** A finished body: entry of the code section without its length, and the calls whose indices are still to be written into it. */
export type FunctionBody = {
  readonly code: Bytes;
  readonly calls: readonly { readonly at: number; readonly fn: FunctionRef }[];
  /** Names of locals by index. */
  readonly names: ReadonlyMap<number, string>;
};

/** What building one function gathers on its way. */
type Building = {
  readonly fn: FunctionRef;
  readonly code: Bytes;
  /** Assignments of vector constants, which go before the code. */
  readonly entry: Bytes;
  readonly calls: { readonly at: number; readonly fn: FunctionRef }[];
  readonly types: Type[];
  readonly names: Map<number, string>;
  readonly free: Readonly<Record<Type, Local[]>>;
  readonly constants: Map<string, Node>;
  /** Locals bound since the innermost `scope` began. */
  bound: Local[];
  depth: number;
  /** Where the code ends that assigns `lastSet`, so that reading it at once becomes a tee. */
  setEnd: number;
  lastSet: number;
};

export function buildFunction(fn: FunctionRef, body: (f: FunctionBuilder) => void): FunctionBody {
  const b: Building = {
    fn,
    code: buffers.pop() ?? bytes(1 << 12),
    entry: buffers.pop() ?? bytes(1 << 12),
    calls: [],
    types: [],
    names: new Map(),
    free: { i32: [], i64: [], f32: [], f64: [], v128: [] },
    constants: new Map(),
    bound: [],
    depth: 0,
    setEnd: -1,
    lastSet: -1,
  };
  body(builderOf(b));
  // A body that returned may end without its value.
  if (fn.results.length > 0) pushByte(b.code, opcodes.unreachable.code);
  pushByte(b.code, opcodes.end.code);
  const finished = finish(b);
  for (const buffer of [b.code, b.entry]) {
    buffer.length = 0;
    buffers.push(buffer);
  }
  return finished;
}

/** Buffers of finished bodies, for the next: growing new ones each time would keep the collector busy. */
const buffers: Bytes[] = [];

function finish(b: Building): FunctionBody {
  const code = bytes(b.entry.length + b.code.length + 64);
  const runs: { type: Type; count: number }[] = [];
  for (const type of b.types) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ type, count: 1 });
  }
  pushU32(code, runs.length);
  for (const { type, count } of runs) {
    pushU32(code, count);
    pushByte(code, typeCodes[type]);
  }
  append(code, b.entry);
  const start = code.length;
  append(code, b.code);
  return { code, calls: b.calls.map(({ at, fn }) => ({ at: at + start, fn })), names: b.names };
}

function builderOf(b: Building): FunctionBuilder {
  const f: FunctionBuilder = {
    param: (i) => read(i, b.fn.params[i] ?? fail(b, `there is no parameter ${i}`), false),
    local: (type, name) => takeLocal(b, type, name),
    release(local) {
      if (local.name === undefined) b.free[local.type].push(local);
    },
    get: (local) => read(local.index, local.type, true),
    set(local, value) {
      expectType(b, 'local.set', local.type, value);
      expression(b, value);
      assign(b, local.index);
    },
    bind: (value, name) => bind(b, value, name),
    scope: (body) => scope(b, body),

    op: (name, ...args) => operation(b, name, args, 'none', undefined),
    select(condition, x, y) {
      expectType(b, 'select', 'i32', condition);
      expectType(b, 'select', x.type, y);
      return node(x.type, opcodes.select, [x, y, condition], undefined);
    },
    extractLane: (shape, lane, x) => operation(b, extractName(shape), [x], 'lane', lane),
    replaceLane: (shape, lane, x, value) => operation(b, `${shape}.replace_lane`, [x, value], 'lane', lane),
    shuffle(x, y, lanes) {
      if (lanes.length !== 16) fail(b, `shuffle wants 16 bytes, not ${lanes.length}`);
      return operation(b, 'i8x16.shuffle', [x, y], 'shuffle', lanes);
    },

    i32: (value) => node('i32', opcodes['i32.const'], [], value | 0),
    i64: (value) => node('i64', opcodes['i64.const'], [], value),
    f32: (value) => node('f32', opcodes['f32.const'], [], f32Bits(value)),
    f32Bits: (bits) => node('f32', opcodes['f32.const'], [], bits | 0),
    f64: (value) => node('f64', opcodes['f64.const'], [], f64Bits(value)),
    f64Bits: (bits) => node('f64', opcodes['f64.const'], [], bits),
    constant: (value) => constant(b, vectorBytes(value)),

    load: (name, address, offset = 0) => operation(b, name, [address], 'memory', offset),
    store: (name, address, value, offset = 0) => statement(b, name, [address, value], 'memory', offset),
    loadLane: (name, address, vector, lane, offset = 0) => operation(b, name, [address, vector], 'memoryLane', [offset, lane]),
    storeLane: (name, address, vector, lane, offset = 0) => statement(b, name, [address, vector], 'memoryLane', [offset, lane]),
    atomic(name, args, offset = 0) {
      const { result, immediate } = opcodes[name];
      if (result !== undefined) return bind(b, operation(b, name, args, 'memory', offset));
      statement(b, name, args, immediate, immediate === 'memory' ? offset : undefined);
      return undefined;
    },
    memoryCopy: (to, from, count) => statement(b, 'memory.copy', [to, from, count], 'memories', undefined),
    memoryFill: (to, byte, count) => statement(b, 'memory.fill', [to, byte, count], 'zero', undefined),

    block: (body) => nested(b, opcodes.block, body),
    loop: (body) => nested(b, opcodes.loop, body),
    if(condition, then, otherwise) {
      expectType(b, 'if', 'i32', condition);
      expression(b, condition);
      nested(b, opcodes.if, () => {
        then();
        if (otherwise === undefined) return;
        instruction(b, opcodes.else, undefined);
        otherwise();
      });
    },
    br: (label) => instruction(b, opcodes.br, b.depth - label.depth),
    brIf(label, condition) {
      expectType(b, 'br_if', 'i32', condition);
      expression(b, condition);
      instruction(b, opcodes.br_if, b.depth - label.depth);
    },
    brTable(index, labels, otherwise) {
      expectType(b, 'br_table', 'i32', index);
      expression(b, index);
      instruction(
        b,
        opcodes.br_table,
        [...labels, otherwise].map((label) => b.depth - label.depth),
      );
    },
    call(fn, args) {
      call(b, fn, args);
      for (const _ of fn.results) instruction(b, opcodes.drop, undefined);
    },
    callValue(fn, args) {
      if (fn.results.length !== 1) fail(b, `${fn.name} has ${fn.results.length} results, not one`);
      return f.callValues(fn, args)[0]!;
    },
    callValues(fn, args) {
      call(b, fn, args);
      // The last result is on top of the stack.
      const values = fn.results.map((_, k) => assignFresh(b, fn.results[fn.results.length - 1 - k]!, undefined));
      return values.reverse();
    },
    return_(...values) {
      if (values.length !== b.fn.results.length) fail(b, `returns ${values.length} values, not ${b.fn.results.length}`);
      for (let k = 0; k < values.length; k++) expectType(b, 'return', b.fn.results[k]!, values[k]!);
      for (const value of values) expression(b, value);
      instruction(b, opcodes.return, undefined);
    },
    unreachable: () => instruction(b, opcodes.unreachable, undefined),
  };
  return f;
}

function fail(b: Building, what: string): never {
  throw new InternalError(`${b.fn.name}: ${what}`);
}

const extractName = (shape: ExtractShape): OpName =>
  shape.endsWith('_s') || shape.endsWith('_u')
    ? (`${shape.slice(0, -2) as 'i8x16' | 'i16x8'}.extract_lane${shape.slice(-2) as '_s' | '_u'}` as const)
    : (`${shape as 'i32x4' | 'i64x2' | 'f32x4' | 'f64x2'}.extract_lane` as const);

function expectType(b: Building, name: string, type: Type, value: Node): void {
  if (value.type !== type) fail(b, `${name} wants ${type}, not ${value.type}`);
}

/** An expression of an opcode with a result, its operands checked. */
function operation(b: Building, name: OpName, args: readonly Node[], immediate: Opcode['immediate'], value: Immediate): Node {
  const op: Opcode = opcodes[name];
  check(b, name, op, args, immediate);
  return node(op.result ?? fail(b, `${name} has no result`), op, args, value);
}

/** An opcode without a result, written now. */
function statement(b: Building, name: OpName, args: readonly Node[], immediate: Opcode['immediate'], value: Immediate): void {
  const op: Opcode = opcodes[name];
  check(b, name, op, args, immediate);
  if (op.result !== undefined) fail(b, `${name} has a result`);
  for (const arg of args) expression(b, arg);
  instruction(b, op, value);
}

function check(b: Building, name: OpName, op: Opcode, args: readonly Node[], immediate: Opcode['immediate']): void {
  if (op.immediate !== immediate) fail(b, `${name} wants another immediate: ${op.immediate}`);
  if (op.operands.length !== args.length) fail(b, `${name} wants ${op.operands.length} operands, not ${args.length}`);
  for (let k = 0; k < args.length; k++) expectType(b, name, op.operands[k]!, args[k]!);
}

/** Writes a tree in postorder; chains may be long, so the walk keeps a stack of its own. */
function expression(b: Building, root: Node): void {
  const nodes = [root];
  const next = [0];
  while (nodes.length > 0) {
    const top = nodes.length - 1;
    const current = nodes[top]!;
    const k = next[top]!;
    if (k === current.args.length) {
      instruction(b, current.op, current.immediate);
      nodes.pop();
      next.pop();
      continue;
    }
    next[top] = k + 1;
    nodes.push(current.args[k]!);
    next.push(0);
  }
}

function instruction(b: Building, op: Opcode, value: Immediate): void {
  const { code } = b;
  if (op === opcodes['local.get'] && value === b.lastSet && code.length === b.setEnd) {
    code.data[b.setEnd - lengthOfIndex(b.lastSet) - 1] = opcodes['local.tee'].code;
    b.setEnd = -1;
    return;
  }
  pushInstruction(code, op, value);
}

const lengthOfIndex = (index: number): number => (index < 1 << 7 ? 1 : index < 1 << 14 ? 2 : 3);

function takeLocal(b: Building, type: Type, name: string | undefined): Local {
  const free = name === undefined ? b.free[type].pop() : undefined;
  if (free !== undefined) return free;
  const index = b.fn.params.length + b.types.length;
  b.types.push(type);
  if (name !== undefined) b.names.set(index, name);
  return { type, index, name };
}

function assign(b: Building, index: number): void {
  instruction(b, opcodes['local.set'], index);
  b.lastSet = index;
  b.setEnd = b.code.length;
}

/** The value on the stack, in a local of its own. */
function assignFresh(b: Building, type: Type, name: string | undefined): Node {
  const local = takeLocal(b, type, name);
  b.bound.push(local);
  assign(b, local.index);
  return read(local.index, type, false);
}

function bind(b: Building, value: Node, name: string | undefined = undefined): Node {
  if (value.mutable === false || isConstant(value)) return value;
  expression(b, value);
  return assignFresh(b, value.type, name);
}

function scope(b: Building, body: () => Node): Node {
  const outer = b.bound;
  b.bound = [];
  const result = bind(b, body());
  for (const local of b.bound) {
    if (local.index === result.immediate && result.mutable === false) outer.push(local);
    else if (local.name === undefined) b.free[local.type].push(local);
  }
  b.bound = outer;
  return result;
}

function nested(b: Building, op: Opcode, body: (label: Label) => void): void {
  instruction(b, op, undefined);
  b.depth++;
  body({ depth: b.depth });
  b.depth--;
  instruction(b, opcodes.end, undefined);
}

function call(b: Building, fn: FunctionRef, args: readonly Node[]): void {
  if (args.length !== fn.params.length) fail(b, `${fn.name} wants ${fn.params.length} arguments, not ${args.length}`);
  for (let k = 0; k < args.length; k++) expectType(b, fn.name, fn.params[k]!, args[k]!);
  for (const arg of args) expression(b, arg);
  instruction(b, opcodes.call, undefined);
  b.calls.push({ at: pushPadded(b.code), fn });
}

function constant(b: Building, value: Uint8Array): Node {
  const key = vectorKey(value);
  const known = b.constants.get(key);
  if (known !== undefined) return known;
  const { index } = takeFresh(b);
  pushInstruction(b.entry, opcodes['v128.const'], value);
  pushInstruction(b.entry, opcodes['local.set'], index);
  const made = read(index, 'v128', false);
  b.constants.set(key, made);
  return made;
}

/** A local that was never used: constants are assigned on entry, before any other use. */
function takeFresh(b: Building): Local {
  const index = b.fn.params.length + b.types.length;
  b.types.push('v128');
  return { type: 'v128', index, name: undefined };
}
