// A part of a model in a file of its own.
import type { Tensor } from 'fluxion';

export const normalised = (x: Tensor): Tensor => x.sub(0.5).mul(2);
