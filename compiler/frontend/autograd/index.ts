// What users import as `autograd`.
export { type AnomalyOptions, detectAnomaly, isAnomalyCheckNaNEnabled, isAnomalyEnabled, setDetectAnomaly } from './anomaly.ts';
export { type BackwardOptions, backward, type Differentiated, type GradOptions, getGradientEdge, grad } from './backward.ts';
export { type CheckpointOptions, type CheckpointPolicy, checkpoint, checkpointSequential, checkpointWith } from './checkpoint.ts';
export { Function, onceDifferentiable } from './function.ts';
export * as functional from './functional.ts';
export type { Context } from './functionContext.ts';
export type { VmapInfo } from './functionDefinition.ts';
export { GradcheckError, type GradcheckOptions, type GradgradcheckOptions, gradcheck, gradgradcheck } from './gradcheck.ts';
export { type Edge, GradFn, type HookHandle, type PostHook, type PreHook, type TensorHook } from './graph.ts';
export { registerMultiGradHook } from './hooks.ts';
export { disableSavedTensorsHooks, savedTensorsHooks } from './savedHooks.ts';
export { printSavedResiduals, type Residual, savedResiduals, savedTensors } from './savedTensors.ts';
