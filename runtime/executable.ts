// What can be run on a device, and what all devices share: the checks of arguments, failures, aliases and constants.
import type { Buffer } from './buffer.ts';
import { bytesPerElement, type TypedArray, viewOf } from './dtype.ts';
import { ArgumentError, DTypeError, IndexError, LinAlgError, ProgramError, ShapeError } from './errors.ts';
import type { ConstantData, OutputPort, Port, Program } from './program.ts';
import { lengthAt, shapeAt, sizesOf } from './sizes.ts';

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

/** What an output is that is no array of its own. */
export const aliased = <T>({ space, index }: NonNullable<OutputPort['alias']>, inputs: readonly T[], outputs: readonly T[]): T =>
  (space === 'input' ? inputs : outputs)[index]!;

export const numel = (shape: readonly number[]): number => {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
};

/** Whether a run may begin, and at which sizes. `check` looks at one array or buffer. */
export function checkArguments<T extends { readonly length: number }>(
  program: Program,
  inputs: readonly T[],
  slots: Float64Array,
  given: readonly (T | undefined)[],
  check: (port: Port, data: T, sizes: readonly number[]) => void,
): readonly number[] {
  if (inputs.length !== program.inputs.length)
    throw new ArgumentError(`${program.name} takes ${program.inputs.length} inputs, got ${inputs.length}`, { op: 'run' });
  if (slots.length < program.slots.length)
    throw new ArgumentError(`${program.name} takes ${program.slots.length} numbers, got ${slots.length}`, { op: 'run' });
  const sizes = program.sizes === undefined ? none : sizesOf(program, inputs);
  for (let i = 0; i < inputs.length; i++) check(program.inputs[i]!, inputs[i]!, sizes);
  for (let i = 0; i < given.length; i++) {
    const data = given[i];
    if (data === undefined) continue;
    const port = program.outputs[i];
    if (port === undefined || port.alias !== undefined)
      throw new ArgumentError(`output ${i} of ${program.name} takes no buffer`, { op: 'run' });
    check(port, data, sizes);
  }
  return sizes;
}
const none: readonly number[] = [];

/** The typed arrays that elements lie in. */
export const arrayNames = {
  f32: 'Float32Array',
  f64: 'Float64Array',
  f16: 'Uint16Array',
  i32: 'Int32Array',
  i64: 'BigInt64Array',
  u8: 'Uint8Array',
  bool: 'Uint8Array',
} as const;

export function checkArray(port: Port, array: TypedArray, sizes: readonly number[] = none, op = 'run'): void {
  if (array[Symbol.toStringTag] !== arrayNames[port.dtype])
    throw new DTypeError(`${port.name}: ${port.dtype} lies in a ${arrayNames[port.dtype]}, got a ${array[Symbol.toStringTag]}`, {
      op,
    });
  checkLength(port, array.length, sizes, op);
}

export function checkBuffer(port: Port, buffer: Buffer, sizes: readonly number[] = none): void {
  if (buffer.dtype !== port.dtype) throw new DTypeError(`${port.name}: expected ${port.dtype}, got ${buffer.dtype}`, { op: 'run' });
  checkLength(port, buffer.length, sizes, 'run');
}

function checkLength(port: Port, length: number, sizes: readonly number[], op: string): void {
  const wanted = lengthAt(port, sizes);
  if (length !== wanted) throw new ShapeError(`${port.name}: [${shapeAt(port, sizes)}] has ${wanted} elements, got ${length}`, { op });
}

export function bytesOfBase64(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export function decodeConstant({ dtype, length, base64 }: ConstantData): TypedArray {
  const bytes = bytesOfBase64(base64);
  if (bytes.length !== length * bytesPerElement[dtype])
    throw new ProgramError(`a constant of ${length} ${dtype} holds ${bytes.length} bytes`, { op: 'load' });
  return viewOf(dtype, bytes.buffer, 0, length);
}
