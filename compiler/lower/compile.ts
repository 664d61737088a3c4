// From a graph to a Program: passes, then each kernel lowered, scheduled and emitted, its buffers placed, and steps that launch them.

import { emit } from '../../kernels/js/emit.ts';
import type { Kernel } from '../../kernels/loop.ts';
import { printKernel } from '../../kernels/print.ts';
import type { DType } from '../../runtime/dtype.ts';
import { DeviceError, InternalError, ShapeError } from '../../runtime/errors.ts';
import {
  type KernelCode,
  mapSteps,
  type OutputPort,
  type Port,
  type Program,
  programVersion,
  type SizePort,
  type Step,
} from '../../runtime/program.ts';
import type { Target } from '../../runtime/target.ts';
import { type Dim, fixed, numel, type Shape } from '../ir/dim.ts';
import { dtypeOf, type Graph, shapeOf, storedAs, type Value } from '../ir/node.ts';
import { print } from '../ir/print.ts';
import type { Sizes } from '../ops/extent.ts';
import { runPipeline } from '../passes/pipeline.ts';
import { isControl } from '../passes/regions.ts';
import { oncePerKind, type SlotIndices } from './alike.ts';
import { type Home, type Place, placeBuffers } from './buffers.ts';
import { lowerKernel, originOf } from './kernel.ts';
import { namesTaken, unique } from './names.ts';
import { scheduleKernel } from './schedule.ts';
import { type KernelNode, type Lowered, type PlannedLaunch, type PlannedStep, planSteps } from './steps.ts';
import { trafficOf } from './traffic.ts';
import { wasmModule } from './wasm.ts';
import { programShaders } from './webgpu.ts';

export type CompileOptions = {
  readonly name?: string;
  /** Optional passes to skip. */
  readonly disable?: readonly string[];
  /** Called with the graph as it is given and after each pass, with the milliseconds that it took. */
  readonly onStage?: (stage: string, graph: Graph, ms: number) => void;
  /** Told the name of each rewrite rule that fires. */
  readonly onRule?: (rule: string) => void;
  /** Called for each kernel node, in the order of launches, with the nest that it is lowered to, and that nest as it is scheduled. */
  readonly onKernel?: (node: KernelNode, nest: Kernel, scheduled: Kernel) => void;
  /** Sizes of the graph that are open until the launch, each with its least and greatest value. */
  readonly sizes?: readonly SizeRange[];
  /** For wasm: whether `run` tells the host when a launch is over, for profiles. */
  readonly marks?: boolean;
};

/** A size by the name that the graph has for it, with its least and greatest value. */
export type SizeRange = { readonly name: string; readonly min: number; readonly max: number };

/** The Program that computes a graph on a target. */
export function compileGraph(graph: Graph, target: Target, options: CompileOptions = {}): Program {
  options.onStage?.('recorded', graph, 0);
  const unfused: string[] = [];
  const fused = runPipeline(graph, target, {
    ...(options.disable === undefined ? {} : { disable: options.disable }),
    onPass: (name, result, ms) => options.onStage?.(name, result, ms),
    note: (text) => unfused.push(text),
    fired: (rule) => options.onRule?.(rule),
  });
  const name = options.name ?? 'main';
  return { ...lowerGraph(fused, target, name, options), notes: notesOf(graph, fused, name, unfused) };
}

/** Printed when somebody reads them: most Programs just run. */
const notesOf = (graph: Graph, fused: Graph, name: string, unfused: readonly string[]): Program['notes'] => ({
  get graph() {
    return print(graph, { name });
  },
  get fused() {
    return print(fused, { name });
  },
  unfused,
});

