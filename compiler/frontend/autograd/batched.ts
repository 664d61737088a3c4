// Gradients for many cotangents at once: backward is recorded for one, and its graph is batched.
import { ArgumentError, ShapeError } from '../../../runtime/errors.ts';
import { batched } from '../../autodiff/batch.ts';
import { b } from '../../ir/builder.ts';
import { nodesOf, shapeOf, type Value } from '../../ir/node.ts';
import { stack } from '../functional/shape.ts';
import { newTensor } from '../op.ts';
import { isTensor } from '../pytree.ts';
import { recording, resolve } from '../record.ts';
import { storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import { enableGrad, noGrad } from './mode.ts';

const op = 'grad';

/** What `run` gives for each position of the cotangents' first dimension, stacked. Where gradients are to be differentiated again, `run` is called for each. */
export function batchedGradients(
  cotangents: readonly (Tensor | undefined)[],
  run: (one: readonly Tensor[]) => (Tensor | null)[],
  createGraph: boolean,
): (Tensor | null)[] {
  const cts = cotangents.map((t) => {
    if (!isTensor(t)) throw new ArgumentError('with isGradsBatched every output needs its gradOutput', { op });
    return t;
  });
  const size = cts[0]?.shape[0];
  if (size === undefined || size === 0 || cts.some((t) => t.shape[0] !== size))
    throw new ShapeError('with isGradsBatched all gradOutputs have the same number of gradients, at least one, in front', { op });
  if (createGraph) return enableGrad(() => stacked(Array.from({ length: size }, (_, i) => run(cts.map((t) => t.select(0, i))))));
  const seeds = noGrad(() => cts.map((t) => t.select(0, 0).clone()));
  const found = run(seeds);
  const ones = found.filter((t) => t !== null).map((t) => t.value());
  const many = recording(() =>
    overBatch(
      seeds.map((t) => resolve(t.value())),
      cts.map((t) => t.value()),
      ones,
      size,
    ),
  );
  let at = 0;
  return found.map((t) => (t === null ? null : newTensor(storageOf(many[at++]!))));
}

/** The values `outputs`, which are functions of `seeds`, for all of `args` in their places. What does not depend on seeds is taken as it is. */
function overBatch(seeds: readonly Value[], args: readonly Value[], outputs: readonly Value[], size: number): Value[] {
  const depends = new Set(seeds);
  const given = new Set<Value>();
  for (const n of nodesOf({ inputs: seeds, outputs })) {
    if (!n.inputs.some((v) => depends.has(v))) continue;
    for (const v of n.values) depends.add(v);
    for (const v of n.inputs) if (!depends.has(v)) given.add(v);
  }
  for (const v of outputs) if (!depends.has(v)) given.add(v);
  const fixed = [...given];
  const graph = { inputs: [...seeds, ...fixed], outputs };
  const flags = graph.inputs.map((_, i) => i < seeds.length);
  const { values, isBatched } = batched(graph, [...args, ...fixed], flags, size);
  return values.map((v, i) => (isBatched[i] ? v : b.expand(v, { shape: [size, ...shapeOf(v)], at: [0] })));
}

const stacked = (rows: readonly (readonly (Tensor | null)[])[]): (Tensor | null)[] =>
  rows[0]!.map((first, i) => (first === null ? null : stack(rows.map((row) => row[i]!))));
