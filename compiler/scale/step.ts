// A training step as one graph whose inputs and outputs have roles: recorded without running, by the machinery of `compile`.
import type { Buffer } from '../../runtime/buffer.ts';
import type { HostExpr } from '../../runtime/host.ts';
import { jsTarget, type Target } from '../../runtime/target.ts';
import { realise } from '../frontend/boundary.ts';
import type { HostCounter } from '../frontend/call.ts';
import { type AheadCall, type AheadSource, recordAhead } from '../frontend/compile/ahead.ts';
import type { Module } from '../frontend/nn/module.ts';
import type { Rest } from '../frontend/pytree.ts';
import type { Tensor } from '../frontend/tensor.ts';
import { b } from '../ir/builder.ts';
import { literalOf } from '../ir/literal.ts';
import { avalOf, dtypeOf, type Graph, nodesOf, type Value } from '../ir/node.ts';
import { runPipeline } from '../passes/pipeline.ts';
import { rebuilt } from '../passes/rebuild.ts';
import { indexBounds } from './bounds.ts';
import { formulaText } from './formula.ts';
import { optimizersAmong, rolesOf } from './names.ts';
import type { Role } from './stablehlo/module.ts';

/** Any step: it takes tensors and gives its loss, alone or among metrics. */
export type StepFunction = (...batch: never[]) => unknown;
/** The arguments of the step in order, by the names that the data have. */
export type Example = Readonly<Record<string, Tensor>>;

export type RecordedStep = {
  readonly graph: Graph;
  readonly inputs: readonly Role[];
  readonly outputs: readonly Role[];
  /** By role: what the step begins with. */
  readonly state: ReadonlyMap<string, { readonly aval: ReturnType<typeof avalOf>; readonly read: () => Buffer }>;
  /** Learning rates, by the names that formulas give them. */
  readonly rates: Readonly<Record<string, number>>;
  /** By parameter: how many updates it has had, and how many a step adds. */
  readonly updates: Readonly<Record<string, readonly [before: number, each: number]>>;
};

/** XLA fuses by itself: composites are taken apart, loops stay loops, and constraints stay whole. */
const target: Target = { ...jsTarget, templates: ['constrain'] };
export const simplified = (graph: Graph): Graph => runPipeline(graph, target, { disable: ['unroll'], until: 'dce' });

/** Records the step on an example, whose values do not matter. All state stays as it is. Throws CompileError for what no graph holds. */
export function recordStep(step: StepFunction, example: Example, model?: Module): RecordedStep {
  const names = Object.keys(example);
  const avals = names.map((name) => ({ dtype: example[name]!.element, shape: example[name]!.shape }));
  const run = (batch: readonly Tensor[]): unknown => (step as (...batch: readonly Tensor[]) => unknown)(...batch);
  const call = recordAhead(run, avals, { op: 'exportStep', openRates: true });
  const optimizers = optimizersAmong(call.deciders);
  const roles = rolesOf(model === undefined ? call.modules : [model], optimizers);
  const rateOwners = optimizers.flatMap((o) => o.paramGroups) as readonly object[];
  const rateName = (group: object): string => (rateOwners.length === 1 ? 'lr' : `lr${rateOwners.indexOf(group)}`);
  const rates: Record<string, number> = {};
  const times = new Map(call.counts.map(({ counter, times }) => [counter.owner, times]));
  const counterText = (c: HostCounter): string => {
    if (c.name !== 'lr') return progress(c.value(), times.get(c.owner) ?? 0);
    rates[rateName(c.owner)] = c.value();
    return rateName(c.owner);
  };
  const state = new Map<string, { readonly aval: ReturnType<typeof avalOf>; readonly read: () => Buffer }>();
  const fallback = fallbackNames();
  const described = call.sources.map((source, i): Role | undefined => {
    const v = call.graph.inputs[i]!;
    switch (source.kind) {
      case 'argument':
        return { role: `batch:${names[source.index]}` };
      case 'state': {
        const role = roles.get(source.storage) ?? fallback(source.storage);
        state.set(role, { aval: avalOf(v), read: () => realise(source.storage.value) });
        return { role };
      }
      case 'constant': {
        const role = fallback(source);
        state.set(role, { aval: avalOf(v), read: source.buffer });
        return { role };
      }
      case 'slot':
        return scalarRole(source.expr, dtypeOf(v), i, counterText);
      default:
        return source satisfies never;
    }
  });
  const open = withLiterals(call.graph, call.sources, described);
  const graph = simplified(open);
  const inputs = described.filter((role) => role !== undefined);
  const bounds = indexBounds(graph);
  return {
    graph,
    inputs: inputs.map((input, i) => {
      const bound = input.role.startsWith('batch:') ? bounds.get(graph.inputs[i]!) : undefined;
      return bound === undefined ? input : { ...input, notes: bound };
    }),
    outputs: [
      ...resultNames(call).map((role) => ({ role })),
      ...call.written.map((storage) => ({ role: roles.get(storage) ?? fallback(storage) })),
    ],
    state,
    rates,
    updates: updatesOf(optimizers, roles, call),
  };
}

