// Runs a Program of WebAssembly: its arguments stand in a block of linear memory, and one call runs all its kernels.
import { type Buffer, copySync, emptyBuffer, hostBuffer, readSync, release } from '../buffer.ts';
import { checkProgram } from '../check.ts';
import { bytesPerElement, type TypedArray } from '../dtype.ts';
import { DeviceError, FluxionError, InternalError, ProgramError } from '../errors.ts';
import {
  aliased,
  bytesOfBase64,
  checkArguments,
  checkArray,
  checkBuffer,
  decodeConstant,
  type Executable,
  fail,
  numel,
} from '../executable.ts';
import type { Faults } from '../faults.ts';
import { argumentBlock, launchesOf, type Port, type Program, slotsAt, type WasmModule } from '../program.ts';
import { type Registry, registryOf } from '../registry.ts';
import { lengthAt } from '../sizes.ts';
import { give, grain, type Range } from './heap.ts';
import type { LinearMemory } from './memory.ts';
import { copyIn, copyOut, makeResidency, type Residency, reserve, residentInput, residentOutput } from './residency.ts';
import type { Threads } from './threads.ts';

/** A function of the host over addresses and numbers; `name` says which, and of which dtypes. Undefined if there is none of that name. */
export type Routines = (name: string, linear: LinearMemory) => ((...args: number[]) => void) | undefined;

/** A piece of memory that all Programs use in turn, since nothing in it outlives a run: as large as the greatest of them wants. */
type Region = { range: Range | undefined };
const regionNames = ['arena', 'sharedScratch', 'threadScratch'] as const;
type RegionName = (typeof regionNames)[number];

/** What the Programs of a process have in common. */
export type Machine = {
  readonly residency: Residency;
  readonly regions: Readonly<Record<RegionName, Region>>;
  readonly routines: Routines;
  readonly threads: Threads;
  /** Modules so far, which workers know by number. */
  modules: number;
  /** Gives the memory of collected Programs back. */
  readonly programs: Registry<Range>;
};

/** The main thread alone. */
export const oneThread = (): Threads => ({ wanted: 1, pool: undefined, isRefused: false, warn: () => {}, crew: undefined });

export function makeMachine(linear: LinearMemory, routines: Routines, threads = oneThread()): Machine {
  return {
    residency: makeResidency(linear),
    regions: { arena: { range: undefined }, sharedScratch: { range: undefined }, threadScratch: { range: undefined } },
    routines,
    threads,
    modules: 0,
    programs: registryOf((range) => give(linear.heap, range)),
  };
}

/** Inputs and outputs up to this size lie on the host and are copied at each run: that costs less than keeping account of them. */
const smallBytes = 4096;

/**
 * Where the parts of a Program's own memory begin, in bytes from its start: the argument block, small inputs and outputs, constants,
 * and the module, which workers read.
 */
type Layout = {
  readonly inputs: readonly (number | undefined)[];
  readonly outputs: readonly (number | undefined)[];
  readonly constants: readonly number[];
  readonly module: number;
  readonly bytes: number;
};

function layoutOf(program: Program, moduleBytes: number): Layout {
  let end = aligned(slotsAt(program) + 8 * (program.slots.length + (program.sizes?.length ?? 0)));
  const place = (bytes: number): number => {
    const at = end;
    end = aligned(end + bytes);
    return at;
  };
  const small = (port: Port): number | undefined => {
    const bytes = numel(port.shape) * bytesPerElement[port.dtype];
    return bytes <= smallBytes ? place(bytes) : undefined;
  };
  const layout = {
    inputs: program.inputs.map(small),
    outputs: program.outputs.map((port) => (port.alias === undefined ? small(port) : undefined)),
    constants: program.constants.map((c) => place(c.length * bytesPerElement[c.dtype])),
    module: place(moduleBytes),
  };
  return { ...layout, bytes: end };
}
const aligned = (bytes: number): number => Math.ceil(bytes / grain) * grain;

/** A module as whoever binds it has it: from its bytes threads compile their own; what is compiled already is for one thread unless bytes are there too. */
export type ModuleCode = { readonly bytes?: Uint8Array<ArrayBuffer>; readonly module?: WebAssembly.Module };

/**
 * Checks the Program, compiles its module, and lays out its arguments and constants. `mark` hears of launches, if the module tells of them.
 * `given` is the module where the Program does not carry it; its bytes are as `bytesFor` makes them.
 */
