// A custom function under a transform: one node of the traced graph, whose derivatives and batching are the methods that its author wrote.
import { isFloat } from '../../../runtime/dtype.ts';
import { AutogradError } from '../../../runtime/errors.ts';
import { batched } from '../../autodiff/batch.ts';
import { batchCustom } from '../../autodiff/batchCustom.ts';
import { type Application, applyCustom, type Composite, type CustomRule } from '../../autodiff/custom.ts';
import type { Maybe } from '../../autodiff/derivative.ts';
import { inline } from '../../autodiff/inline.ts';
import type { Aval } from '../../ir/aval.ts';
import { full } from '../../ir/builder.ts';
import { sameShape, shapeText } from '../../ir/dim.ts';
import { avalOf, shapeOf, type Value } from '../../ir/node.ts';
import { inFront, moveAxis } from '../../ops/batching.ts';
import { dtypeName } from '../dtypes.ts';
import { avalsOf, type Traced, trace } from '../func/trace.ts';
import { currentRandomness } from '../func/vmap.ts';
import { applyInPlace, applyMany } from '../op.ts';
import { flatten, isTensor, type Rest } from '../pytree.ts';
import { recording } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import { type Context, FunctionContext } from './functionContext.ts';
import { checked, type Definition, zerosOf } from './functionDefinition.ts';
import { isGradEnabled, noGrad } from './mode.ts';
import { wantsGradient } from './wanted.ts';

/** What forward gave, while its placeholders lived. */
type Forward = {
  readonly ctx: FunctionContext;
  readonly traced: Traced;
  readonly several: boolean;
  /** Results in their places: which of the graph's outputs they are, or what they are if no tensors. */
  readonly results: readonly (
    | { readonly output: number; readonly constant: boolean; readonly dirty: number | undefined }
    | { readonly value: unknown }
  )[];
  /** How many of the graph's outputs are results; the others are what the context holds. */
  readonly count: number;
};

/** A method traced on placeholders: its graph, or the error that it ended in, for whoever needs it. */
type Method = { readonly traced: Traced; readonly present: readonly boolean[] } | { readonly error: unknown };

/** Everything is traced now, so that what the methods read from outside is an operand of the node. */
export function applyUnderTransform(definition: Definition, args: readonly unknown[]): unknown {
  if (definition.setupContext === undefined)
    throw new AutogradError('a Function under a transform needs setupContext, with a forward that takes no context', {
      op: definition.name,
      fix: 'define static setupContext(ctx, inputs, output), and take ctx out of forward',
    });
  const { tensors, rest } = flatten(args);
  const forward = traceForward(definition, args, tensors, rest);
  const backward = traceBackward(definition, args, forward);
  const jvp = traceJvp(definition, args, forward);
  const methods = [forward.traced, ...[backward, jvp].flatMap((m) => ('traced' in m ? [m.traced] : []))];
  const captures = methods.map((t) => t.captures);
  const slots = methods.flatMap((t) => t.slots);
  const outputs = applyMany(definition.name, [...tensors, ...captures.flat()], (...values) => {
    const operands = [...values, ...slots];
    const layout = layoutOf(tensors.length, methods);
    const rule = ruleOf(definition, args, rest, forward, backward, jvp, layout);
    const body = (inputs: readonly Value[]): readonly Value[] =>
      inline(forward.traced.graph, [...inputs.slice(0, tensors.length), ...layout.own(forward.traced, inputs)]);
    return applyCustom(definition.name, operands, body, rule).slice(0, forward.count);
  });
  const found = forward.results.map((r) => {
    if ('value' in r) return r.value;
    const t = outputs[r.output]!;
    if (r.dirty !== undefined) return applyInPlace(definition.name, tensors[r.dirty]!, [t], (_, v) => v!);
    return r.constant ? t.detach() : t;
  });
  return forward.several ? found : found[0];
}

