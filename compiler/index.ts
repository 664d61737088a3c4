// The main door: `import { tensor, nn, optim, compile, F } from 'fluxion'`.

export * from './frontend/creation.ts';
export type { DTypeName } from './frontend/dtypes.ts';
export { Tensor } from './frontend/tensor.ts';
