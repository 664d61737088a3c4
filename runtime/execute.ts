// Runs a Program of JavaScript: buffers are resolved once, when it is bound; a run allocates its outputs and nothing else.

import { type Buffer, hostBuffer, readSync } from './buffer.ts';
import { checkProgram } from './check.ts';
import { allocate, bytesPerElement, type TypedArray, viewOf } from './dtype.ts';
import { OutOfMemoryError, ProgramError } from './errors.ts';
import { aliased, checkArguments, checkArray, decodeConstant, type Executable, fail } from './executable.ts';
import type { Faults } from './faults.ts';
import type { BufferRef, Port, Program, Row, Step } from './program.ts';
import { lengthAt, shapeAt } from './sizes.ts';

/** A kernel's code: its buffers in order, then the block of slot values, then `fail`. */
export type KernelFunction = (...args: unknown[]) => void;

/** An argument that is bound anew by every run. */
type Varying = { readonly into: Argument; readonly space: 'input' | 'output'; readonly index: number };

/** A buffer in its place among the arguments of a call. Of one with rows, `whole` is kept here, and a part bound in every turn. */
type Argument = { readonly args: unknown[]; readonly at: number; readonly rows: readonly Row[]; whole: TypedArray | undefined };

/** A step with its function and arguments, or with the one bool that it looks at. */
type Bound =
  | {
      readonly kind: 'launch';
      readonly index: number;
      readonly call: KernelFunction;
      readonly args: unknown[];
      readonly parts: readonly Argument[];
    }
  | { readonly kind: 'branch'; readonly test: Argument; readonly then: readonly Bound[]; readonly else: readonly Bound[] }
  | { readonly kind: 'while'; readonly test: readonly Bound[]; readonly holds: Argument; readonly body: readonly Bound[] }
  | { readonly kind: 'repeat'; readonly times: number; readonly reverse: boolean; readonly body: readonly Bound[] };

/** Checks the Program, allocates its arena and constants, and ties each launch to its function. `functions` stand in the order of `program.kernels`. */
export function bind(data: Program, functions: readonly KernelFunction[], faults?: Faults): Executable {
  const program = checkProgram(data);
  if (functions.length !== program.kernels.length)
    throw new ProgramError(`${functions.length} functions for ${program.kernels.length} kernels`, { op: 'load' });
  const arena = reserve(`the arena of ${program.name}`, program.arenaBytes, () => new ArrayBuffer(program.arenaBytes));
  const constants = program.constants.map(decodeConstant);
  const varying: Varying[] = [];
  const slotArgs: unknown[][] = [];
  /** Slots and then sizes, where there are sizes. */
  const numbers = new Float64Array(program.slots.length + (program.sizes?.length ?? 0));
  const argument = (args: unknown[], at: number, ref: BufferRef): Argument => {
    const whole = resolve(ref, arena, constants);
    const into: Argument = { args, at, rows: ref.rows ?? [], whole };
    if (ref.space === 'input' || ref.space === 'output') varying.push({ into, space: ref.space, index: ref.index });
    args[at] = whole;
    return into;
  };
  let launches = 0;
  const boundStep = (step: Step): Bound => {
    switch (step.kind) {
      case 'launch': {
        const args: unknown[] = [];
        const parts = step.buffers.map((ref, at) => argument(args, at, ref)).filter(({ rows }) => rows.length > 0);
        args.push(undefined, fail);
        slotArgs.push(args);
        return { kind: 'launch', index: launches++, call: functions[step.kernel]!, args, parts };
      }
      case 'branch':
        return { kind: 'branch', test: argument([], 0, step.test), then: step.then.map(boundStep), else: step.else.map(boundStep) };
      case 'while':
        return { kind: 'while', test: step.test.map(boundStep), holds: argument([], 0, step.holds), body: step.body.map(boundStep) };
      case 'repeat':
        return { ...step, body: step.body.map(boundStep) };
      default:
        return step satisfies never;
    }
  };
  const steps = program.steps.map(boundStep);

  function run(inputs: readonly TypedArray[], slots: Float64Array, given: readonly (TypedArray | undefined)[] = []): TypedArray[] {
    const sizes = checkArguments(program, inputs, slots, given, checkArray);
    const outputs = makeOutputs(program, inputs, given, sizes, faults);
    if (sizes.length > 0) {
      numbers.set(slots.subarray(0, program.slots.length));
      numbers.set(sizes, program.slots.length);
    }
    for (const { into, space, index } of varying) {
      into.whole = space === 'input' ? inputs[index] : outputs[index];
      into.args[into.at] = into.whole;
    }
    for (const args of slotArgs) args[args.length - 2] = sizes.length > 0 ? numbers : slots;
    try {
      runSteps(steps, [], faults);
    } finally {
      // A bound Program stays in a cache: it must not keep its last caller's tensors alive.
      for (const { into } of varying) into.args[into.at] = into.whole = undefined;
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

/** `turns`: the index of each loop around the steps, the outermost first; a loop that ends on a test has none that is used. */
function runSteps(steps: readonly Bound[], turns: readonly number[], faults: Faults | undefined): void {
  for (const step of steps) {
    switch (step.kind) {
      case 'launch': {
        faults?.at?.('launch', step.index);
        const { call, args, parts } = step;
        for (const part of parts) bindPart(part, turns);
        call.apply(undefined, args);
        break;
      }
      case 'branch':
        runSteps(holds(step.test, turns) ? step.then : step.else, turns, faults);
        break;
      case 'while': {
        const inner = [...turns, 0];
        for (;;) {
          runSteps(step.test, inner, faults);
          if (!holds(step.holds, inner)) break;
          runSteps(step.body, inner, faults);
        }
        break;
      }
      case 'repeat':
        for (let turn = 0; turn < step.times; turn++) runSteps(step.body, [...turns, step.reverse ? step.times - 1 - turn : turn], faults);
        break;
      default:
        step satisfies never;
    }
  }
}

function bindPart({ args, at, rows, whole }: Argument, turns: readonly number[]): void {
  let start = 0;
  for (const { loop, length } of rows) start += turns[loop]! * length;
  args[at] = whole!.subarray(start, start + rows.at(-1)!.length);
}

function holds(test: Argument, turns: readonly number[]): boolean {
  if (test.rows.length > 0) bindPart(test, turns);
  return (test.args[test.at] as TypedArray)[0] === 1;
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
  sizes: readonly number[],
  faults: Faults | undefined,
): TypedArray[] {
  const outputs: TypedArray[] = [];
  for (let i = 0; i < program.outputs.length; i++) {
    const port = program.outputs[i]!;
    if (port.alias !== undefined) outputs.push(aliased(port.alias, inputs, outputs));
    else {
      faults?.at?.('alloc', i);
      outputs.push(given[i] ?? allocatePort(port, sizes));
    }
  }
  return outputs;
}

function allocatePort(port: Port, sizes: readonly number[]): TypedArray {
  const length = lengthAt(port, sizes);
  return reserve(`output ${port.name}: ${port.dtype}[${shapeAt(port, sizes)}]`, length * bytesPerElement[port.dtype], () =>
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
