// Runs Programs with a clock: when each run began, and when each launch in it was over.
import { InternalError } from '../../runtime/errors.ts';
import type { Executable } from '../../runtime/executable.ts';
import { bind } from '../../runtime/execute.ts';
import type { Program, Step } from '../../runtime/program.ts';
import type { Target } from '../../runtime/target.ts';
import { bindWasm } from '../../runtime/wasm/execute.ts';
import { bindWebGpu } from '../../runtime/webgpu/execute.ts';
import type { Graph } from '../ir/node.ts';
import { environment } from '../jit/environment.ts';
import { functionsOf } from '../jit/executable.ts';
import { webgpuMachine } from '../jit/gpu.ts';
import { wasmMachine } from '../jit/machine.ts';
import { forgetStructures, loadBy } from '../jit/structure.ts';
import { compileGraph } from '../lower/compile.ts';
import type { Inspected } from './programs.ts';

/** Times in milliseconds of `performance.now()`. */
export type TimedLaunch = { readonly launch: number; readonly start: number; readonly end: number };
export type TimedRun = { readonly graph: Graph; readonly start: number; readonly end: number; readonly launches: readonly TimedLaunch[] };

export type Profiler = {
  /** The runs so far, in order. Beyond `mostRuns` the oldest are forgotten. */
  readonly runs: () => readonly TimedRun[];
  /** An executable that is timed, for a graph that no program runs. */
  readonly executableOf: (inspected: Inspected) => Executable;
  readonly stop: () => void;
};

/** Runs that are kept: traces of more no viewer opens. */
const mostRuns = 20_000;

/** Times everything that is compiled from now on; eager code compiles again what it has compiled before. */
export function startProfile(): Profiler {
  forgetStructures();
  const runs: TimedRun[] = [];
  const keep = (run: TimedRun): void => {
    if (runs.length >= mostRuns) runs.splice(0, mostRuns / 10);
    runs.push(run);
  };
  const stop = loadBy((program, graph, target) => timed(program, graph, target, keep));
  return { runs: () => runs, executableOf: ({ graph, target, program }) => timed(program(), graph, target, keep), stop };
}

/** The same executable, which tells `keep` of each run. */
function timed(program: Program, graph: Graph, target: Target, keep: (run: TimedRun) => void): Executable {
  let launches: TimedLaunch[] = [];
  const add = (launch: number, start: number, end: number): void => void launches.push({ launch, start, end });
  if (program.target === 'webgpu') return timedOnGpu(program, graph, keep);
  const executable = withClock(program, graph, target, add);
  const run = <T>(f: () => T): T => {
    launches = [];
    const start = performance.now();
    try {
      return f();
    } finally {
      keep({ graph, start, end: performance.now(), launches });
    }
  };
  return {
    ...executable,
    program,
    run: (inputs, slots, outputs) => run(() => executable.run(inputs, slots, outputs)),
    execute: (inputs, slots, outputs) => run(() => executable.execute(inputs, slots, outputs)),
  };
}

/** Runs by the clock of the GPU. They count as over when the host hears of them. */
const timedOnGpu = (program: Program, graph: Graph, keep: (run: TimedRun) => void): Executable =>
  bindWebGpu(program, webgpuMachine(), undefined, (launches) => {
    if (launches.length === 0) return;
    const end = performance.now();
    const last = launches.reduce((t, l) => Math.max(t, l.end), 0);
    const at = (nanoseconds: number): number => end - (last - nanoseconds) / 1e6;
    const first = launches.reduce((t, l) => Math.min(t, l.start), last);
    keep({ graph, start: at(first), end, launches: launches.map((l) => ({ launch: l.launch, start: at(l.start), end: at(l.end) })) });
  });

type Add = (launch: number, start: number, end: number) => void;

function withClock(program: Program, graph: Graph, target: Target, add: Add): Executable {
  switch (program.target) {
    case 'js':
      return scripted(program, add);
    case 'wasm': {
      // All launches are one call: a module of its own tells when each is over.
      const marked = compileGraph(graph, target, {
        name: program.name,
        disable: environment('FLUXION_DISABLE'),
        marks: true,
        sizes: program.sizes ?? [],
      });
      let last = 0;
      return bindWasm(marked, wasmMachine(), undefined, (launch) => {
        const now = performance.now();
        if (launch >= 0) add(launch, last, now);
        last = now;
      });
    }
    case 'webgpu':
      throw new InternalError('a GPU has a clock of its own', { op: 'profile' });
    default:
      return program.target satisfies never;
  }
}

/** A kernel for each launch, so that each has a clock of its own. */
function scripted(program: Program, add: Add): Executable {
  const kernels: number[] = [];
  const renumbered = (steps: readonly Step[]): Step[] =>
    steps.map((step): Step => {
      switch (step.kind) {
        case 'launch':
          return { ...step, kernel: kernels.push(step.kernel) - 1 };
        case 'branch':
          return { ...step, then: renumbered(step.then), else: renumbered(step.else) };
        case 'while':
          return { ...step, test: renumbered(step.test), body: renumbered(step.body) };
        case 'repeat':
          return { ...step, body: renumbered(step.body) };
        default:
          return step satisfies never;
      }
    });
  const steps = renumbered(program.steps);
  const functions = functionsOf(program);
  const clocked = kernels.map((kernel, launch) => (...args: unknown[]): void => {
    const start = performance.now();
    functions[kernel]!(...args);
    add(launch, start, performance.now());
  });
  const own = kernels.map((kernel, launch) => ({ ...program.kernels[kernel]!, name: `launch${launch}` }));
  return bind({ ...program, kernels: own, steps }, clocked);
}