/** A counter of the host as a function of the runner's step. */
function progress(before: number, each: number): string {
  const steps = each === 1 ? 'step' : `${each} * step`;
  return before === 0 ? (each === 1 ? steps : `(${steps})`) : `(${before} + ${steps})`;
}

const fallbackNames = (): ((of: object) => string) => {
  const known = new Map<object, string>();
  return (of) => {
    const name = known.get(of) ?? `const:${known.size}`;
    known.set(of, name);
    return name;
  };
};

/** What changes from step to step stays an argument, as does the key of random numbers; all other numbers are constants of the step. */
function scalarRole(
  expr: HostExpr<HostCounter> | undefined,
  dtype: string,
  index: number,
  counter: (c: HostCounter) => string,
): Role | undefined {
  if (expr === undefined) return undefined;
  const isKey = dtype === 'i32' && typeof expr === 'number';
  if (!isKey && !changes(expr)) return undefined;
  const value = formulaText(expr, counter);
  return { role: isKey ? `rng:key.${index}` : dtype === 'i32' ? `rng:stream.${index}` : `scalar:${index}`, notes: { value } };
}

const changes = (expr: HostExpr<HostCounter>): boolean =>
  typeof expr === 'object' && ('counter' in expr || expr.args.some((arg) => changes(arg)));

/** The graph with a literal for every number that has no role, and without those inputs. */
export function withLiterals(graph: Graph, sources: readonly AheadSource[], roles: readonly unknown[]): Graph {
  const now = new Map<Value, Value>();
  graph.inputs.forEach((v, i) => {
    const source = sources[i]!;
    if (source.kind !== 'slot') return;
    const { dtype, shape } = avalOf(v);
    now.set(v, roles[i] === undefined ? b.literal({ value: literalOf(source.value, dtype) }) : b.input({ dtype, shape }));
  });
  const at = (v: Value): Value => now.get(v) ?? v;
  for (const node of nodesOf(graph)) {
    const copy = rebuilt(node, node.inputs.map(at));
    for (const [i, v] of node.values.entries()) now.set(v, copy.values[i]!);
  }
  return { inputs: graph.inputs.filter((_, i) => roles[i] !== undefined).map(at), outputs: graph.outputs.map(at) };
}

/** Names of results by where they stand in what the function gave: `logits`, `0.mask`; empty where it gave one tensor. */
export function resultPaths({ rest, results }: AheadCall): readonly string[] {
  const paths = results.map(() => '');
  const visit = (r: Rest, path: string): void => {
    const below = (key: string | number): string => (path === '' ? String(key) : `${path}.${key}`);
    if (r.kind === 'tensor') paths[r.index] = path;
    else if (r.kind === 'list') for (const [i, item] of r.items.entries()) visit(item, below(i));
    else if (r.kind === 'record') for (const [i, item] of r.items.entries()) visit(item, below(r.keys[i]!));
  };
  visit(rest, '');
  return paths;
}

/** The loss is the result that is called so, or stands alone, or the first number of a list; all others are metrics. */
function resultNames(call: AheadCall): readonly string[] {
  const names = resultPaths(call).map((path) => (path === 'loss' || path === '' ? 'loss' : `metric:${path}`));
  const first = call.results.findIndex((a) => a.shape.length === 0);
  if (!names.includes('loss') && first >= 0) names[first] = 'loss';
  return names;
}

/** By parameter: its updates so far, and those that a step adds. Parameters of equal counts are counted together, by the state of one of them. */
function updatesOf(
  optimizers: ReturnType<typeof optimizersAmong>,
  roles: ReturnType<typeof rolesOf>,
  { counts, written }: AheadCall,
): Record<string, readonly [number, number]> {
  const updates: Record<string, readonly [number, number]> = {};
  const times = new Map(counts.map((c) => [c.counter.owner, c.times]));
  const isWritten = new Set(written);
  for (const { paramGroups, state } of optimizers)
    for (const { params } of paramGroups) {
      const byCount = new Map<number, number>();
      for (const p of params) {
        const own = state.get(p);
        const each = own && times.get(own);
        if (each !== undefined) byCount.set(own!.step, each);
      }
      for (const p of params) {
        const own = state.get(p);
        if (own === undefined) continue;
        const each = isWritten.has(p.storage) ? (times.get(own) ?? byCount.get(own.step) ?? 0) : 0;
        updates[roles.get(p.storage)!.slice('param:'.length)] = [own.step, each];
      }
    }
  return updates;
}
