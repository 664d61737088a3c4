// Where gradients end: in the `.grad` of leaves and of tensors that keep theirs.

import { full } from '../../ir/builder.ts';
import { avalOf, type Value } from '../../ir/node.ts';
import { newTensor } from '../op.ts';
import { currentInterval, gradientRead, recording, resolve } from '../record.ts';
import { outlive, storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import type { Edge } from './graph.ts';
import { noGrad } from './mode.ts';

/** A gradient on its way: its value, and under `createGraph` the function that made it. */
export type Cotangent = { readonly value: Value; readonly edge: Edge | null };

export function gradientTensor({ value, edge }: Cotangent): Tensor {
  const t = newTensor(storageOf(recording(() => resolve(value))));
  t.edge = edge ?? undefined;
  return t;
}

/** Adds into the leaf's `.grad`: in place where there is one, unless the sum must itself be differentiable. */
export function accumulate(leaf: Tensor, ct: Cotangent, createGraph: boolean): void {
  gradientRead(leaf);
  const before = leaf.gradient;
  if (before === null) setGrad(leaf, gradientTensor(ct));
  else if (createGraph) setGrad(leaf, before.add(gradientTensor(ct)));
  else {
    noGrad(() => void before.add_(gradientTensor(ct)));
    gradientSet(leaf);
  }
}

/** Adds into the `.grad` of a tensor that is no leaf: always a new tensor. */
export function keepGradient(t: Tensor, ct: Cotangent): void {
  gradientRead(t);
  const gradient = gradientTensor(ct);
  setGrad(t, t.gradient === null ? gradient : t.gradient.add(gradient));
}

function setGrad(t: Tensor, gradient: Tensor): void {
  t.gradient = gradient;
  gradientSet(t);
}

/** A `.grad` that was written is stored at the boundary, if it is still there. */
function gradientSet(t: Tensor): void {
  outlive(t.gradient!.storage);
  currentInterval().grads.set(t, () => t.gradient?.storage);
  currentInterval().touched.add(t);
}

/** A gradient of ones for a root of one element. */
export const implicitGradient = (root: Tensor): Tensor => newTensor(storageOf(recording(() => full(1, avalOf(root.value())))));
