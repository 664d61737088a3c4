// A profile as Chrome trace events, which Perfetto, speedscope and chrome://tracing open.
import { launchesOf } from '../../../runtime/program.ts';
import type { Graph } from '../../ir/node.ts';
import { memoryOf } from '../memory.ts';
import type { TimedRun } from '../profile.ts';
import type { Inspected } from '../programs.ts';

type TraceEvent = { readonly pid: 1; readonly ts: number; readonly name: string } & (
  | {
      readonly ph: 'X';
      readonly tid: 1;
      readonly dur: number;
      readonly cat: 'program' | 'kernel';
      readonly args: Readonly<Record<string, unknown>>;
    }
  | { readonly ph: 'C'; readonly args: { readonly bytes: number } }
  | { readonly ph: 'M'; readonly tid?: 1; readonly args: { readonly name: string } }
);
export type Trace = { readonly displayTimeUnit: 'ms'; readonly traceEvents: readonly TraceEvent[] };

/** One track: launches lie within the run of their Program and do not overlap. A counter says how many bytes of the arena are alive. */
export function traceOf(programs: readonly Inspected[], runs: readonly TimedRun[]): Trace {
  const known = new Map(programs.map((p): [Graph, ReturnType<typeof tracedOf>] => [p.graph, tracedOf(p)]));
  const origin = runs[0]?.start ?? 0;
  const at = (ms: number): number => Math.round((ms - origin) * 1e6) / 1e3;
  const events: TraceEvent[] = [
    { ph: 'M', pid: 1, ts: 0, name: 'process_name', args: { name: 'fluxion' } },
    { ph: 'M', pid: 1, tid: 1, ts: 0, name: 'thread_name', args: { name: 'launches' } },
  ];
  const put = (name: string, cat: 'program' | 'kernel', start: number, end: number, args: Readonly<Record<string, unknown>>): void =>
    void events.push({ ph: 'X', pid: 1, tid: 1, ts: at(start), dur: Math.max(0, at(end) - at(start)), name, cat, args });
  for (const { graph, start, end, launches } of runs) {
    const traced = known.get(graph);
    if (traced === undefined) continue;
    put(traced.name, 'program', start, end, { kernels: traced.kernels.length });
    for (const l of launches) {
      const { name, flops, bytes, origin: lines, live } = traced.kernels[l.launch]!;
      put(name, 'kernel', l.start, l.end, { launch: l.launch + 1, flops, bytes, lines });
      events.push({ ph: 'C', pid: 1, ts: at(l.start), name: 'arena', args: { bytes: live } });
    }
    events.push({ ph: 'C', pid: 1, ts: at(end), name: 'arena', args: { bytes: 0 } });
  }
  return { displayTimeUnit: 'ms', traceEvents: events };
}

function tracedOf(inspected: Inspected) {
  const { name } = inspected;
  const program = inspected.program();
  const { launches } = memoryOf(inspected);
  const kernels = launchesOf(program.steps).map(({ launch }, i) => {
    const { name, flops, bytesRead, bytesWritten, origin } = program.kernels[launch.kernel]!;
    return { name, flops, bytes: bytesRead + bytesWritten, origin, live: launches[i]!.liveBytes };
  });
  return { name, kernels };
}