/** Lowers a graph of kernels, of control flow over kernels, and of aliases of what they leave. */
export function lowerGraph(graph: Graph, target: Target, name: string, options: CompileOptions = {}): Omit<Program, 'notes'> {
  if (target.name === 'webgpu' && (options.sizes ?? []).length > 0)
    throw new DeviceError('webgpu runs no program with open sizes', { op: 'compile', fix: "use the device 'wasm' or 'js'" });
  const slots = graph.inputs.filter(isSlot);
  const inputs = graph.inputs.filter((v) => !isSlot(v));
  const slotIndex = new Map(slots.map((v, i) => [v, i]));
  const dtypes = slots.map(dtypeOf);
  const ranges = options.sizes ?? [];
  const sizes: Sizes = new Map(ranges.map(({ name: size, min, max }) => [size, { size, least: min, most: max }]));
  const { outputs, homes } = placeOutputs(graph, inputs, ranges);
  const compiled = oncePerKind((node, indices) => compileKernel(node, indices, dtypes, target, sizes));
  const planned = planSteps(graph, homes, sizes, (node) => lowerNode(node, slotIndex, compiled, options));
  const { plan, refOf } = placeBuffers(planned.buffers);
  const { kernels, indexOf } = distinct(planned.launches.map((l) => l.lowered.code));
  const kernelOf = new Map(planned.launches.map((l, i) => [l, indexOf[i]!]));
  const program: Omit<Program, 'notes' | 'module' | 'shaders'> = {
    version: programVersion,
    target: target.name,
    name,
    inputs: inputs.map((v, i) => portOf(v, `input${i}`, ranges)),
    slots: slots.map((v, i) => ({ name: v.node.name ?? `slot${i}`, dtype: dtypeOf(v) })),
    ...(ranges.length === 0 ? {} : { sizes: ranges.map((range) => sizePort(range, inputs)) }),
    outputs,
    constants: [],
    arenaBytes: plan.arenaBytes,
    liveBytes: plan.liveBytes,
    kernels,
    steps: mapSteps(stepsOf(planned.steps, kernelOf), refOf),
  };
  if (target.name === 'js') return program;
  const nests = kernels.map((_, k) => planned.launches[indexOf.indexOf(k)]!.lowered.kernel);
  if (target.name === 'webgpu') return { ...program, shaders: programShaders(program, nests) };
  return { ...program, module: wasmModule(program, nests, target, options.marks) };
}

const stepsOf = (steps: readonly PlannedStep[], kernelOf: ReadonlyMap<PlannedLaunch, number>): Step<Place>[] =>
  steps.map((step): Step<Place> => {
    switch (step.kind) {
      case 'launch':
        return { kind: 'launch', kernel: kernelOf.get(step)!, buffers: [...step.operands, ...step.results] };
      case 'branch':
        return { ...step, then: stepsOf(step.then, kernelOf), else: stepsOf(step.else, kernelOf) };
      case 'while':
        return { ...step, test: stepsOf(step.test, kernelOf), body: stepsOf(step.body, kernelOf) };
      case 'repeat':
        return { ...step, body: stepsOf(step.body, kernelOf) };
      default:
        return step satisfies never;
    }
  });

const isSlot = (value: Value): boolean => value.node.op === 'slot';

function portOf(value: Value, fallback: string, ranges: readonly SizeRange[]): Port {
  const axes = shapeOf(value).map((d, axis) => ({ axis, ...linear(d, ranges) }));
  const open = axes.flatMap(({ axis, size, times, plus }) => (size === undefined ? [] : [{ axis, size, times, plus }]));
  return {
    name: value.node.name?.split(',')[value.index] || fallback,
    dtype: dtypeOf(value),
    shape: axes.map(({ size, times, plus }) => plus + (size === undefined ? 0 : times * ranges[size]!.max)),
    ...(open.length === 0 ? {} : { open }),
  };
}

/** An extent at the border as `times` a size and a number. */
function linear(
  d: Dim,
  ranges: readonly SizeRange[],
): { readonly size: number | undefined; readonly times: number; readonly plus: number } {
  if (typeof d === 'number') return { size: undefined, times: 0, plus: d };
  const [first, last = { coefficient: 0, names: [] }, ...more] = d.terms;
  const size = ranges.findIndex((r) => r.name === first!.names[0]);
  if (size < 0 || first!.names.length !== 1 || last.names.length > 0 || more.length > 0)
    return { size: undefined, times: 0, plus: fixed(d) };
  return { size, times: first!.coefficient, plus: last.coefficient };
}

