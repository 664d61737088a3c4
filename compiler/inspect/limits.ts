// What the machine can do at best, measured: arithmetic by a product of matrices that fit the cache, memory by a pass over arrays that do not.
import { discard, hostBuffer } from '../../runtime/buffer.ts';
import { type Target, webgpuTarget } from '../../runtime/target.ts';
import { idle } from '../../runtime/webgpu/machine.ts';
import { defaultTarget } from '../frontend/device.ts';
import { parse } from '../ir/parse.ts';
import { webgpuMachine } from '../jit/gpu.ts';
import type { Profiler } from './profile.ts';
import { inspectedGraph } from './programs.ts';

export type Limits = { readonly flopsPerMs: number; readonly bytesPerMs: number };

const side = 256;
const product = `graph @product(%x: f32[${side},${side}]) -> (%y: f32[${side},${side}]) {
  %y: f32[${side},${side}] = dot(%x, %x) {batch: []x[], contract: [1]x[0]}
}`;
const length = 4 << 20;
const pass = `graph @pass(%x: f32[${length}]) -> (%y: f32[${length}]) { %y: f32[${length}] = neg(%x) }`;

const times = 8;

/** The best of a few launches each. Takes a fraction of a second. */
export function measureLimits({ executableOf, runs }: Profiler, target: Target): Limits {
  const fastest = (text: string, elements: number): number => {
    const executable = executableOf(inspectedGraph('limit', parse(text), target));
    const input = [hostBuffer('f32', new Float32Array(elements).fill(1))];
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < times; i++) {
      executable.execute(input, new Float64Array(0));
      for (const { start, end } of runs().at(-1)!.launches) best = Math.min(best, end - start);
    }
    return best;
  };
  return { flopsPerMs: (2 * side ** 3) / fastest(product, side * side), bytesPerMs: (8 * length) / fastest(pass, length) };
}

/** The same of the GPU, where that is the default device: its times must be waited for, so it is asked before the program runs. */
export async function measureGpuLimits({ executableOf, runs }: Profiler): Promise<Limits | undefined> {
  if (defaultTarget() !== webgpuTarget) return undefined;
  const fastest = async (text: string, elements: number): Promise<number> => {
    const inspected = inspectedGraph('limit', parse(text), webgpuTarget);
    const executable = executableOf(inspected);
    const input = [hostBuffer('f32', new Float32Array(elements).fill(1), 'webgpu')];
    for (let i = 0; i < times; i++) for (const y of executable.execute(input, new Float64Array(0))) discard(y);
    await idle(webgpuMachine());
    let best = Number.POSITIVE_INFINITY;
    for (const { graph, launches } of runs())
      if (graph === inspected.graph) for (const { start, end } of launches) best = Math.min(best, end - start);
    return best;
  };
  return { flopsPerMs: (2 * side ** 3) / (await fastest(product, side * side)), bytesPerMs: (8 * length) / (await fastest(pass, length)) };
}
