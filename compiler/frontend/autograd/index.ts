// What users import as `autograd`.
export { type BackwardOptions, backward, type GradOptions, grad } from './backward.ts';
export { type Edge, GradFn, type TensorHook } from './graph.ts';
