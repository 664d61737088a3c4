// Graphs as StableHLO modules for tests: inputs and outputs are called by their numbers.
import type { Graph } from '../../compiler/ir/node.ts';
import { printModule } from '../../compiler/scale/stablehlo/module.ts';

export const moduleOf = (graph: Graph): string =>
  printModule(graph, {
    name: 'test',
    inputs: graph.inputs.map((_, i) => ({ role: `input:${i}` })),
    outputs: graph.outputs.map((_, i) => ({ role: `output:${i}` })),
  });
