// What users import as `func`: transforms of functions, as `torch.func`.
export type { Argnums } from './argnums.ts';
export { jvp, linearize } from './forward.ts';
export { hessian, hvp, type Jacobian, type JacobianOptions, jacfwd, jacrev } from './jacobian.ts';
export { type FunctionalCallOptions, functionalCall, type NamedTensors, stackModuleState } from './module.ts';
export { type AuxOptions, type GradOptions, grad, gradAndValue, vjp } from './reverse.ts';
export { type Dims, type VmapOptions, vmap } from './vmap.ts';
