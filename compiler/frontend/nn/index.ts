// What users import as `nn`.
export * from './activations.ts';
export type { BackwardHook, BackwardPreHook } from './backwardHooks.ts';
export { ModuleDict, ModuleList, Sequential } from './containers.ts';
export { Conv1d, Conv2d, type ConvLayerOptions } from './conv.ts';
export {
  type ForwardHook,
  type ForwardHookOptions,
  type ForwardPreHook,
  type HookOptions,
  type LoadStateDictPostHook,
  type LoadStateDictPreHook,
  registerModuleForwardHook,
  registerModuleForwardPreHook,
  registerModuleFullBackwardHook,
  registerModuleFullBackwardPreHook,
  type StateDictPostHook,
  type StateDictPreHook,
} from './hooks.ts';
export * as init from './init.ts';
export { Embedding, Flatten, Identity, type LayerOptions, Linear, Unflatten } from './linear.ts';
export * from './losses.ts';
export { type Layer, Module } from './module.ts';
export {
  BatchNorm1d,
  BatchNorm2d,
  type BatchNormOptions,
  GroupNorm,
  LayerNorm,
  type LayerNormOptions,
  type NormLayerOptions,
  RMSNorm,
} from './normalization.ts';
export { Counter, Parameter } from './parameter.ts';
export { AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d } from './pooling.ts';
export type { LoadResult, StateDict, StateDictLike } from './stateDict.ts';
