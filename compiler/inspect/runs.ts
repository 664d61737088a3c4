// Keeps what compiled graphs were first run on, so that they can be run again: for checks against the reference.

import { readSync } from '../../runtime/buffer.ts';
import type { TypedArray } from '../../runtime/dtype.ts';
import { fixedShape } from '../ir/dim.ts';
import { dtypeOf, type Graph, shapeOf } from '../ir/node.ts';
import { load } from '../jit/executable.ts';
import { loadBy } from '../jit/structure.ts';
import type { Reference } from '../ops/rules.ts';
import { isSlot, referenceFrom } from './data.ts';

export type Runs = {
  /** The data of the first run of a graph, one for each of its inputs; undefined if it never ran. */
  readonly dataOf: (graph: Graph) => readonly Reference[] | undefined;
  readonly stop: () => void;
};

/** From now on; Programs that are loaded already stay as they are. */
export function keepRuns(): Runs {
  const kept = new Map<Graph, readonly Reference[]>();
  const stop = loadBy((program, graph) => {
    const executable = load(program);
    const keep = (arrays: () => readonly TypedArray[], slots: Float64Array): void => {
      if (!kept.has(graph)) kept.set(graph, dataOf(graph, arrays(), slots));
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
  return { dataOf: (graph) => kept.get(graph), stop };
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