function traceForward(definition: Definition, args: readonly unknown[], tensors: readonly Tensor[], rest: Rest): Forward {
  const ctx = new FunctionContext(
    `${definition.name}Backward`,
    args.map((a) => isTensor(a) && isGradEnabled() && wantsGradient(a)),
  );
  let found: Omit<Forward, 'ctx' | 'traced'> | undefined;
  const run = (...inner: unknown[]): readonly Tensor[] => {
    const placeholders = flatten(inner).tensors;
    const output = definition.forward(...(inner as never[]));
    definition.setupContext!(ctx as unknown as Context, inner as never, output as never);
    const { dirty, constant } = FunctionContext.facts(ctx);
    const list = Array.isArray(output) ? (output as unknown[]) : [output];
    for (const t of dirty)
      if (!list.includes(t))
        throw new AutogradError(
          'some arguments marked as dirty during forward were not returned; what is modified in place must be a result',
          {
            op: definition.name,
          },
        );
    const given = list.filter(isTensor);
    let at = 0;
    found = {
      several: Array.isArray(output),
      count: given.length,
      results: list.map((t) =>
        isTensor(t)
          ? { output: at++, constant: constant.has(t) && isFloat(t.element), dirty: dirty.has(t) ? placeholders.indexOf(t) : undefined }
          : { value: t },
      ),
    };
    return [...given, ...FunctionContext.held(ctx)];
  };
  const traced = noGrad(() => trace(definition.name, run, rest, avalsOf(tensors), { differentiates: false }));
  return { ctx, traced, ...found! };
}

const outputAvals = ({ traced, count }: Forward): Aval[] => traced.graph.outputs.slice(0, count).map(avalOf);
const heldAvals = ({ traced, count }: Forward): Aval[] => traced.graph.outputs.slice(count).map(avalOf);
/** Results that have gradients. */
const floatOutputs = (forward: Forward): number[] => outputAvals(forward).flatMap((a, i) => (isFloat(a.dtype) ? [i] : []));
/** Arguments that have tangents, by place. */
const floatArgs = (args: readonly unknown[]): number[] => args.flatMap((a, i) => (isTensor(a) && isFloat(a.element) ? [i] : []));

function traceBackward(definition: Definition, args: readonly unknown[], forward: Forward): Method {
  const backward = definition.backward ?? definition.vjp;
  const op = `${definition.name}Backward`;
  return attempt(
    op,
    heldAvals(forward),
    floatOutputs(forward).map((i) => outputAvals(forward)[i]!),
    (held, cts) => {
      if (typeof backward !== 'function')
        throw new AutogradError('you must implement the backward (or vjp) method for your Function to use it with reverse mode', { op });
      const floats = floatOutputs(forward);
      const given = forward.results.map((r) =>
        'value' in r ? null : (cts[floats.indexOf(r.output)] ?? zerosOf(outputAvals(forward)[r.output]!)),
      );
      const ctx = FunctionContext.over(forward.ctx, held, false) as unknown as Context;
      const returned = backward.call(definition, ctx, ...(given as never[]));
      return checked(op, args, Array.isArray(returned) ? returned : [returned]);
    },
  );
}

function traceJvp(definition: Definition, args: readonly unknown[], forward: Forward): Method {
  const op = definition.name;
  const moving = floatArgs(args);
  return attempt(op, heldAvals(forward), avalsOf(moving.map((i) => args[i] as Tensor)), (held, tangents) => {
    if (typeof definition.jvp !== 'function')
      throw new AutogradError('you must implement the jvp function for your Function to use it with forward mode', { op });
    const given = args.map((_, i) => tangents[moving.indexOf(i)] ?? null);
    const ctx = FunctionContext.over(forward.ctx, held, true) as unknown as Context;
    const returned = definition.jvp(ctx, ...(given as never[]));
    const list = Array.isArray(returned) ? (returned as unknown[]) : [returned];
    if (list.length !== forward.results.length)
      throw new AutogradError(`jvp returned ${list.length} tangents for ${forward.results.length} results`, { op });
    return forward.results.flatMap((r, i) => ('value' in r ? [] : [tangentOf(op, list[i], outputAvals(forward)[r.output]!, i)]));
  });
}

