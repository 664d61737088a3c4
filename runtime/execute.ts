// Runs a Program of JavaScript: buffers are resolved once, when it is bound; a run allocates its outputs and nothing else.

import { type Buffer, hostBuffer, readSync } from './buffer.ts';
import { checkProgram } from './check.ts';
import { allocate, bytesPerElement, type TypedArray, viewOf } from './dtype.ts';
import { ArgumentError, DTypeError, IndexError, LinAlgError, OutOfMemoryError, ProgramError, ShapeError } from './errors.ts';
import type { Faults } from './faults.ts';
import type { BufferRef, ConstantData, OutputPort, Port, Program } from './program.ts';

/** A kernel's code: its buffers in order, then the block of slot values, then `fail`. */
export type KernelFunction = (...args: unknown[]) => void;

export type Executable = {
  readonly program: Program;
  /** Memory of the intermediates as it lies now. Nothing in it outlives a run. */
  readonly arena: () => Uint8Array;
  /**
   * `outputs[i]`, where given, is written instead of a fresh array; it must not overlap an input unless it is never read after it is written.
   * An output that is an input, or another output, under a new shape is that same array.
   */
  readonly run: (inputs: readonly TypedArray[], slots: Float64Array, outputs?: readonly (TypedArray | undefined)[]) => TypedArray[];
  /** The same over buffers, which stay where the device likes to have them. */
  readonly execute: (inputs: readonly Buffer[], slots: Float64Array, outputs?: readonly (Buffer | undefined)[]) => Buffer[];
};

/** What a kernel calls when its data cannot be computed with: an index out of range, a matrix (told in words), or (with a text alone) a division by zero. */
export function fail(what: string, value?: number | bigint | string, below?: number): never {
  if (typeof value === 'string') throw new LinAlgError(value, { op: what });
  if (value === undefined || below === undefined) throw new ArgumentError(what);
  throw new IndexError(`index ${value} is out of range for a dimension of ${below} elements`, {
    op: what,
    ...(below > 0 ? { fix: `use 0 to ${below - 1}` } : {}),
  });
}

/** An argument of a launch that is bound anew by every run. */
type Varying = { readonly args: unknown[]; readonly at: number; readonly space: 'input' | 'output'; readonly index: number };

/** Checks the Program, allocates its arena and constants, and ties each launch to its function. `functions` stand in the order of `program.kernels`. */
export function bind(data: Program, functions: readonly KernelFunction[], faults?: Faults): Executable {
  const program = checkProgram(data);
  if (functions.length !== program.kernels.length)
    throw new ProgramError(`${functions.length} functions for ${program.kernels.length} kernels`, { op: 'load' });
  const arena = reserve(`the arena of ${program.name}`, program.arenaBytes, () => new ArrayBuffer(program.arenaBytes));
  const constants = program.constants.map(decodeConstant);
  const varying: Varying[] = [];
  const slotArgs: unknown[][] = [];
  const launches = program.launches.map((launch) => {
    const args: unknown[] = launch.buffers.map((ref) => resolve(ref, arena, constants));
    for (const [at, ref] of launch.buffers.entries())
      if (ref.space === 'input' || ref.space === 'output') varying.push({ args, at, space: ref.space, index: ref.index });
    args.push(undefined, fail);
    slotArgs.push(args);
    return { call: functions[launch.kernel]!, args };
  });

  function run(inputs: readonly TypedArray[], slots: Float64Array, given: readonly (TypedArray | undefined)[] = []): TypedArray[] {
    checkArguments(program, inputs, slots, given);
    const outputs = makeOutputs(program, inputs, given, faults);
    for (const v of varying) v.args[v.at] = v.space === 'input' ? inputs[v.index] : outputs[v.index];
    for (const args of slotArgs) args[args.length - 2] = slots;
    try {
      for (let i = 0; i < launches.length; i++) {
        faults?.at?.('launch', i);
        const { call, args } = launches[i]!;
        call.apply(undefined, args);
      }
    } finally {
      // A bound Program stays in a cache: it must not keep its last caller's tensors alive.
      for (const v of varying) v.args[v.at] = undefined;
    }
    return outputs;
  }
  function execute(inputs: readonly Buffer[], slots: Float64Array, given: readonly (Buffer | undefined)[] = []): Buffer[] {
    const arrays = run(
      inputs.map(readSync),
      slots,
      given.map((buffer) => buffer && readSync(buffer)),
    );
    const outputs: Buffer[] = [];
    for (const [i, { alias, dtype }] of program.outputs.entries())
      outputs.push(alias !== undefined ? aliased(alias, inputs, outputs) : (given[i] ?? hostBuffer(dtype, arrays[i]!)));
    return outputs;
  }
  return { program, arena: () => new Uint8Array(arena), run, execute };
}

