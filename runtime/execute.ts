// Runs a Program of JavaScript: buffers are resolved once, when it is bound; a run allocates its outputs and nothing else.

import { type Buffer, hostBuffer, readSync } from './buffer.ts';
import { checkProgram } from './check.ts';
import { allocate, bytesPerElement, type TypedArray, viewOf } from './dtype.ts';
import { OutOfMemoryError, ProgramError } from './errors.ts';
import { aliased, checkArguments, checkArray, decodeConstant, type Executable, fail, numel } from './executable.ts';
import type { Faults } from './faults.ts';
import type { BufferRef, Port, Program } from './program.ts';

/** A kernel's code: its buffers in order, then the block of slot values, then `fail`. */
export type KernelFunction = (...args: unknown[]) => void;

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
    checkArguments(program, inputs, slots, given, checkArray);
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
    // A buffer that another device holds too is not written to.
    const own = given.map((buffer) => (buffer?.block === undefined ? buffer : undefined));
    const arrays = run(
      inputs.map(readSync),
      slots,
      own.map((buffer) => buffer?.host),
    );
    const outputs: Buffer[] = [];
    for (const [i, { alias, dtype }] of program.outputs.entries())
      outputs.push(alias !== undefined ? aliased(alias, inputs, outputs) : (own[i] ?? hostBuffer(dtype, arrays[i]!)));
    return outputs;
  }
  return { program, arena: () => new Uint8Array(arena), run, execute };
}

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
