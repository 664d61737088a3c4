// What the machine can do at best, measured: arithmetic by a product of matrices that fit the cache, memory by a pass over arrays that do not.
import { hostBuffer } from '../../runtime/buffer.ts';
import type { Target } from '../../runtime/target.ts';
import { parse } from '../ir/parse.ts';
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
