// What recording, finding and compiling cost, and what a step costs beside its kernels. Aims are shown beside the numbers and never asserted.
import { boundary, deferSteps } from '../../compiler/frontend/boundary.ts';
import { locateAlways, nextInterval } from '../../compiler/frontend/record.ts';
import { getDefaultDevice, randn, type Tensor } from '../../compiler/index.ts';
import { type Inspected, watch } from '../../compiler/inspect/index.ts';
import type { Graph, Node } from '../../compiler/ir/node.ts';
import { load } from '../../compiler/jit/executable.ts';
import { forgetStructures, structureOf, survey } from '../../compiler/jit/structure.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { runPipeline } from '../../compiler/passes/pipeline.ts';
import { jsTarget } from '../../runtime/target.ts';
import { mlpStep, mnistSizes, type Step } from '../replay/steps.ts';
import { median, microseconds } from './clock.ts';
import { compiled } from './compileCosts.ts';
import { jacobian } from './jacobian.ts';

export type Cost = { readonly what: string; readonly value: number; readonly unit: string; readonly aim?: string };
export type Case = () => Cost[];

/** 100 ops, recorded; the boundary is left to the caller. */
function chainOf(x: Tensor, y: Tensor): Tensor {
  let z = x;
  for (let i = 0; i < 50; i++) z = z.add(y).mul(x);
  return z;
}
const few = (): Tensor => randn([4]);

function record(): Cost[] {
  const [x, y] = [few(), few()];
  const observe = (z: Tensor): void => void z.dataSync();
  const steady = microseconds(() => chainOf(x, y), observe) / 100;
  locateAlways(true);
  const located = microseconds(() => chainOf(x, y), observe) / 100;
  locateAlways(false);
  return [
    { what: 'recording an op, steady state', value: steady, unit: 'µs', aim: '< 1' },
    { what: 'recording an op, new, with its location', value: located, unit: 'µs', aim: '< 15' },
  ];
}

/** The nodes that `f` records, taken out of the recording. */
function recorded(f: () => void): Node[] {
  boundary();
  deferSteps(f);
  return nextInterval().nodes;
}
const find = (nodes: readonly Node[]): number => microseconds(() => structureOf(survey(nodes), jsTarget));

function lookup(): Cost[] {
  const [x, y] = [few(), few()];
  const step = mlpStep();
  for (let i = 0; i < 2; i++) step();
  const chain = recorded(() => void chainOf(x, y));
  const mlp = recorded(() => void step());
  return [
    { what: `finding a compiled graph of ${chain.length} nodes`, value: find(chain), unit: 'µs', aim: '< 30, better 5' },
    { what: `finding the MLP step, ${mlp.length} nodes`, value: find(mlp), unit: 'µs' },
  ];
}

/** The graph of the MLP step as it is recorded. */
function mlpGraph(step: Step): Inspected {
  const watched = watch();
  step();
  watched.stop();
  return watched.programs().at(-1)!;
}

function compile(): Cost[] {
  forgetStructures();
  const { graph } = mlpGraph(mlpStep());
  const whole = microseconds(() => load(compileGraph(graph, jsTarget))) / 1000;
  const passes = timesOfPasses(graph);
  const inPasses = [...passes.values()].reduce((a, b) => a + b, 0);
  return [
    { what: 'compiling the MLP step, warm process', value: whole, unit: 'ms', aim: '< 30' },
    ...[...passes].map(([name, value]): Cost => ({ what: `  ${name}`, value, unit: 'ms' })),
    { what: '  lowering, code and memory', value: whole - inPasses, unit: 'ms' },
    { what: 'a first MLP step, recorded, found new, compiled', value: firstStep(), unit: 'ms' },
  ];
}

function timesOfPasses(graph: Graph): Map<string, number> {
  const times = new Map<string, number[]>();
  for (let i = 0; i < 30; i++)
    runPipeline(graph, jsTarget, { onPass: (name, _, ms) => void times.set(name, [...(times.get(name) ?? []), ms]) });
  return new Map([...times].map(([name, all]) => [name, median(all)]));
}

/** With a network so small that its kernels take no time: all that is left is the way to them. */
function firstStep(): number {
  const step = mlpStep({ batch: 2, inputs: 3, hidden: 4, classes: 2 });
  return microseconds(step, () => forgetStructures()) / 1000;
}

function mlp(): Cost[] {
  const step = mlpStep();
  const tiny = mlpStep({ batch: 2, inputs: 3, hidden: 4, classes: 2 });
  const { batch, inputs, hidden, classes } = mnistSizes;
  return [
    { what: `MLP ${inputs}-${hidden}-${classes}, batch ${batch}, SGD`, value: 1e6 / microseconds(step), unit: 'steps/s' },
    { what: 'MLP 3-4-2, batch 2, SGD: what a step costs beside its kernels', value: microseconds(tiny), unit: 'µs' },
  ];
}

/** Handles are dropped, nothing is collected by force, and the loop never yields. */
function memory(): Cost[] {
  const step = mlpStep({ batch: 8, inputs: 16, hidden: 16, classes: 4 });
  const rows: Cost[] = [];
  let done = 0;
  for (const until of [200, 10_000]) {
    for (; done < until; done++) step();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    rows.push({ what: `heap after ${until} steps`, value: heapUsed / 2 ** 20, unit: 'MiB' });
    rows.push({ what: `array buffers after ${until} steps`, value: arrayBuffers / 2 ** 20, unit: 'MiB' });
  }
  return rows;
}

function matmul(): Cost[] {
  const shapes: readonly (readonly [m: number, k: number, n: number])[] = [
    [64, 64, 64],
    [256, 256, 256],
    [512, 512, 512],
    [128, 784, 256],
    [128, 256, 10],
    [1, 1024, 1024],
  ];
  return shapes.map(([m, k, n]) => {
    const [x, y] = [randn([m, k]), randn([k, n])];
    const time = microseconds(() => x.matmul(y).dataSync());
    return { what: `matmul ${m}x${k}x${n}, ${getDefaultDevice()}`, value: (2 * m * k * n) / time / 1000, unit: 'GF/s' };
  });
}

export const costs: Readonly<Record<string, Case>> = { record, lookup, compile, compiled, mlp, memory, matmul, jacobian };
