// Functions for one target that cannot compute them, and a file of functions for different targets.
import { aot, spec, type Tensor } from 'fluxion';

const inputs = { x: spec([8, 4]) };
export const absent = aot((x: Tensor) => x.double().mul(2), { inputs, targets: ['webgpu'] });
export const other = aot((x: Tensor) => x.mul(2), { inputs, targets: ['js', 'wasm'] });
export const load = aot((x: Tensor) => x.mul(2), { inputs, targets: ['webgpu'] });
