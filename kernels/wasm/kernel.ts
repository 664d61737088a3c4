// A kernel as functions: the statements at its top become phases, which threads share where they are loops of independent turns.
import { bytesPerElement, type DType } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import { argumentBlock } from '../../runtime/program.ts';
import type { Extent, Kernel, Param, Stmt } from '../loop.ts';
import { type LibraryRoutine, routines } from '../routines.ts';
import { effectsOf, freshName, type Loop } from '../schedule/rewrite.ts';
import { workOf } from '../schedule/work.ts';
import { mostOf } from '../size.ts';
import { castScalar } from './cast.ts';
import { sizeOf } from './expression.ts';
import type { FunctionBuilder, FunctionRef, Node, Type } from './function.ts';
import { typeOf } from './scalar.ts';
import { type Buffer, bindSizes, bufferOf, emptyScope, type Scope } from './scope.ts';
import { sortRows, sortScratch } from './sort.ts';
import { scalarLoop, statements } from './statement.ts';
import { host, type Unit } from './unit.ts';
import { accumulatedOutside, vectorLoop } from './vector-loop.ts';

/**
 * A function `(args, scratch, ...params, ...sizes)`, for a loop also `(..., from, to)`, which computes that part of it. Phases run one after
 * the other, those of one group at the same time.
 */
export type Phase = {
  readonly fn: FunctionRef;
  /** Which buffers of the kernel it takes, by name. */
  readonly params: readonly string[];
  /** How many of them, from the first, come as addresses at the start of the thread's scratch: engines limit the number of parameters. */
  readonly inTable: number;
  readonly sizes: readonly number[];
  /** For a loop that may be cut: its turns, and how many are done by one call. */
  readonly turns: Extent | undefined;
  readonly grain: number;
  /** Phases of one group are shared by threads as one long loop; undefined where one thread does it all. */
  readonly group: { readonly turns: Extent } | undefined;
  readonly canFail: boolean;
};

export type EmittedKernel = { readonly phases: readonly Phase[]; readonly sharedScratchBytes: number; readonly threadScratchBytes: number };

/** Instructions from which on a loop is a function of its own, which the engine then compiles well early on. */
const ownFunction = 4_000;
/** Engines refuse functions of more than a thousand. */
const mostParameters = 500;
/** Instructions of one call: engines replace slow code between calls, not within. */
const perCall = 16_000;
/** Instructions from which on threads share a loop: about 20 microseconds. */
const shareFrom = 60_000;

/** What phases of one kernel have in common. */
type Kernels = {
  readonly unit: Unit;
  readonly kernel: Kernel;
  readonly slotsAt: number;
  /** Scratch that several phases use, by name: its place in the memory that all threads share. */
  readonly shared: Map<string, { readonly offset: number; readonly dtype: DType }>;
  /** Scalars that later phases read. */
  readonly cells: Map<string, { readonly offset: number; readonly dtype: DType; readonly isVariable: boolean }>;
  sharedScratchBytes: number;
  threadScratchBytes: number;
  count: number;
};

export function emitKernel(unit: Unit, kernel: Kernel, slotsAt: number): EmittedKernel {
  const k: Kernels = {
    unit,
    kernel,
    slotsAt,
    shared: new Map(),
    cells: new Map(),
    sharedScratchBytes: 0,
    threadScratchBytes: 0,
    count: 0,
  };
  const parts = partsOf(kernel);
  shareNames(k, parts);
  const phases = parts.flatMap((part) => phasesOf(k, part));
  return { phases, sharedScratchBytes: k.sharedScratchBytes, threadScratchBytes: k.threadScratchBytes };
}

/** Statements that one function runs in order, or one loop whose turns are independent. */
type Part =
  | { readonly kind: 'sequence'; readonly body: readonly Stmt[] }
  | { readonly kind: 'turns'; readonly loop: Loop }
  | Members
  | Sort;
