// `fluxion profile`: where the time of a program goes, kernel by kernel.
import { writeFileSync } from 'node:fs';
import { defaultTarget } from '../frontend/device.ts';
import { arrayOf, isSlot } from '../inspect/data.ts';
import {
  describeTiming,
  type Inspected,
  measureGpuLimits,
  measureLimits,
  type Profiler,
  seededData,
  startProfile,
  timingOf,
  traceOf,
} from '../inspect/index.ts';
import { type Invocation, UsageError } from './arguments.ts';
import { dataText } from './json.ts';
import { styleOf } from './style.ts';
import { reportOn } from './subject.ts';
import { chooseDevice } from './targets.ts';

/** How often graphs that came as text are run. */
const repetitions = 20;

export async function profile(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  await chooseDevice(invocation);
  const profiler = startProfile();
  const onGpu = await measureGpuLimits(profiler);
  return reportOn(invocation, (programs) => {
    // A GPU would have to be waited for, and this is the end.
    if (onGpu === undefined && profiler.runs().length === 0) for (const p of programs) runOnSeeds(p, profiler);
    profiler.stop();
    const runs = [...profiler.runs()];
    const timing = timingOf(programs, runs, onGpu ?? measureLimits(profiler, programs[0]?.target ?? defaultTarget()));
    const trace = options.get('trace');
    if (trace !== undefined) write(trace, JSON.stringify(traceOf(programs, runs)));
    if (options.has('json')) return dataText(timing);
    const note = trace === undefined ? '' : `\n${trace} opens in ui.perfetto.dev and speedscope.app\n`;
    return `${describeTiming(timing, styleOf(process.stdout))}${note}`.trimEnd();
  });
}

/** Runs a graph that no program runs, on data of ours. */
export function runOnSeeds(inspected: Inspected, { executableOf }: Profiler): void {
  const executable = executableOf(inspected);
  const data = seededData(inspected.graph);
  const inputs = data.filter((_, i) => !isSlot(inspected.graph.inputs[i]!)).map(arrayOf);
  const slots = Float64Array.from(data.filter((_, i) => isSlot(inspected.graph.inputs[i]!)).map((r) => r.data[0]!));
  for (let i = 0; i < repetitions; i++) executable.run(inputs, slots);
}

export function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`${path} cannot be written: ${(error as Error).message}`);
  }
}