export function bindWasm(
  data: Program,
  machine: Machine,
  faults?: Faults,
  mark?: (launch: number) => void,
  given?: ModuleCode,
): Executable {
  const program = checkProgram(data);
  const { module } = program;
  if (module === undefined) throw new ProgramError(`${program.name} has no WebAssembly`, { op: 'load' });
  const { residency } = machine;
  const { linear } = residency;
  const { bytes: code, module: compiled }: ModuleCode = given ?? { bytes: bytesFor(module, linear.isShared) };
  const call = instantiate(program.name, compiled ?? code!, module.imports, machine, mark);
  const shared = module.isParallel ? code : undefined;
  const layout = layoutOf(program, shared?.length ?? 0);
  const own = reserve(residency, layout.bytes, `the arguments and constants of ${program.name}`);
  const at = own.address;
  const inputsAt = at + argumentBlock.pointers;
  const outputsAt = inputsAt + 4 * program.inputs.length;
  const constantsAt = outputsAt + 4 * program.outputs.length;
  const slotsFrom = (at + slotsAt(program)) / 8;
  const setWord = (address: number, value: number): void => {
    linear.words[address / 4] = value;
  };
  linear.words.fill(0, at / 4, (at + layout.bytes) / 4);
  program.constants.forEach((constant, i) => {
    const address = at + layout.constants[i]!;
    copyIn(residency, constant.dtype, decodeConstant(constant), address);
    setWord(constantsAt + 4 * i, address);
  });
  if (shared !== undefined) copyIn(residency, 'u8', shared, at + layout.module);
  const job = { module: machine.modules++, address: at + layout.module, length: shared?.length ?? 0, args: at };

  function placeInput(i: number, buffer: Buffer): void {
    const small = layout.inputs[i];
    if (small !== undefined) {
      copyIn(residency, buffer.dtype, readSync(buffer), at + small);
      setWord(inputsAt + 4 * i, at + small);
    } else setWord(inputsAt + 4 * i, residentInput(residency, buffer, nameOf(program.inputs[i]!)));
  }

  /** The buffer of an output; if it is small, elements follow when the run is over. */
  function placeOutput(i: number, given: Buffer | undefined, sizes: readonly number[]): Buffer {
    const port = program.outputs[i]!;
    const small = layout.outputs[i];
    const buffer = given ?? emptyBuffer(port.dtype, lengthAt(port, sizes));
    setWord(outputsAt + 4 * i, small === undefined ? residentOutput(residency, buffer, nameOf(port)) : at + small);
    return buffer;
  }

  function collectOutput(i: number, buffer: Buffer): void {
    const small = layout.outputs[i];
    if (small === undefined) return;
    release(buffer);
    buffer.host = copyOut(residency, buffer.dtype, buffer.length, at + small);
  }

  function launch(slots: Float64Array, sizes: readonly number[]): void {
    const { crew } = machine.threads;
    const pool = shared && crew?.poolFor(machine.threads, linear, (bytes) => reserve(residency, bytes, 'threads').address);
    const threads = pool?.threads ?? 1;
    setWord(at + argumentBlock.arena, regionFor(machine, 'arena', program.arenaBytes, program.name));
    setWord(at + argumentBlock.sharedScratch, regionFor(machine, 'sharedScratch', module!.sharedScratchBytes, program.name));
    setWord(at + argumentBlock.threadScratch, regionFor(machine, 'threadScratch', module!.threadScratchBytes * threads, program.name));
    setWord(at + argumentBlock.status, 0);
    setWord(at + argumentBlock.arrived, 0);
    for (let i = 0; i < program.slots.length; i++) linear.doubles[slotsFrom + i] = slots[i]!;
    for (let i = 0; i < sizes.length; i++) linear.doubles[slotsFrom + program.slots.length + i] = sizes[i]!;
    if (faults?.at !== undefined) for (const i of launchesOf(program.steps).keys()) faults.at('launch', i);
    if (pool === undefined) call(at, 0, 1);
    else crew!.runOnAll(pool, job, () => call(at, 0, threads));
    const status = linear.words[(at + argumentBlock.status) / 4]!;
    if (status === 0) return;
    const { op, below } = module!.failures[status - 1]!;
    const limit = below === 'open' ? linear.doubles[(at + argumentBlock.limit) / 8] : below;
    fail(op, limit === undefined ? undefined : linear.doubles[(at + argumentBlock.value) / 8], limit);
  }

  function execute(inputs: readonly Buffer[], slots: Float64Array, given: readonly (Buffer | undefined)[] = []): Buffer[] {
    const sizes = checkArguments(program, inputs, slots, given, checkBuffer);
    residency.run++;
    const outputs: Buffer[] = [];
    try {
      for (let i = 0; i < inputs.length; i++) placeInput(i, inputs[i]!);
      for (let i = 0; i < program.outputs.length; i++) {
        const { alias } = program.outputs[i]!;
        if (alias === undefined) faults?.at?.('alloc', i);
        outputs.push(alias !== undefined ? aliased(alias, inputs, outputs) : placeOutput(i, given[i], sizes));
      }
      launch(slots, sizes);
    } catch (error) {
      for (let i = 0; i < outputs.length; i++) if (program.outputs[i]!.alias === undefined && given[i] === undefined) release(outputs[i]!);
      throw error;
    }
    for (let i = 0; i < outputs.length; i++) collectOutput(i, outputs[i]!);
    return outputs;
  }

  function run(inputs: readonly TypedArray[], slots: Float64Array, given: readonly (TypedArray | undefined)[] = []): TypedArray[] {
    checkArguments(program, inputs, slots, given, checkArray);
    const buffers = inputs.map((array, i) => hostBuffer(program.inputs[i]!.dtype, array));
    let made: readonly Buffer[] = [];
    try {
      made = execute(buffers, slots);
      const outputs: TypedArray[] = [];
      for (const [i, { alias }] of program.outputs.entries())
        outputs.push(alias !== undefined ? aliased(alias, inputs, outputs) : into(given[i], copySync(made[i]!)));
      return outputs;
    } finally {
      for (const buffer of buffers) release(buffer);
      for (const buffer of made) release(buffer);
    }
  }

  function arena(): Uint8Array {
    const address = regionFor(machine, 'arena', program.arenaBytes, program.name);
    return new Uint8Array(linear.memory.buffer, address, program.arenaBytes);
  }

  const executable: Executable = { program, arena, run, execute };
  // The layout lives as long as any of the functions above, since they close over it.
  machine.programs.register(layout, own);
  return executable;
}