type Sort = { readonly kind: 'sort'; readonly call: Extract<Stmt, { kind: 'library' }> };
type Members = { readonly kind: 'members'; readonly table: Extract<Stmt, { kind: 'members' }> };

function partsOf({ body }: Kernel): Part[] {
  const parts: Part[] = [];
  let sequence: Stmt[] = [];
  const close = (): void => {
    if (sequence.length > 0) parts.push({ kind: 'sequence', body: sequence });
    sequence = [];
  };
  for (const s of body) {
    const part: Part | undefined =
      s.kind === 'members'
        ? { kind: 'members', table: s }
        : s.kind === 'library' && s.routine === 'sort'
          ? { kind: 'sort', call: s }
          : isIndependent(s) && workOf([s]) >= ownFunction
            ? { kind: 'turns', loop: s }
            : undefined;
    if (part === undefined) sequence.push(s);
    else {
      close();
      parts.push(part);
    }
  }
  close();
  return parts;
}

/** Whether turns of a loop may run in any order and by any thread. */
const isIndependent = (s: Stmt): s is Loop =>
  s.kind === 'loop' && s.step === undefined && (s.mode === 'par' || (s.mode === 'vector' && accumulatedOutside(s).length === 0));

function bodyOf(part: Part): readonly Stmt[] {
  switch (part.kind) {
    case 'sequence':
      return part.body;
    case 'turns':
      return [part.loop];
    case 'members':
      return [part.table];
    case 'sort':
      return [part.call];
    default:
      return part satisfies never;
  }
}

/** Scratch and scalars of the kernel's top that another part uses get a place that all threads see. */
function shareNames(k: Kernels, parts: readonly Part[]): void {
  parts.forEach((part, i) => {
    if (part.kind !== 'sequence') return;
    const later = parts.slice(i + 1).map((p) => effectsOf(bodyOf(p)));
    for (const s of part.body) {
      if (s.kind !== 'scratch' && s.kind !== 'let' && s.kind !== 'var') continue;
      if (!later.some(({ reads, writes }) => reads.has(s.name) || writes.has(s.name))) continue;
      const offset = k.sharedScratchBytes;
      if (s.kind === 'scratch') {
        k.shared.set(s.name, { offset, dtype: s.dtype });
        k.sharedScratchBytes = aligned(offset + mostOf(s.length) * bytesPerElement[s.dtype]);
      } else {
        const dtype = s.kind === 'let' ? s.value.dtype : s.init.dtype;
        k.cells.set(s.name, { offset, dtype, isVariable: s.kind === 'var' });
        k.sharedScratchBytes = offset + 64;
      }
    }
  });
}

/** A line behind the end stays free, as vectors may read past it. */
const aligned = (bytes: number): number => (Math.ceil(bytes / 64) + 1) * 64;

function phasesOf(k: Kernels, part: Part): Phase[] {
  switch (part.kind) {
    case 'sequence':
      return sequencePhases(k, part.body);
    case 'turns':
      return [turnsPhase(k, part.loop)];
    case 'members':
      return memberPhases(k, part.table);
    case 'sort':
      return sortPhases(k, part.call);
    default:
      return part satisfies never;
  }
}

/** Routines are called by the host's hand between functions, and so stand in functions of their own. */
function sequencePhases(k: Kernels, body: readonly Stmt[]): Phase[] {
  const declared = new Set(body.flatMap((s) => (s.kind === 'let' || s.kind === 'var' || s.kind === 'scratch' ? [s.name] : [])));
  const fn = phaseFunction(k, body, [], [], (s) => {
    loadCells(k, s, body, declared);
    for (const stmt of body) {
      if (stmt.kind === 'library') callRoutine(s, stmt);
      else statements(s, [stmt]);
    }
    storeCells(k, s, body, declared);
  });
  return [{ ...fn, sizes: [], turns: undefined, grain: 1, group: undefined }];
}

