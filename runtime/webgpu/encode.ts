// Records one run of a Program and submits it: once, unless the run has to look at what it computed.
import { bytesPerElement, type DType, viewOf } from '../dtype.ts';
import { DeviceError } from '../errors.ts';
import type { HostCall, Program } from '../program.ts';
import { gateBinding } from './gates.ts';
import { mapped } from './memory.ts';
import type { Storage } from './places.ts';
import { isHostCall, type Op, type Plan, type Turn } from './plan.ts';
import type { PlainDispatch, Resources } from './resources.ts';
import { type Machine, newBuffer, usage } from './state.ts';
import { type Clock, type Stopwatch, startWatch } from './timestamps.ts';

/** Where the elements of a run lie. Outputs that are aliases have no memory of their own. */
export type Memories = {
  readonly arena: GPUBuffer;
  readonly read: readonly GPUBuffer[];
  readonly written: readonly (GPUBuffer | undefined)[];
  readonly constants: readonly GPUBuffer[];
};

type Recorder = {
  readonly m: Machine;
  readonly program: Program;
  readonly plan: Plan;
  readonly own: Resources;
  readonly memories: Memories;
  /** Bind groups of dispatches in order: known from an earlier run over the same buffers, or being made. */
  readonly groups: GPUBindGroup[];
  next: number;
  encoder: GPUCommandEncoder | undefined;
  pass: GPUComputePassEncoder | undefined;
  readonly watch: Stopwatch | undefined;
};

/** Something to wait for before the run goes on. */
type Wait = () => Promise<void>;

/** The numbers of bindings, as the emitter gives them: behind the launch's block (0) the slots, the status, and then buffers. */
const [slotsBinding, statusBinding, firstBuffer] = [1, 2, 3];

/** Sets of buffers of which bind groups are kept; a training step has two, as its state changes places. */
const mostSets = 32;

export function record(
  m: Machine,
  program: Program,
  plan: Plan,
  own: Resources,
  memories: Memories,
  slots: Uint8Array<ArrayBuffer> | undefined,
  clock: Clock | undefined,
): void | Promise<void> {
  if (own.generation !== m.generation) return;
  if (slots !== undefined) m.device.queue.writeBuffer(own.slots, 0, slots);
  const key = keyOf(memories);
  const known = own.groups.get(key);
  if (known !== undefined && own.dispatches !== undefined && clock === undefined) return replay(m, program, own.dispatches, known);
  const watch = clock === undefined ? undefined : startWatch(m, clock, plan.ops.length);
  const r: Recorder = {
    m,
    program,
    plan,
    own,
    memories,
    groups: known === undefined ? [] : [...known],
    next: 0,
    encoder: undefined,
    pass: undefined,
    watch,
  };
  const finish = (): void => {
    submit(r);
    if (known !== undefined) return;
    own.dispatches ??= plainDispatches(program, plan, own);
    if (own.groups.size >= mostSets) own.groups.delete(own.groups.keys().next().value!);
    own.groups.set(key, r.groups);
  };
  const steps = walk(r, plan.ops);
  const first = steps.next();
  if (first.done) return finish();
  return (async () => {
    for (let step: IteratorResult<Wait, void> = first; !step.done; step = steps.next()) {
      await step.value();
      if (own.generation !== m.generation) return;
    }
    finish();
  })();
}

/** Says again what was said before, over the same buffers. */
function replay({ device }: Machine, { name }: Program, dispatches: readonly PlainDispatch[], groups: readonly GPUBindGroup[]): void {
  const encoder = device.createCommandEncoder({ label: name });
  const pass = encoder.beginComputePass({ label: name });
  let next = 0;
  let current: GPUComputePipeline | undefined;
  for (const { pipeline, x, y, bound } of dispatches) {
    if (pipeline !== current) pass.setPipeline(pipeline);
    current = pipeline;
    if (bound) pass.setBindGroup(0, groups[next++]!);
    pass.dispatchWorkgroups(x, y);
  }
  pass.end();
  device.queue.submit([encoder.finish()]);
}

