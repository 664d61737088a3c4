// What users import as `optim`.
export { Adam, type AdamOptions, AdamW } from './adam.ts';
export { clipGradNorm_, clipGradValue_ } from './clip.ts';
export { OneCycleLR, type OneCycleLROptions } from './oneCycle.ts';
export { Optimizer, type OptimizerStateDict, type ParamGroup, type Params } from './optimizer.ts';
export { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from './plateau.ts';
export {
  CosineAnnealingLR,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  type LinearLROptions,
  LRScheduler,
  MultiStepLR,
  StepLR,
} from './scheduler.ts';
export { SGD, type SGDOptions } from './sgd.ts';
