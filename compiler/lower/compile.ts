// From a graph to a Program: passes, then each kernel lowered, scheduled and emitted, intermediates placed in the arena, launches in order.

import { emit } from '../../kernels/js/emit.ts';
import type { Kernel } from '../../kernels/loop.ts';
import { printKernel } from '../../kernels/print.ts';
import { bytesPerElement, type DType } from '../../runtime/dtype.ts';
import { InternalError, IRError, OutOfMemoryError } from '../../runtime/errors.ts';
import {
  type BufferRef,
  type KernelCode,
  type Launch,
  type OutputPort,
  type Port,
  type Program,
  programVersion,
} from '../../runtime/program.ts';
import type { Target } from '../../runtime/target.ts';
import { avalText } from '../ir/aval.ts';
import { fixed, fixedShape, numel } from '../ir/dim.ts';
import { avalOf, dtypeOf, type Graph, type NodeOf, shapeOf, storedAs, type Value } from '../ir/node.ts';
import { print } from '../ir/print.ts';
import { schedule } from '../passes/order.ts';
import { runPipeline } from '../passes/pipeline.ts';
import { oncePerKind, type SlotIndices } from './alike.ts';
import { type ArenaPlan, type Lifetime, planArena } from './arena.ts';
import { inPlaceOf } from './in-place.ts';
import { lowerKernel, originOf } from './kernel.ts';
import { scheduleKernel } from './schedule.ts';
import { trafficOf } from './traffic.ts';
import { wasmModule } from './wasm.ts';

export type CompileOptions = {
  readonly name?: string;
  /** Optional passes to skip. */
  readonly disable?: readonly string[];
  /** Called with the graph as it is given and after each pass, with the milliseconds that it took. */
  readonly onStage?: (stage: string, graph: Graph, ms: number) => void;
  /** Told the name of each rewrite rule that fires. */
  readonly onRule?: (rule: string) => void;
  /** Called for each kernel node, in the order of launches, with the nest that it is lowered to, and that nest as it is scheduled. */
  readonly onKernel?: (node: NodeOf<'kernel'>, nest: Kernel, scheduled: Kernel) => void;
};

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

type KernelNode = NodeOf<'kernel'>;

/** A kernel node with its code, and which of its operands each result may overwrite. */
type Lowered = { readonly node: KernelNode; readonly kernel: Kernel; readonly code: KernelCode };

/** Lowers a graph whose nodes all are kernels, or aliases of what they leave. */
export function lowerGraph(graph: Graph, target: Target, name: string, options: CompileOptions = {}): Omit<Program, 'notes'> {
  const slots = graph.inputs.filter(isSlot);
  const inputs = graph.inputs.filter((v) => !isSlot(v));
  const slotIndex = new Map(slots.map((v, i) => [v, i]));
  const dtypes = slots.map(dtypeOf);
  const compiled = oncePerKind((node, indices) => compileKernel(node, indices, dtypes, target));
  const lowered = kernelsInOrder(graph).map((node) => lowerNode(node, slotIndex, compiled, options));
  const { outputs, homes } = placeOutputs(graph, inputs);
  const { plan, offsetOf } = placeIntermediates(lowered, homes);
  const refOf = (value: Value): BufferRef => {
    const stored = storedAs(value);
    const home = homes.get(stored);
    if (home !== undefined) return home;
    return { space: 'arena', offset: offsetOf(stored), length: fixed(numel(shapeOf(stored))), dtype: dtypeOf(stored) };
  };
  const { kernels, indexOf } = distinct(lowered.map((l) => l.code));
  const launches = lowered.map(
    ({ node }, i): Launch => ({ kernel: indexOf[i]!, buffers: [...node.inputs.filter((v) => !isSlot(v)), ...node.values].map(refOf) }),
  );
  const program: Omit<Program, 'notes' | 'module'> = {
    version: programVersion,
    target: target.name,
    name,
    inputs: inputs.map((v, i) => portOf(v, `input${i}`)),
    slots: slots.map((v, i) => ({ name: v.node.name ?? `slot${i}`, dtype: dtypeOf(v) })),
    outputs,
    constants: [],
    arenaBytes: plan.arenaBytes,
    liveBytes: plan.liveBytes,
    kernels,
    launches,
  };
  if (target.name !== 'wasm') return program;
  const nests = kernels.map((_, k) => lowered[indexOf.indexOf(k)]!.kernel);
  return { ...program, module: wasmModule(program, nests, target) };
}

const isSlot = (value: Value): boolean => value.node.op === 'slot';

const portOf = (value: Value, fallback: string): Port => ({
  name: value.node.name?.split(',')[value.index] || fallback,
  dtype: dtypeOf(value),
  shape: fixedShape(shapeOf(value)),
});

function kernelsInOrder(graph: Graph): KernelNode[] {
  const kernels: KernelNode[] = [];
  for (const node of schedule(graph)) {
    switch (node.op) {
      case 'kernel':
        for (const value of node.values) demandAddressable(value);
        kernels.push(node);
        break;
      case 'reshape':
      case 'barrier':
        break;
      case 'cond':
      case 'whileLoop':
      case 'scan':
        throw new IRError(`control flow inside a graph does not compile yet`, {
          op: node.op,
          fix: 'write the branch or loop in the host program',
        });
      default:
        throw new InternalError(`${node.op} ${node.outputs.map(avalText).join(', ')} was left outside of all kernels`, { op: 'lower' });
    }
  }
  return kernels;
}

