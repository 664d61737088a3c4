// A graph as it stands between two passes, and the loop nests that came of it.
import { printKernel } from '../../kernels/print.ts';
import { ArgumentError } from '../../runtime/errors.ts';
import type { Target } from '../../runtime/target.ts';
import type { Graph } from '../ir/node.ts';
import { environment } from '../jit/environment.ts';
import { pipeline, runPipeline } from '../passes/pipeline.ts';
import { anatomyOf } from './anatomy.ts';
import type { Inspected } from './programs.ts';

/** What was recorded, then the graph after each pass. */
export const stages: readonly string[] = ['recorded', ...pipeline.map((pass) => pass.name)];

/** After the graphs: nests as kernels are lowered to them, and as they are scheduled, which is what is emitted. */
export const nestStages = ['loops', 'scheduled'] as const;
export type NestStage = (typeof nestStages)[number];

/** Names for what is looked for most. Forward, backward and update are recorded as one, so that `joint` is the recording itself. */
export const stageAliases: Readonly<Record<string, string>> = {
  joint: 'recorded',
  simplified: stages[stages.indexOf('fuse') - 1]!,
  fused: 'fuse',
};

/** The graph after the pass called `stage`; later passes do not run, so a defect in one of them does not stand in the way. */
export function graphAt(graph: Graph, target: Target, stage: string): Graph {
  const name = stageAliases[stage] ?? stage;
  if (!stages.includes(name)) throw new ArgumentError(`there is no stage '${stage}'`, { op: 'graphAt', fix: `use ${stages.join(', ')}` });
  return name === 'recorded' ? graph : runPipeline(graph, target, { until: name, disable: environment('FLUXION_DISABLE') });
}

/** The loop nests of a Program at one of the later stages, one for each launch. */
export const nestsAt = (inspected: Inspected, stage: NestStage): readonly string[] =>
  anatomyOf(inspected).launches.map(({ nest, scheduled }) => printKernel(stage === 'loops' ? nest : scheduled));