/** What an output is that is no array of its own. */
const aliased = <T>({ space, index }: NonNullable<OutputPort['alias']>, inputs: readonly T[], outputs: readonly T[]): T =>
  (space === 'input' ? inputs : outputs)[index]!;

function resolve(ref: BufferRef, arena: ArrayBuffer, constants: readonly TypedArray[]): TypedArray | undefined {
  switch (ref.space) {
    case 'arena':
      return viewOf(ref.dtype, arena, ref.offset, ref.length);
    case 'constant':
      return constants[ref.index];
    case 'input':
    case 'output':
      return undefined;
  }
}

function makeOutputs(
  program: Program,
  inputs: readonly TypedArray[],
  given: readonly (TypedArray | undefined)[],
  faults: Faults | undefined,
): TypedArray[] {
  const outputs: TypedArray[] = [];
  for (let i = 0; i < program.outputs.length; i++) {
    const port = program.outputs[i]!;
    if (port.alias !== undefined) outputs.push(aliased(port.alias, inputs, outputs));
    else {
      faults?.at?.('alloc', i);
      outputs.push(given[i] ?? allocatePort(port));
    }
  }
  return outputs;
}

const numel = (shape: readonly number[]): number => {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
};

function allocatePort(port: Port): TypedArray {
  const length = numel(port.shape);
  return reserve(`output ${port.name}: ${port.dtype}[${port.shape}]`, length * bytesPerElement[port.dtype], () =>
    allocate(port.dtype, length),
  );
}

/** The engine's RangeError, as the error that says what wanted how much. */
function reserve<T>(what: string, bytes: number, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new OutOfMemoryError(`${what} wants ${bytes} bytes, which cannot be had`, { op: 'run', cause });
  }
}

function checkArguments(
  program: Program,
  inputs: readonly TypedArray[],
  slots: Float64Array,
  given: readonly (TypedArray | undefined)[],
): void {
  if (inputs.length !== program.inputs.length)
    throw new ArgumentError(`${program.name} takes ${program.inputs.length} inputs, got ${inputs.length}`, { op: 'run' });
  if (slots.length < program.slots.length)
    throw new ArgumentError(`${program.name} takes ${program.slots.length} numbers, got ${slots.length}`, { op: 'run' });
  for (let i = 0; i < inputs.length; i++) checkBuffer(program.inputs[i]!, inputs[i]!);
  for (let i = 0; i < given.length; i++) {
    const buffer = given[i];
    if (buffer === undefined) continue;
    const port = program.outputs[i];
    if (port === undefined || port.alias !== undefined)
      throw new ArgumentError(`output ${i} of ${program.name} takes no buffer`, { op: 'run' });
    checkBuffer(port, buffer);
  }
}

const holders = {
  f32: 'Float32Array',
  f64: 'Float64Array',
  f16: 'Uint16Array',
  i32: 'Int32Array',
  i64: 'BigInt64Array',
  u8: 'Uint8Array',
  bool: 'Uint8Array',
} as const;

function checkBuffer(port: Port, buffer: TypedArray): void {
  if (buffer[Symbol.toStringTag] !== holders[port.dtype])
    throw new DTypeError(`${port.name}: ${port.dtype} lies in a ${holders[port.dtype]}, got a ${buffer[Symbol.toStringTag]}`, {
      op: 'run',
    });
  const length = numel(port.shape);
  if (buffer.length !== length)
    throw new ShapeError(`${port.name}: [${port.shape}] has ${length} elements, got ${buffer.length}`, { op: 'run' });
}

function decodeConstant({ dtype, length, base64 }: ConstantData): TypedArray {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  if (bytes.length !== length * bytesPerElement[dtype])
    throw new ProgramError(`a constant of ${length} ${dtype} holds ${bytes.length} bytes`, { op: 'load' });
  return viewOf(dtype, bytes.buffer, 0, length);
}