/** Undefined where gates or the host have a say. */
function plainDispatches(program: Program, { ops }: Plan, own: Resources): readonly PlainDispatch[] | undefined {
  const dispatches: PlainDispatch[] = [];
  for (const op of ops) {
    if (op.kind !== 'launch') return undefined;
    for (const [k, entry] of program.shaders!.modules[op.turn.shader]!.entries.entries()) {
      if (isHostCall(entry)) return undefined;
      const [x, y] = entry.groups;
      dispatches.push({ pipeline: own.entries[op.turn.shader]![k]!.made!, x, y, bound: entry.bindings.length > 0 });
    }
  }
  return dispatches;
}

const numbers = new WeakMap<GPUBuffer, number>();
let count = 0;
function numberOf(memory: GPUBuffer): number {
  const known = numbers.get(memory);
  if (known !== undefined) return known;
  numbers.set(memory, ++count);
  return count;
}

function keyOf({ arena, read, written }: Memories): string {
  let key = `${numberOf(arena)}`;
  for (const memory of read) key += `,${numberOf(memory)}`;
  for (const memory of written) if (memory !== undefined) key += `,${numberOf(memory)}`;
  return key;
}

/** Dispatches are numbered in the order in which they are first recorded, so a loop that is walked again starts where it did. */
function* walk(r: Recorder, ops: readonly Op[]): Generator<Wait, void, void> {
  for (const op of ops) {
    switch (op.kind) {
      case 'launch':
        yield* launch(r, op.turn);
        break;
      case 'gate':
        passOf(r);
        dispatchGate(r, op);
        break;
      case 'while':
        yield* turns(r, op);
        break;
      default:
        op satisfies never;
    }
  }
}

/** Turns of a loop that are submitted before somebody looks whether it goes on; those behind the last do nothing. */
const [fewestTurns, mostTurns] = [4, 64];

function* turns(r: Recorder, { flag, turn }: Extract<Op, { kind: 'while' }>): Generator<Wait, void, void> {
  const start = r.next;
  let goesOn = true;
  for (let ahead = fewestTurns; goesOn; ahead = Math.min(2 * ahead, mostTurns)) {
    for (let i = 0; i < ahead; i++) {
      r.next = start;
      yield* walk(r, turn);
    }
    yield async () => {
      const [word] = new Int32Array(await readBack(r, r.own.gates!.flags, 4 * flag, 4));
      goesOn = word !== 0;
    };
  }
}

function* launch(r: Recorder, turn: Turn): Generator<Wait, void, void> {
  const entries = r.program.shaders!.modules[turn.shader]!.entries;
  for (const [k, entry] of entries.entries()) {
    if (isHostCall(entry)) {
      yield () => callHost(r, turn, entry);
      continue;
    }
    const pass = r.watch === undefined ? passOf(r) : timedPass(r, turn.launch);
    const pipeline = r.own.entries[turn.shader]![k]!.made!;
    pass.setPipeline(pipeline);
    if (entry.bindings.length > 0) {
      const at = r.next++;
      r.groups[at] ??= r.m.device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: entry.bindings.map((binding) => ({ binding, resource: resourceOf(r, turn, binding) })),
      });
      pass.setBindGroup(0, r.groups[at]!);
    }
    if (turn.gated === undefined) pass.dispatchWorkgroups(entry.groups[0], entry.groups[1]);
    else pass.dispatchWorkgroupsIndirect(r.own.gates!.groups, 12 * (r.plan.firstOf[turn.gated.flag]! + turn.gated.first + k));
  }
}

function resourceOf(r: Recorder, turn: Turn, binding: number): GPUBufferBinding {
  if (binding >= firstBuffer) return { buffer: memoryOf(r, turn.storage[binding - firstBuffer]!) };
  if (binding === statusBinding) return { buffer: r.m.status };
  return binding === slotsBinding ? { buffer: r.own.slots } : { buffer: r.own.blocks, offset: turn.blockAt, size: turn.blockSize };
}

function memoryOf({ memories }: Recorder, storage: Storage): GPUBuffer {
  switch (storage.space) {
    case 'arena':
      return memories.arena;
    case 'input':
      return memories.read[storage.index]!;
    case 'output':
      return memories.written[storage.index]!;
    case 'constant':
      return memories.constants[storage.index]!;
    default:
      return storage satisfies never;
  }
}

