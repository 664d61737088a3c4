// The door `fluxion/scale`: training steps for JAX/XLA, on as many devices and hosts as there are.

export type { ExportOptions } from './export.ts';
export { exportModel, type ModelOptions } from './exportModel.ts';
export { exportStep } from './exportStep.ts';
export { importStep } from './import.ts';
export type { Mesh, Placement, Rule } from './mesh.ts';
export { mesh, shard } from './mesh.ts';
export type { Example, StepFunction } from './step.ts';
