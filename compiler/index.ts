// The main door: `import { tensor, nn, optim, compile, F } from 'fluxion'`. Names are PyTorch's, in camelCase.

// Errors: all derive from FluxionError.
export {
  ArgumentError,
  AutogradError,
  CompileError,
  DataError,
  DeviceError,
  DeviceLostError,
  DTypeError,
  type ErrorFacts,
  FileError,
  FluxionError,
  FormatError,
  IndexError,
  InternalError,
  IRError,
  KeyError,
  LinAlgError,
  OutOfMemoryError,
  ProgramError,
  SecurityError,
  ShapeError,
  WorkerError,
} from '../runtime/errors.ts';
// Declarations for the build step.
export { type AotOptions, type AotTarget, aot, dim, type InputSpec, type OpenDim, spec, type TensorSpec } from './frontend/aot.ts';
export type { BackwardOptions, GradOptions } from './frontend/autograd/backward.ts';
export type { Context } from './frontend/autograd/functionContext.ts';
export type { GradFn } from './frontend/autograd/graph.ts';
// Gradients.
export * as autograd from './frontend/autograd/index.ts';
export {
  enableGrad,
  gradMode as isGradEnabled,
  inferenceMode,
  isInferenceModeEnabled,
  noGrad,
  setGradEnabled,
} from './frontend/autograd/mode.ts';
// Compilation of whole functions.
export { type Compiled, type CompileOptions, compile, type Explanation } from './frontend/compile.ts';
// Control flow on data that stays in one graph.
export * from './frontend/control/index.ts';
export {
  arange,
  bernoulli,
  type CreationOptions,
  empty,
  emptyLike,
  eye,
  fromTypedArray,
  full,
  fullLike,
  linspace,
  logspace,
  multinomial,
  normal,
  ones,
  onesLike,
  type RandomOptions,
  rand,
  randint,
  randLike,
  randn,
  randnLike,
  randperm,
  tensor,
  zeros,
  zerosLike,
} from './frontend/creation.ts';
export * as data from './frontend/data/index.ts';
export { DataLoader, Dataset, IterableDataset, TensorDataset } from './frontend/data/index.ts';
export {
  type DeviceName,
  getDefaultDevice,
  getNumThreads,
  type InitOptions,
  init,
  setDefaultDevice,
  setNumThreads,
} from './frontend/device.ts';
export { scope } from './frontend/dispose.ts';
export type { DTypeName } from './frontend/dtypes.ts';
export { type PrintOptions, setPrintOptions } from './frontend/format.ts';
// Transforms of functions: `torch.func`.
export * as func from './frontend/func/index.ts';
export { clamp, clamp_, logSoftmax, relu, relu_, softmax } from './frontend/functional/activation.ts';
// Functions of tensors: `torch.*`.
export * from './frontend/functional/arithmetic.ts';
export * from './frontend/functional/diagonal.ts';
export * as F from './frontend/functional/index.ts';
export * from './frontend/functional/indexing.ts';
export * from './frontend/functional/linear.ts';
export { promoteTypes, resultType } from './frontend/functional/promotion.ts';
export * from './frontend/functional/reductions.ts';
export { variance as var } from './frontend/functional/reductions.ts';
export * from './frontend/functional/scatter.ts';
export * from './frontend/functional/shape.ts';
export * from './frontend/functional/unary.ts';
export { fromGPUBuffer, type GpuMemory, gpuBuffer, gpuMemory, recover } from './frontend/gpu.ts';
// Files.
export * as io from './frontend/io/index.ts';
export { load, loadCheckpoint, save, saveCheckpoint } from './frontend/io/index.ts';
export * as linalg from './frontend/linalg/index.ts';
export type { Nested } from './frontend/methods/observe.ts';
// Networks, optimisers and data.
export * as nn from './frontend/nn/index.ts';
export type { Operand, Scalar } from './frontend/operands.ts';
export * as optim from './frontend/optim/index.ts';
export { Generator, initialSeed, manualSeed } from './frontend/random.ts';
// Tensors and how they are made.
export { Tensor } from './frontend/tensor.ts';
export { synchronize } from './frontend/transfer.ts';
// What was compiled, why, and what it costs: the `fluxion` command as functions.
export * as inspect from './inspect/index.ts';
