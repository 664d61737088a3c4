// Keeps what compiled graphs were first run on, so that they can be run again: for checks against the reference.

import { readSync } from '../../runtime/buffer.ts';
import type { TypedArray } from '../../runtime/dtype.ts';
import type { Program } from '../../runtime/program.ts';
import { sizesOf } from '../../runtime/sizes.ts';
import { fixedShape } from '../ir/dim.ts';
import { atSize } from '../ir/generalise.ts';
import { dtypeOf, type Graph, shapeOf } from '../ir/node.ts';
import { load } from '../jit/executable.ts';
import { loadBy } from '../jit/structure.ts';
import type { Reference } from '../ops/rules.ts';
import { isSlot, referenceFrom } from './data.ts';

export type Runs = {
  /** The data of the first run of a graph, one for each of its inputs, and the graph at the sizes of that run; undefined if it never ran. */
  readonly firstOf: (graph: Graph) => { readonly graph: Graph; readonly data: readonly Reference[] } | undefined;
  readonly stop: () => void;
};

/** From now on; Programs that are loaded already stay as they are. */
export function keepRuns(): Runs {
  const kept = new Map<Graph, { readonly graph: Graph; readonly data: readonly Reference[] }>();
  const stop = loadBy((program, graph) => {
    const executable = load(program);
    const keep = (arrays: () => readonly TypedArray[], slots: Float64Array): void => {
      if (kept.has(graph)) return;
      const given = arrays();
      const ran = ranAt(program, graph, given);
      kept.set(graph, { graph: ran, data: dataOf(ran, given, slots) });
    };
    return {
      ...executable,
      run(inputs, slots, outputs) {
        keep(() => inputs, slots);
        return executable.run(inputs, slots, outputs);
      },
      execute(inputs, slots, outputs) {
        keep(() => inputs.map(readSync), slots);
        return executable.execute(inputs, slots, outputs);
      },
    };
  });
  return { firstOf: (graph) => kept.get(graph), stop };
}

/** The graph with its open sizes as they were in a run. */
function ranAt(program: Program, graph: Graph, arrays: readonly TypedArray[]): Graph {
  const values = sizesOf(program, arrays);
  return values.length === 0 ? graph : atSize(graph, new Map(program.sizes!.map(({ name }, i) => [name, values[i]!])));
}

function dataOf(graph: Graph, arrays: readonly TypedArray[], slots: Float64Array): Reference[] {
  let array = 0;
  let slot = 0;
  return graph.inputs.map((v) =>
    isSlot(v)
      ? { dtype: dtypeOf(v), shape: [], data: Float64Array.of(slots[slot++]!) }
      : referenceFrom(arrays[array++]!, dtypeOf(v), fixedShape(shapeOf(v))),
  );
}