function turnsPhase(k: Kernels, loop: Loop): Phase {
  const fn = phaseFunction(k, [loop], [], ['i32', 'i32'], (s, own) => {
    loadCells(k, s, [loop], new Set());
    turns(s, loop, own(0), own(1));
  });
  const work = workOf([loop]);
  const group = work >= shareFrom ? { turns: loop.extent } : undefined;
  return { ...fn, sizes: [], turns: loop.extent, grain: grainOf(loop, work), group };
}

const turns = (s: Scope, loop: Loop, from: Node, to: Node): void =>
  loop.mode === 'vector' ? vectorLoop(s, loop, from, to, statements) : scalarLoop(s, { ...loop, mode: 'par' }, from, to);

/** Turns of one call; whole vectors of them. */
function grainOf({ extent, mode }: Loop, work: number): number {
  const whole = mostOf(extent);
  const grain = Math.max(1, Math.floor((whole * perCall) / Math.max(1, work)));
  return Math.min(whole, mode === 'vector' ? Math.max(64, grain - (grain % 64)) : grain);
}

/** A table of members: the body is one function, called with the buffers and sizes of each. */
function memberPhases(k: Kernels, table: Extract<Stmt, { kind: 'members' }>): Phase[] {
  const [only] = table.body;
  const loop = table.body.length === 1 && isIndependent(only!) ? only : undefined;
  const fn = phaseFunction(
    k,
    table.body,
    table.buffers,
    [...table.sizes.map((): Type => 'i32'), ...(loop === undefined ? [] : (['i32', 'i32'] as const))],
    (s, own) => {
      for (const [i, size] of table.sizes.entries()) s.sizes.set(size, own(i));
      loadCells(k, s, table.body, new Set());
      if (loop === undefined) statements(s, table.body);
      else turns(s, loop, own(table.sizes.length), own(table.sizes.length + 1));
    },
  );
  const extentOf = (sizes: readonly number[]): number | undefined => {
    if (loop === undefined) return undefined;
    const { extent } = loop;
    return typeof extent === 'number' ? extent : sizes[table.sizes.indexOf(extent.size)]!;
  };
  const perTurn = loop === undefined ? 0 : workOf([{ ...loop, extent: 4096 }]) / 4096;
  const total = table.rows.reduce((n, { sizes }) => n + (extentOf(sizes) ?? 0), 0);
  const group = total * perTurn >= shareFrom ? { turns: total } : undefined;
  return table.rows.map(({ buffers, sizes }) => {
    const whole = extentOf(sizes);
    const grain = whole === undefined ? 1 : grainOf({ ...loop!, extent: whole }, whole * perTurn);
    return {
      ...fn,
      params: [...fn.params.slice(0, fn.params.length - table.buffers.length), ...buffers],
      sizes,
      turns: whole,
      grain: Math.max(grain, 1),
      group,
    };
  });
}

/** Rows, each sorted by itself. Scratch of a single row lies where there is one for all threads. */
function sortPhases(k: Kernels, call: Sort['call']): Phase[] {
  const [outer, extent, inner] = call.extents as readonly [number, number, number];
  const [descending, most] = call.flags as readonly [number, number];
  const rows = outer * inner;
  const kept = most < 0 ? extent : most;
  if (rows === 0 || kept === 0) return [];
  const fn = phaseFunction(k, [call], [], ['i32', 'i32'], (s, own) => {
    const [x, values, order] = call.buffers.map((name) => bufferOf(s, name)) as [Buffer, Buffer, Buffer];
    const shape = { dtype: x.dtype, order: order.dtype as 'i32' | 'i64', extent, inner, kept, descending: descending === 1 };
    const name = freshName('items', new Set([...s.buffers.keys(), ...k.shared.keys()]));
    if (rows === 1) {
      k.shared.set(name, { offset: k.sharedScratchBytes, dtype: 'i64' });
      k.sharedScratchBytes = aligned(k.sharedScratchBytes + sortScratch(shape));
    }
    sortRows(s.f, s.unit, shape, [x.address, values.address, order.address], s.scratch.place(name, sortScratch(shape)), own(0), own(1));
  });
  const work = workOf([call]);
  const group = rows > 1 && work >= shareFrom ? { turns: rows } : undefined;
  return [{ ...fn, sizes: [], turns: rows, grain: Math.min(rows, Math.max(1, Math.floor((rows * perCall) / work))), group }];
}

