// A graph as it stands between two passes.
import { ArgumentError } from '../../runtime/errors.ts';
import type { Target } from '../../runtime/target.ts';
import type { Graph } from '../ir/node.ts';
import { pipeline, runPipeline } from '../passes/pipeline.ts';

/** What was recorded, then the graph after each pass. */
export const stages: readonly string[] = ['recorded', ...pipeline.map((pass) => pass.name)];

/** The graph after the pass called `stage`; later passes do not run, so a defect in one of them does not stand in the way. */
export function graphAt(graph: Graph, target: Target, stage: string): Graph {
  if (!stages.includes(stage)) throw new ArgumentError(`there is no stage '${stage}'`, { op: 'graphAt', fix: `use ${stages.join(', ')}` });
  return stage === 'recorded' ? graph : runPipeline(graph, target, { until: stage });
}