/** An input that tells a size by its length. */
function sizePort({ name, min, max }: SizeRange, inputs: readonly Value[]): SizePort {
  for (const [input, value] of inputs.entries()) {
    const per = perSize(shapeOf(value), name);
    if (per !== undefined) return { name, min, max, input, per };
  }
  throw new ShapeError(`no input tells what the size ${name} is`, { op: 'compile' });
}

function perSize(shape: Shape, name: string): number | undefined {
  const total = numel(shape);
  if (typeof total === 'number' || total.terms.length !== 1) return undefined;
  const [{ coefficient, names }] = total.terms as readonly [{ readonly coefficient: number; readonly names: readonly string[] }];
  return names.length === 1 && names[0] === name ? coefficient : undefined;
}

/** What kernel nodes that are alike share. */
type Compiled = { readonly nest: Kernel } & Pick<Lowered, 'kernel' | 'code'>;

function lowerNode(
  node: KernelNode,
  slotIndex: ReadonlyMap<Value, number>,
  compiled: (node: KernelNode, slots: SlotIndices) => Compiled,
  { onKernel }: CompileOptions,
): Lowered {
  const slots = node.inputs.map((v) => slotIndex.get(v));
  const { nest, kernel, code } = compiled(node, slots);
  onKernel?.(node, nest, kernel);
  return { node, kernel, code };
}

function compileKernel(node: KernelNode, indices: SlotIndices, slots: readonly DType[], target: Target, sizes: Sizes): Compiled {
  const nest = lowerKernel(node, indices, slots, target, sizes);
  const kernel = scheduleKernel(nest, node.attrs.form, target);
  return { nest, kernel, code: { ...codeOf(kernel, target), ...trafficOf(node, sizes), origin: originOf(node) } };
}

/** For js what runs; for the others the loop nest, as what runs depends on the whole Program. */
function codeOf(kernel: Kernel, target: Target): Pick<KernelCode, 'name' | 'source' | 'params'> {
  if (target.name === 'js') return emit(kernel);
  const { name, params } = kernel;
  return { name, source: printKernel({ ...kernel, name: 'kernel', comment: [] }), params: [...params.map((p) => p.name), 'slots', 'fail'] };
}

/** Kernels of equal source are one, whatever their names. */
function distinct(codes: readonly KernelCode[]): { readonly kernels: readonly KernelCode[]; readonly indexOf: readonly number[] } {
  const kernels: KernelCode[] = [];
  const bySource = new Map<string, number>();
  const names = namesTaken();
  const indexOf = codes.map((code) => {
    const key = `${code.params.join()}\n${code.flops} ${code.bytesRead} ${code.bytesWritten}\n${code.source}`;
    const known = bySource.get(key);
    if (known !== undefined) return known;
    bySource.set(key, kernels.length);
    return kernels.push({ ...code, name: unique(names, code.name) }) - 1;
  });
  return { kernels, indexOf };
}

/** Where values that cross the border lie. An output that is stored elsewhere already is an alias of that. */
function placeOutputs(
  graph: Graph,
  inputs: readonly Value[],
  ranges: readonly SizeRange[],
): { readonly outputs: readonly OutputPort[]; readonly homes: ReadonlyMap<Value, Home> } {
  const homes = new Map<Value, Home>();
  for (const [index, v] of inputs.entries()) homes.set(v, { space: 'input', index });
  const outputs = graph.outputs.map((value, index): OutputPort => {
    const port = portOf(value, `output${index}`, ranges);
    const stored = storedAs(value);
    const home = homes.get(stored);
    if (home !== undefined) return { ...port, alias: home };
    if (stored.node.op !== 'kernel' && !isControl(stored.node))
      throw new InternalError(`output ${index} is made by ${stored.node.op}, not by a kernel`, { op: 'lower' });
    homes.set(stored, { space: 'output', index });
    return port;
  });
  return { outputs, homes };
}