// ---- functions

/**
 * A function over those buffers that the statements use, `extra` ones, and further i32 operands. `body` gets its scope, and the further
 * operands by index.
 */
function phaseFunction(
  k: Kernels,
  body: readonly Stmt[],
  extra: readonly Pick<Param, 'name' | 'dtype'>[],
  more: readonly Type[],
  write: (s: Scope, own: (i: number) => Node) => void,
): Pick<Phase, 'fn' | 'params' | 'inTable' | 'canFail'> {
  const { unit, kernel } = k;
  const { reads, writes } = effectsOf(body);
  const used: Pick<Param, 'name' | 'dtype'>[] = kernel.params.filter(({ name }) => reads.has(name) || writes.has(name));
  const buffers = [...used, ...extra];
  const name = `${kernel.name}${k.count++ === 0 ? '' : `_${k.count}`}`;
  const inTable = buffers.length + more.length > mostParameters ? used.length : 0;
  const passed = buffers.slice(inTable);
  const fn = unit.module.declare(name, ['i32', 'i32', ...passed.map((): Type => 'i32'), ...more], []);
  const { slots, sizes, canFail } = gatherNeeds(body, { slots: new Set(), sizes: new Set(), canFail: false });
  unit.module.define(fn, (f) => {
    const s = scopeOf(k, f, body, slots, 4 * inTable);
    if (sizes.size > 0) bindSizes(s, kernel, k.slotsAt);
    for (const [i, b] of buffers.entries()) {
      const address = i < inTable ? f.load('i32.load', f.param(1), 4 * i) : f.param(2 + i - inTable);
      s.buffers.set(b.name, { dtype: b.dtype, address });
    }
    write(s, (i) => f.param(2 + passed.length + i));
    f.return_();
  });
  return { fn, params: buffers.map((b) => b.name), inTable, canFail };
}

/** `reserved`: bytes at the start of the thread's scratch that are taken. */
function scopeOf(k: Kernels, f: FunctionBuilder, body: readonly Stmt[], slots: ReadonlySet<number>, reserved: number): Scope {
  const args = f.param(0);
  const ownScratch = f.param(1);
  let top = reserved === 0 ? 0 : aligned(reserved);
  k.threadScratchBytes = Math.max(k.threadScratchBytes, top);
  let sharedBase: Node | undefined;
  const inShared = (offset: number): Node => {
    sharedBase ??= f.bind(f.load('i32.load', args, argumentBlock.sharedScratch));
    return f.bind(f.op('i32.add', sharedBase, f.i32(offset)));
  };
  const s = emptyScope(
    { unit: k.unit, f, args },
    {
      place(name, bytes) {
        const known = k.shared.get(name);
        if (known !== undefined) return inShared(known.offset);
        const offset = top;
        top = aligned(top + bytes);
        k.threadScratchBytes = Math.max(k.threadScratchBytes, top);
        return f.bind(f.op('i32.add', ownScratch, f.i32(offset)));
      },
      within(inner) {
        const before = top;
        inner();
        top = before;
      },
    },
  );
  const { reads, writes } = effectsOf(body);
  for (const [name, { offset, dtype }] of k.shared)
    if (reads.has(name) || writes.has(name)) s.buffers.set(name, { dtype, address: inShared(offset) });
  for (const index of slots) {
    const dtype = k.kernel.slots[index];
    if (dtype === undefined) throw new InternalError(`slot ${index} is not declared`, { op: 'emit', fix: `kernel ${k.kernel.name}` });
    s.slots.set(index, f.bind(castScalar(s, f.load('f64.load', args, k.slotsAt + 8 * index), 'f64', dtype)));
  }
  return s;
}