const nameOf = ({ name, dtype, shape }: Port): string => `${name}: ${dtype}[${shape}]`;

function into(given: TypedArray | undefined, elements: TypedArray): TypedArray {
  given?.set(elements as never);
  return given ?? elements;
}

/** The address of a region of at least `bytes`, for now. */
function regionFor({ regions, residency }: Machine, name: RegionName, bytes: number, program: string): number {
  const region = regions[name];
  if (region.range !== undefined && region.range.bytes >= bytes) return region.range.address;
  if (bytes === 0) return 0;
  if (region.range !== undefined) give(residency.linear.heap, region.range);
  region.range = undefined;
  region.range = reserve(residency, bytes, `the ${name} of ${program}`);
  return region.range.address;
}

/** The module's `run`, with what it imports. */
function instantiate(
  name: string,
  code: BufferSource | WebAssembly.Module,
  imports: readonly string[],
  { residency, routines, threads }: Machine,
  mark: ((launch: number) => void) | undefined,
): (args: number, thread: number, threads: number) => void {
  const { linear } = residency;
  const env: Record<string, unknown> = { memory: linear.memory, mark, stalled: () => threads.pool && threads.crew!.stalled(threads.pool) };
  for (const wanted of imports) env[wanted] ??= mathematical(wanted) ?? routines(wanted, linear);
  const missing = imports.find((wanted) => env[wanted] === undefined);
  if (missing !== undefined) throw new ProgramError(`${name} calls '${missing}', which is no function of this device`, { op: 'load' });
  let run: (args: number, thread: number, threads: number) => void;
  try {
    const compiled = code instanceof WebAssembly.Module ? code : new WebAssembly.Module(code);
    run = new WebAssembly.Instance(compiled, { env: env as WebAssembly.ModuleImports }).exports.run as typeof run;
  } catch (cause) {
    throw refusal(name, cause);
  }
  return (args, thread, threads) => {
    try {
      run(args, thread, threads);
    } catch (cause) {
      throw cause instanceof FluxionError
        ? cause
        : new InternalError(`${name} was stopped by the engine: ${String(cause)}`, { op: 'run', cause });
    }
  };
}

function refusal(name: string, cause: unknown): FluxionError {
  if (cause instanceof WebAssembly.CompileError && /content security policy|code generation/i.test(cause.message))
    return new DeviceError('this page or process forbids WebAssembly', {
      op: 'load',
      fix: "allow 'wasm-unsafe-eval' in the content security policy, or use the device 'js'",
      cause,
    });
  return new ProgramError(`the WebAssembly of ${name} is refused: ${String(cause)}`, { op: 'load', cause });
}

function mathematical(name: string): unknown {
  return Object.hasOwn(Math, name) && typeof Math[name as keyof Math] === 'function' ? Math[name as keyof Math] : undefined;
}

/** Modules are emitted for memory that is not shared; the limits of the imported one say otherwise by one bit. */
export function bytesFor(
  { base64, memoryFlagAt }: Pick<WasmModule, 'base64' | 'memoryFlagAt'>,
  isShared: boolean,
): Uint8Array<ArrayBuffer> {
  const bytes = bytesOfBase64(base64);
  if (isShared) bytes[memoryFlagAt]! |= 2;
  return bytes;
}
