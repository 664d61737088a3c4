// A profile as data: runs summed up by kernel, each against what the machine could do at best.
import { type KernelCode, launchesOf } from '../../runtime/program.ts';
import type { Graph } from '../ir/node.ts';
import type { Limits } from './limits.ts';
import type { TimedRun } from './profile.ts';
import type { Inspected } from './programs.ts';

export type KernelTime = {
  readonly program: string;
  readonly kernel: string;
  readonly launches: number;
  /** Of all launches, and of the one in the middle, which the first ones, slow while the engine learns, do not move. */
  readonly ms: number;
  readonly medianMs: number;
  readonly flopsPerMs: number;
  readonly bytesPerMs: number;
  /** Time at the machine's limit over time taken, and which limit that is. */
  readonly share: number;
  readonly bound: 'arithmetic' | 'memory';
  readonly origin: readonly string[];
};

export type ProgramTime = {
  readonly name: string;
  readonly runs: number;
  /** All of its runs, with what lies between launches. */
  readonly ms: number;
  readonly kernels: readonly KernelTime[];
};

export type Timing = { readonly programs: readonly ProgramTime[]; readonly ms: number; readonly limits: Limits };

export function timingOf(programs: readonly Inspected[], runs: readonly TimedRun[], limits: Limits): Timing {
  const sums = new Map<Graph, { runs: number; ms: number; kernels: Map<number, number[]> }>();
  const kernelsOf = new Map(programs.map(({ graph, program }) => [graph, launchesOf(program().steps).map(({ launch }) => launch.kernel)]));
  for (const { graph, start, end, launches } of runs) {
    const kernels = kernelsOf.get(graph);
    if (kernels === undefined) continue;
    const sum = sums.get(graph) ?? { runs: 0, ms: 0, kernels: new Map() };
    sums.set(graph, sum);
    sum.runs++;
    sum.ms += end - start;
    for (const l of launches) {
      const times = sum.kernels.get(kernels[l.launch]!) ?? [];
      sum.kernels.set(kernels[l.launch]!, times);
      times.push(l.end - l.start);
    }
  }
  const times = programs.flatMap(({ name, graph, program }): ProgramTime[] => {
    const sum = sums.get(graph);
    if (sum === undefined) return [];
    const kernels = [...sum.kernels].map(([k, all]) => kernelTime(name, program().kernels[k]!, all, limits));
    return [{ name, runs: sum.runs, ms: sum.ms, kernels: kernels.sort((a, b) => b.ms - a.ms) }];
  });
  let ms = 0;
  for (const time of times) ms += time.ms;
  return { programs: times.sort((a, b) => b.ms - a.ms), ms, limits };
}

function kernelTime(program: string, code: KernelCode, times: readonly number[], limits: Limits): KernelTime {
  const { name, flops, bytesRead, bytesWritten, origin } = code;
  const bytes = bytesRead + bytesWritten;
  const [arithmetic, memory] = [flops / limits.flopsPerMs, bytes / limits.bytesPerMs];
  let ms = 0;
  for (const time of times) ms += time;
  // A clock of limited resolution may see no time at all.
  const each = Math.max(times.toSorted((a, b) => a - b)[times.length >> 1]!, 1e-6);
  return {
    program,
    kernel: name,
    launches: times.length,
    ms,
    medianMs: each,
    flopsPerMs: flops / each,
    bytesPerMs: bytes / each,
    share: Math.max(arithmetic, memory) / each,
    bound: arithmetic > memory ? 'arithmetic' : 'memory',
    origin,
  };
}
