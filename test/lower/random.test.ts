// Random graphs, fused and lowered, against their meaning: on a roomy target, on one that stores every value, and on one with hardly any scratch.
import fc from 'fast-check';
import { test } from 'vitest';
import type { Graph } from '../../compiler/ir/node.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import type { DType } from '../../runtime/dtype.ts';
import { jsTarget, type Target, wasmTarget } from '../../runtime/target.ts';
import { wasmNumerics } from '../../runtime/wasm/features.ts';
import { runs } from '../effort.ts';
import { dataFor } from '../graph-data.ts';
import { expectClose } from '../meaning.ts';
import { graphs } from '../random-graphs.ts';
import { run } from '../run-program.ts';

const wasm = wasmTarget(wasmNumerics());

/** Integers stay below 2^53, which the float64 reference carries exactly; functions are steady, so that its last bits do not matter. */
const options = { dtypes: ['f64', 'i32', 'bool'] as readonly DType[], maxOps: 16, finite: true, continuous: true };

function agrees(target: Target): void {
  fc.assert(
    fc.property(graphs(options), fc.integer({ min: 1, max: 1000 }), (graph: Graph, seed) => {
      const data = dataFor(graph, seed);
      expectClose(run(graph, data, target), evaluate(graph, data));
    }),
    { numRuns: runs(200), seed: 7 },
  );
}

test('fused graphs give what they mean', () => agrees(jsTarget));
test('every op in a kernel of its own, over a shared arena, gives the same', () => agrees({ ...jsTarget, maxOpsPerKernel: 1 }));
test('rows without room for scratch give the same', () => agrees({ ...jsTarget, maxScratchBytes: 40 }));
test('fused graphs give the same in vectors', () => agrees(wasm));
test('every op in a kernel of its own gives the same in vectors', () => agrees({ ...wasm, maxOpsPerKernel: 1 }));
test('rows without room for scratch give the same in vectors', () => agrees({ ...wasm, maxScratchBytes: 40 }));