/** Positions are computed in 32 bits, and arrays hold no more. */
const mostElements = 2 ** 31 - 1;

function demandAddressable(value: Value): void {
  const count = fixed(numel(shapeOf(value)));
  if (count <= mostElements) return;
  throw new OutOfMemoryError(
    `${value.node.name ?? 'a result'}: ${avalText(avalOf(value))} has ${count} elements, ${mostElements} are possible`,
    {
      op: 'compile',
      fix: 'split the computation, or reduce before the value is stored',
    },
  );
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

function compileKernel(node: KernelNode, indices: SlotIndices, slots: readonly DType[], target: Target): Compiled {
  const nest = lowerKernel(node, indices, slots, target);
  const kernel = scheduleKernel(nest, node.attrs.form, target);
  return { nest, kernel, code: { ...codeOf(kernel, target), ...trafficOf(node), origin: originOf(node) } };
}

/** For js what runs; for wasm the loop nest, as the module is made of all kernels at once. */
function codeOf(kernel: Kernel, target: Target): Pick<KernelCode, 'name' | 'source' | 'params'> {
  if (target.name === 'js') return emit(kernel);
  const { name, params } = kernel;
  return { name, source: printKernel({ ...kernel, name: 'kernel', comment: [] }), params: [...params.map((p) => p.name), 'slots', 'fail'] };
}

/** Kernels of equal source are one, whatever their names. */
function distinct(codes: readonly KernelCode[]): { readonly kernels: readonly KernelCode[]; readonly indexOf: readonly number[] } {
  const kernels: KernelCode[] = [];
  const bySource = new Map<string, number>();
  const indexOf = codes.map((code) => {
    const key = `${code.params.join()}\n${code.flops} ${code.bytesRead} ${code.bytesWritten}\n${code.source}`;
    const known = bySource.get(key);
    if (known !== undefined) return known;
    bySource.set(key, kernels.length);
    return kernels.push(code) - 1;
  });
  return { kernels, indexOf };
}

type Homes = ReadonlyMap<Value, BufferRef>;

/** Where values that cross the border lie. An output that is stored elsewhere already is an alias of that. */
function placeOutputs(graph: Graph, inputs: readonly Value[]): { readonly outputs: readonly OutputPort[]; readonly homes: Homes } {
  const homes = new Map<Value, BufferRef>();
  for (const [index, v] of inputs.entries()) homes.set(v, { space: 'input', index });
  const outputs = graph.outputs.map((value, index): OutputPort => {
    const port = portOf(value, `output${index}`);
    const stored = storedAs(value);
    const home = homes.get(stored);
    if (home === undefined) {
      if (stored.node.op !== 'kernel')
        throw new InternalError(`output ${index} is made by ${stored.node.op}, not by a kernel`, { op: 'lower' });
      homes.set(stored, { space: 'output', index });
      return port;
    }
    if (home.space !== 'input' && home.space !== 'output') throw new InternalError(`output ${index} has no home`, { op: 'lower' });
    return { ...port, alias: { space: home.space, index: home.index } };
  });
  return { outputs, homes };
}

/** Arena offsets of what lives within the Program. A result takes over the bytes of an operand that dies, where the kernel allows it. */
function placeIntermediates(
  lowered: readonly Lowered[],
  homes: Homes,
): { readonly plan: ArenaPlan; readonly offsetOf: (stored: Value) => number } {
  const last = new Map<Value, number>();
  lowered.forEach(({ node }, i) => {
    for (const v of node.inputs) last.set(storedAs(v), i);
  });
  const slotOf = new Map<Value, number>();
  const lifetimes: Lifetime[] = [];
  lowered.forEach(({ node, kernel }, i) => {
    const takenOver = takeOvers(node, kernel, (v) => slotOf.has(v) && last.get(v) === i);
    for (const value of node.values) {
      if (homes.has(value)) continue;
      const end = last.get(value) ?? i;
      const donor = takenOver.get(value);
      if (donor !== undefined) {
        const slot = slotOf.get(donor)!;
        slotOf.set(value, slot);
        lifetimes[slot] = { ...lifetimes[slot]!, last: end };
      } else {
        slotOf.set(value, lifetimes.length);
        lifetimes.push({ bytes: fixed(numel(shapeOf(value))) * bytesPerElement[dtypeOf(value)], first: i, last: end });
      }
    }
  });
  const plan = planArena(lifetimes);
  return { plan, offsetOf: (stored) => plan.offsets[slotOf.get(stored)!]! };
}

/** For each result that may overwrite a dying operand: that operand. Each is taken over once, and only where it is bound once. */
function takeOvers(node: KernelNode, kernel: Kernel, dies: (stored: Value) => boolean): Map<Value, Value> {
  const result = new Map<Value, Value>();
  const operands = node.inputs.filter((v) => !isSlot(v)).map(storedAs);
  const dying = operands.flatMap((v, o) => (dies(v) && operands.indexOf(v) === operands.lastIndexOf(v) ? [o] : []));
  if (dying.length === 0) return result;
  const inPlace = inPlaceOf(kernel);
  const taken = new Set<number>();
  node.values.forEach((value, r) => {
    const donor = dying.find((o) => !taken.has(o) && inPlace.mayOverwrite(operands.length + r, o));
    if (donor === undefined) return;
    taken.add(donor);
    result.set(value, operands[donor]!);
  });
  return result;
}
