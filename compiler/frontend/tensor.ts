// The Tensor class: the handle and all method families, one above the other.

import { DrawMethods } from './methods/draw.ts';
import { makeTensorsWith } from './op.ts';

/**
 * A multi-dimensional array that records what is done with it, as `torch.Tensor`.
 * Nothing is computed until a value is looked at (`data()`, `item()`, printing) or an optimiser steps.
 */
export class Tensor extends DrawMethods {}

makeTensorsWith((storage, view, layout) => new Tensor(storage, view, layout));
