// The public door `fluxion/runtime`: what a built module links to run. No compiler, no `eval`; a bundler takes from it what is used.

export type { Elements, EntryOf, Given, Instance, LoadOptions, StateEntry, TargetName, WeightSource } from './artifact/index.ts';
export { artifact, edge, js, wasm, webgpu } from './artifact/index.ts';
export { checkProgram } from './check.ts';
export { allocate, bytesPerElement, type DType, dtypes, type TypedArray } from './dtype.ts';
export {
  ArgumentError,
  DeviceError,
  DTypeError,
  FluxionError,
  FormatError,
  IndexError,
  KeyError,
  LinAlgError,
  OutOfMemoryError,
  ProgramError,
  ShapeError,
  WorkerError,
} from './errors.ts';
export type { Executable } from './executable.ts';
export { bind, type KernelFunction } from './execute.ts';
export { type Program, programVersion } from './program.ts';