/** What stands anywhere in statements, which are plain data: slots, sizes, and whether anything can fail. */
type Needs = { readonly slots: Set<number>; readonly sizes: Set<string>; canFail: boolean };

function gatherNeeds(x: unknown, into: Needs): Needs {
  if (Array.isArray(x)) for (const element of x) gatherNeeds(element, into);
  else if (typeof x === 'object' && x !== null) {
    const { kind, fn, index, size } = x as {
      readonly kind?: unknown;
      readonly fn?: unknown;
      readonly index?: unknown;
      readonly size?: unknown;
    };
    if (kind === 'slot') into.slots.add(index as number);
    if (typeof size === 'string') into.sizes.add(size);
    into.canFail ||= kind === 'check' || fn === 'floorDiv' || fn === 'rem' || fn === 'fmod';
    for (const key in x) gatherNeeds(x[key as keyof typeof x], into);
  }
  return into;
}

// ---- scalars that outlive a phase

const cellLoads = { f32: 'f32.load', f64: 'f64.load', i32: 'i32.load', i64: 'i64.load' } as const;
const cellStores = { f32: 'f32.store', f64: 'f64.store', i32: 'i32.store', i64: 'i64.store' } as const;
const cellType = (dtype: DType): keyof typeof cellLoads => typeOf[dtype as Exclude<DType, 'f16'>] as keyof typeof cellLoads;

function loadCells(k: Kernels, s: Scope, body: readonly Stmt[], declared: ReadonlySet<string>): void {
  const { reads, writes } = effectsOf(body);
  for (const [name, { offset, dtype, isVariable }] of k.cells) {
    if (declared.has(name) || !(reads.has(name) || writes.has(name))) continue;
    const type = cellType(dtype);
    const value = s.f.load(cellLoads[type], s.f.load('i32.load', s.args, argumentBlock.sharedScratch), offset);
    if (!isVariable) s.names.set(name, { kind: 'value', dtype, node: s.f.bind(value) });
    else {
      const local = s.f.local(type);
      s.f.set(local, value);
      s.names.set(name, { kind: 'variable', dtype, local });
    }
  }
}

function storeCells(k: Kernels, s: Scope, body: readonly Stmt[], declared: ReadonlySet<string>): void {
  const { writes } = effectsOf(body);
  for (const [name, { offset, dtype }] of k.cells) {
    if (!declared.has(name) && !writes.has(name)) continue;
    const found = s.names.get(name)!;
    const value = found.kind === 'value' ? found.node : found.kind === 'variable' ? s.f.get(found.local) : undefined;
    if (value === undefined) throw new InternalError(`${name} differs from lane to lane at the end of its phase`, { op: 'emit' });
    s.f.store(cellStores[cellType(dtype)], s.f.load('i32.load', s.args, argumentBlock.sharedScratch), value, offset);
  }
}

// ---- routines of the host

/** The host's name of a routine says the dtypes of its buffers, since it gets mere addresses. */
const routineName = (routine: LibraryRoutine, dtypes: readonly DType[]): string => [routine, ...dtypes].join('_');

function callRoutine(s: Scope, { routine, buffers, extents, flags }: Extract<Stmt, { kind: 'library' }>): void {
  const found = buffers.map((name) => s.buffers.get(name)!);
  const operands = [...found.map((b) => b.address), ...extents.map((e) => sizeOf(s, e)), ...flags.map((n) => s.f.i32(n))];
  if (!Object.hasOwn(routines, routine)) throw new InternalError(`there is no routine ${routine}`, { op: 'emit' });
  const fn = host(
    s.unit,
    routineName(
      routine,
      found.map((b) => b.dtype),
    ),
    operands.map((): Type => 'i32'),
    [],
  );
  s.f.call(fn, operands);
}
