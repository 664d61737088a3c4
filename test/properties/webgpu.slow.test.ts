// Random graphs agree on WebGPU and on the reference, in the dtypes that both have.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodesOf } from '../../compiler/ir/node.ts';
import { jsTarget, webgpuTarget } from '../../runtime/target.ts';
import type { Machine } from '../../runtime/webgpu/state.ts';
import { runs } from '../effort.ts';
import { graphsWithData } from '../random-graphs.ts';
import { run as runOnHost } from '../run-program.ts';
import { testMachine } from '../webgpu/adapter.ts';
import { run } from '../webgpu/run.ts';

let machine: Machine;
beforeAll(async () => {
  machine = await testMachine();
});
afterAll(() => machine.device.destroy());

test('graphs of integers and bools give the same elements', async () => {
  await fc.assert(
    fc.asyncProperty(graphsWithData({ dtypes: ['i32', 'i64', 'u8', 'bool'], maxOps: 12 }), async ({ graph, data }) => {
      fc.pre(nodesOf(graph).every((n) => n.outputs.every((a) => webgpuTarget.dtypes.includes(a.dtype))));
      expect(await run(machine, graph, data)).toEqual(runOnHost(graph, data, jsTarget));
    }),
    { numRuns: runs(100) },
  );
});