function dispatchGate(r: Recorder, { gate, blockAt }: Extract<Op, { kind: 'gate' }>): void {
  const { open, test, flags, sizes, groups } = r.own.gates!;
  const pipeline = (gate.test === undefined ? open : test).made!;
  const at = r.next++;
  const buffers: (readonly [number, GPUBufferBinding])[] = [
    [gateBinding.gate, { buffer: r.own.blocks, offset: blockAt, size: 32 }],
    [gateBinding.flags, { buffer: flags }],
    [gateBinding.sizes, { buffer: sizes }],
    [gateBinding.groups, { buffer: groups }],
    ...(gate.test === undefined ? [] : ([[gateBinding.tests, { buffer: memoryOf(r, gate.test.storage) }]] as const)),
  ];
  r.groups[at] ??= r.m.device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map(([binding, resource]) => ({ binding, resource })),
  });
  const pass = passOf(r);
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, r.groups[at]!);
  pass.dispatchWorkgroups(1);
}

function passOf(r: Recorder): GPUComputePassEncoder {
  r.encoder ??= r.m.device.createCommandEncoder({ label: r.program.name });
  r.pass ??= r.encoder.beginComputePass({ label: r.program.name });
  return r.pass;
}

/** A pass of its own, with the times at which it began and ended. */
function timedPass(r: Recorder, launch: number): GPUComputePassEncoder {
  r.pass?.end();
  r.encoder ??= r.m.device.createCommandEncoder({ label: r.program.name });
  r.pass = r.encoder.beginComputePass({ label: r.program.name, ...r.watch!.next(launch) });
  return r.pass;
}

function submit(r: Recorder): void {
  r.pass?.end();
  r.pass = undefined;
  if (r.encoder === undefined) return;
  r.watch?.finish(r.encoder);
  r.m.device.queue.submit([r.encoder.finish()]);
  r.encoder = undefined;
  r.watch?.submitted();
}

/** Bytes of a buffer after all that was recorded so far. */
async function readBack(r: Recorder, from: GPUBuffer, at: number, bytes: number): Promise<ArrayBuffer> {
  const staging = newBuffer(r.m, 'look', bytes, usage.mapRead | usage.copyTo);
  r.pass?.end();
  r.pass = undefined;
  r.encoder ??= r.m.device.createCommandEncoder({ label: r.program.name });
  r.encoder.copyBufferToBuffer(from, at, staging, 0, staging.size);
  submit(r);
  return mapped(r.m, staging);
}

/** Does on the host what no shader does, between what was recorded before and what is recorded behind. */
async function callHost(r: Recorder, turn: Turn, { routine, buffers, numbers: told }: HostCall): Promise<void> {
  const run = r.m.routineOf(routine);
  if (run === undefined) throw new DeviceError('this runtime has no such routine', { op: routine, fix: "use the device 'wasm'" });
  const places = buffers.map(({ dtype, at }) => placeOf(r, turn, dtype, at));
  const arrays = [];
  for (const [i, { dtype, length }] of buffers.entries()) {
    const { memory, byteAt } = places[i]!;
    const bytes = 4 * Math.ceil((length * bytesPerElement[dtype]) / 4);
    arrays.push(viewOf(dtype, bytes === 0 ? new ArrayBuffer(0) : await readBack(r, memory, byteAt, bytes), 0, length));
  }
  run(...arrays, ...told);
  for (const [i, { isWritten }] of buffers.entries()) {
    if (!isWritten || arrays[i]!.length === 0) continue;
    const { memory, byteAt } = places[i]!;
    const { buffer } = arrays[i]!;
    r.m.device.queue.writeBuffer(memory, byteAt, buffer as ArrayBuffer);
  }
}

function placeOf(
  r: Recorder,
  turn: Turn,
  dtype: DType,
  at: HostCall['buffers'][number]['at'],
): { readonly memory: GPUBuffer; readonly byteAt: number } {
  if ('scratch' in at) return { memory: r.memories.arena, byteAt: 4 * (r.plan.blocks[turn.blockAt / 4 + 1]! + at.scratch) };
  const param = turn.params[at.param]!;
  return { memory: memoryOf(r, param.storage), byteAt: param.at * bytesPerElement[dtype] };
}
