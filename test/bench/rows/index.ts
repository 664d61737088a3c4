// All rows of the bench, and the same rows small enough to be checked against the reference.
import type { ColdRow, FunctionRow, Row, StepRow } from '../row.ts';
import { attentions, tinyAttentions } from './attention.ts';
import { contractions, tinyContractions } from './contraction.ts';
import { convolutions, tinyConvolutions } from './convolution.ts';
import { elementwise, tinyElementwise } from './elementwise.ts';
import { embeddings, tinyEmbeddings } from './embedding.ts';
import { normalizations, tinyNormalizations } from './normalization.ts';
import { optimizers, tinyOptimizers } from './optimizer.ts';
import { reductions, tinyReductions } from './reduction.ts';
import { steps, tinySteps } from './step.ts';

const cold = (step: StepRow, atMost?: number): ColdRow => {
  const { work, inputs, bound } = step;
  return { kind: 'cold', work: `cold compile: ${work}`, inputs, least: {}, bound, step, ...(atMost !== undefined && { atMost }) };
};

export const rows: readonly Row[] = [
  ...contractions,
  ...elementwise,
  ...normalizations,
  ...reductions,
  ...attentions,
  ...optimizers,
  ...convolutions,
  ...embeddings,
  ...Object.values(steps),
  cold(steps.sgd, 30),
  cold(steps.adam, 30),
  cold(steps.cnn),
  cold(steps.transformer, 150),
  cold(steps.overhead, 30),
];

export const tinyRows: readonly (FunctionRow | StepRow)[] = [
  ...tinyContractions,
  ...tinyElementwise,
  ...tinyNormalizations,
  ...tinyReductions,
  ...tinyAttentions,
  ...tinyOptimizers,
  ...tinyConvolutions,
  ...tinyEmbeddings,
  ...tinySteps,
];
