// Runs compiled graphs on a WebGPU device, as test/run-program.ts does on the CPU.

import { arrayOf, referenceFrom } from '../../compiler/inspect/data.ts';
import { avalOf, type Graph } from '../../compiler/ir/node.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { copy, hostBuffer, release } from '../../runtime/buffer.ts';
import { webgpuTarget } from '../../runtime/target.ts';
import { bindWebGpu } from '../../runtime/webgpu/execute.ts';
import { arenaOf } from '../../runtime/webgpu/machine.ts';
import type { Machine } from '../../runtime/webgpu/state.ts';

/** Fills the arena with bytes that make any float a NaN: nothing may survive from an earlier run. */
function poison(m: Machine): void {
  const { size } = arenaOf(m, 4096);
  m.device.queue.writeBuffer(m.arena!, 0, new Uint8Array(size).fill(0xff));
}

/** Compiles a graph and runs it once on data for all its inputs, slots among them, with a poisoned arena. */
export async function run(m: Machine, graph: Graph, data: readonly Reference[]): Promise<readonly Reference[]> {
  const isSlot = graph.inputs.map((v) => v.node.op === 'slot');
  const inputs = data.filter((_, i) => !isSlot[i]).map((r) => hostBuffer(r.dtype, arrayOf(r)));
  const slots = Float64Array.from(data.filter((_, i) => isSlot[i]).map((r) => r.data[0]!));
  const executable = bindWebGpu(compileGraph(graph, webgpuTarget), m);
  poison(m);
  const outputs = executable.execute(inputs, slots);
  try {
    const results: Reference[] = [];
    for (const [i, v] of graph.outputs.entries()) {
      const { dtype, shape } = avalOf(v);
      results.push(referenceFrom(await copy(outputs[i]!), dtype, shape as readonly number[]));
    }
    return results;
  } finally {
    for (const buffer of [...inputs, ...outputs]) release(buffer);
  }
}
