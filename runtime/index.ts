// The public door `fluxion/runtime`: what an artifact links to run a Program whose kernels came as plain code. No compiler, no `eval`.
export { checkProgram } from './check.ts';
export { allocate, bytesPerElement, type DType, dtypes, type TypedArray } from './dtype.ts';
export {
  ArgumentError,
  DTypeError,
  FluxionError,
  IndexError,
  OutOfMemoryError,
  ProgramError,
  ShapeError,
} from './errors.ts';
export type { Executable } from './executable.ts';
export { bind, type KernelFunction } from './execute.ts';
export { type Program, programVersion } from './program.ts';
export { decodeProgram, encodeProgram, parseProgram, printProgram } from './serialize.ts';