function tangentOf(op: string, t: unknown, of: Aval, i: number): Tensor | null {
  if (t === null || t === undefined || !isFloat(of.dtype)) return null;
  if (!isTensor(t) || !sameShape(t.shape, of.shape))
    throw new AutogradError(
      `jvp returned ${isTensor(t) ? `a tangent of shape ${shapeText(t.shape)}` : typeof t} at index ${i}, where the result has shape ${shapeText(of.shape)}`,
      { op },
    );
  return t.element === of.dtype ? t : t.to(dtypeName(of.dtype));
}

/** Traces a method of what is held and of seeds. What it throws is kept: it may never be needed. */
function attempt(
  op: string,
  held: readonly Aval[],
  seeds: readonly Aval[],
  method: (held: readonly Tensor[], seeds: readonly Tensor[]) => readonly (Tensor | null)[],
): Method {
  const listOf = (start: number, avals: readonly Aval[]): Rest => ({
    kind: 'list',
    items: avals.map((_, i) => ({ kind: 'tensor', index: start + i })),
  });
  const rest: Rest = { kind: 'list', items: [listOf(0, held), listOf(held.length, seeds)] };
  const avals = [...held, ...seeds];
  let present: readonly boolean[] = [];
  try {
    const traced = trace(
      op,
      (...[h, s]: never[]) => {
        const found = method(h!, s!);
        present = found.map((t) => t !== null);
        return found.filter((t) => t !== null);
      },
      rest,
      avals,
      { differentiates: true, wanted: avals.map(() => true) },
    );
    return { traced, present };
  } catch (error) {
    return { error };
  }
}

/** Where the captures and the numbers of each traced method stand among the node's operands. */
type Layout = { readonly own: (traced: Traced, operands: readonly Value[]) => readonly Value[] };
function layoutOf(args: number, methods: readonly Traced[]): Layout {
  const all = methods.reduce((n, t) => n + t.captures.length, args);
  return {
    own: (traced, operands) => {
      const before = methods.slice(0, methods.indexOf(traced));
      const first = before.reduce((n, t) => n + t.captures.length, args);
      const number = before.reduce((n, t) => n + t.slots.length, all);
      return [...operands.slice(first, first + traced.captures.length), ...operands.slice(number, number + traced.slots.length)];
    },
  };
}

function ruleOf(
  definition: Definition,
  args: readonly unknown[],
  rest: Rest,
  forward: Forward,
  backward: Method,
  jvp: Method,
  layout: Layout,
): CustomRule {
  const { traced, count } = forward;
  const places = (rest as Extract<Rest, { kind: 'list' }>).items;
  const tensorAt = (arg: number): number => (places[arg] as Extract<Rest, { kind: 'tensor' }>).index;
  const tensorArgs = args.flatMap((a, i) => (isTensor(a) ? [tensorAt(i)] : []));
  /** What the context holds: an operand or a result itself, so that its gradient flows on, or a value of its own. */
  const held = ({ inputs, values }: Application): Value[] =>
    traced.graph.outputs.slice(count).map((v, k) => {
      const arg = traced.args.indexOf(v);
      const result = traced.graph.outputs.indexOf(v);
      if (arg >= 0) return inputs[arg]!;
      return values[result < count ? result : count + k]!;
    });
  const run = (method: Method, seeds: readonly Value[], at: Application): readonly Maybe[] => {
    if ('error' in method) throw method.error;
    const found = inline(method.traced.graph, [...held(at), ...seeds, ...layout.own(method.traced, at.inputs)]);
    let next = 0;
    return method.present.map((is) => (is ? found[next++]! : null));
  };
  const seeded = (seed: Maybe | undefined, like: Value): Value => seed ?? full(0, avalOf(like));
  return {
    vjp: (cts, at) => {
      const found = run(
        backward,
        floatOutputs(forward).map((i) => seeded(cts[i], at.values[i]!)),
        at,
      );
      return at.inputs.map((_, i) => found[tensorArgs.indexOf(i)] ?? null);
    },
    jvp: (tangents, at) => {
      const found = run(
        jvp,
        floatArgs(args).map((i) => seeded(tangents[tensorAt(i)], at.inputs[tensorAt(i)]!)),
        at,
      );
      return at.values.map((_, i) => (i < count ? found[i]! : null));
    },
    batch: (n, operands, flags, size) => {
      if (definition.vmap !== undefined && definition.generateVmapRule)
        throw new AutogradError('has both generateVmapRule and a vmap method', { op: definition.name, fix: 'take one of them away' });
      if (definition.generateVmapRule) return batchCustom(n, operands, flags, size);
      if (definition.vmap === undefined)
        throw new AutogradError(`you tried to vmap over ${definition.name}, but it does not have vmap support`, {
          op: definition.name,
          fix: 'implement static vmap(info, inDims, ...args), or set static generateVmapRule = true',
        });
      return batchByMethod(definition, n, args, rest, forward, operands, flags, size);
    },
  };
}

/** The author's `vmap`, traced on the batch; what the context holds is made from arguments and results as it was. */
function batchByMethod(
  definition: Definition,
  n: Composite,
  args: readonly unknown[],
  rest: Rest,
  forward: Forward,
  operands: readonly Value[],
  flags: readonly boolean[],
  size: number,
): { values: readonly Value[]; isBatched: readonly boolean[] } {
  const op = `${definition.name}.vmap`;
  const count = flatten(args).tensors.length;
  const inDims = (rest as Extract<Rest, { kind: 'list' }>).items.map((r) => (r.kind === 'tensor' && flags[r.index] ? 0 : null));
  let dims: readonly (number | null)[] = [];
  const method = (...inner: never[]): readonly Tensor[] => {
    const returned = definition.vmap!({ batchSize: size, randomness: currentRandomness() }, inDims, ...inner);
    if (!Array.isArray(returned) || returned.length !== 2)
      throw new AutogradError('expected the vmap method to return two things, [output, outDims]', { op });
    const [output, outDims] = returned as [unknown, number | null | readonly (number | null)[]];
    const list = (Array.isArray(output) ? output : [output]).filter(isTensor);
    if (list.length !== forward.count) throw new AutogradError(`vmap returned ${list.length} tensors for ${forward.count} results`, { op });
    dims = list.map((_, i) => (Array.isArray(outDims) ? ((outDims as readonly (number | null)[])[i] ?? null) : (outDims as number | null)));
    return list;
  };
  const traced = trace(op, method, rest, operands.slice(0, count).map(avalOf), { differentiates: false, wanted: flags.map(() => true) });
  for (const t of traced.captures)
    if (wantsGradient(t))
      throw new AutogradError('the vmap method reads a tensor from outside whose gradient is wanted', { op, fix: 'make it an argument' });
  const outside = recording(() => traced.captures.map((t) => t.value()));
  const found = inline(traced.graph, [...operands.slice(0, count), ...outside, ...traced.slots]).map((v, i) => {
    const dim = dims[i] ?? null;
    return dim === null ? inFront(v, false, size) : moveAxis(v, dim < 0 ? dim + shapeOf(v).length : dim, 0);
  });
  for (const [i, v] of found.entries())
    if (!sameShape(shapeOf(v), [size, ...shapeOf(n.values[i]!)]))
      throw new AutogradError(
        `vmap returned a result of shape ${shapeText(shapeOf(v))} where one example has ${shapeText(shapeOf(n.values[i]!))}`,
        { op },
      );
  const graph = n.regions[0]!;
  const results = graph.outputs.slice(0, forward.count);
  const held = batched(
    { inputs: [...graph.inputs, ...results], outputs: graph.outputs.slice(forward.count) },
    [...operands, ...found],
    [...flags, ...found.map(() => true)],
    size,
  );
  return { values: [...found, ...held.values], isBatched: [...found.map(() => true), ...held.isBatched] };
}
