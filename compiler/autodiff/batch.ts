// The batching transform: a graph for one example becomes a graph for many, which carry a new leading axis.
import { InternalError } from '../../runtime/errors.ts';
import { avalText, sameAval } from '../ir/aval.ts';
import { b, build, region } from '../ir/builder.ts';
import { avalOf, type Graph, type Node, type NodeOf, nodesOf, type Value } from '../ir/node.ts';
import { inFront } from '../ops/batching.ts';
import { recordComposite, ruleOf } from '../ops/composite/table.ts';
import { rules } from '../ops/table.ts';
import { customRule } from './custom.ts';
import { batchScan } from './scan.ts';
import { batchWhile, choiceFor } from './whileLoop.ts';

export type Batched = { readonly values: readonly Value[]; readonly isBatched: readonly boolean[] };

/** `Batching` of some op, with operands as a plain list. */
type AnyBatching =
  | { readonly kind: 'pointwise' }
  | {
      readonly kind: 'custom';
      readonly rule: (operands: readonly Value[], isBatched: readonly boolean[], size: number, n: Node) => readonly Value[];
    };

/**
 * The graph applied to `args`, of which those marked in `isBatched` carry a leading axis of `size`. What depends on none of these is
 * computed once for all examples, random bits too; the result says which outputs carry the axis.
 */
export function batched(g: Graph, args: readonly Value[], isBatched: readonly boolean[], size: number): Batched {
  const image = new Map<Value, Value>();
  const many = new Set<Value>();
  for (let i = 0; i < g.inputs.length; i++) {
    const [v, arg] = [g.inputs[i]!, args[i]!];
    const { dtype, shape } = avalOf(v);
    const expected = { dtype, shape: isBatched[i] ? [size, ...shape] : shape };
    if (!sameAval(avalOf(arg), expected))
      throw new InternalError(`input ${i} is ${avalText(expected)} but got ${avalText(avalOf(arg))}`, { op: 'batched' });
    image.set(v, arg);
    if (isBatched[i]) many.add(v);
  }
  for (const n of nodesOf(g)) {
    const operands = n.inputs.map((v) => image.get(v)!);
    const flags = n.inputs.map((v) => many.has(v));
    const results = flags.includes(true) ? batchNode(n, operands, flags, size) : once(build(n.op, operands, n.attrs, n.regions).values);
    for (let i = 0; i < results.values.length; i++) {
      image.set(n.values[i]!, results.values[i]!);
      if (results.isBatched[i]) many.add(n.values[i]!);
    }
  }
  return { values: g.outputs.map((v) => image.get(v)!), isBatched: g.outputs.map((v) => many.has(v)) };
}

const once = (values: readonly Value[]): Batched => ({ values, isBatched: values.map(() => false) });
const forEach = (values: readonly Value[]): Batched => ({ values, isBatched: values.map(() => true) });

function batchNode(n: Node, operands: readonly Value[], flags: readonly boolean[], size: number): Batched {
  switch (n.op) {
    case 'composite':
      return batchComposite(n, operands, flags, size);
    case 'cond':
      return batchCond(n, operands, flags, size);
    case 'whileLoop':
      return batchWhile(n, operands, flags, size, batched);
    case 'scan':
      return batchScan(n, operands, flags, size, batched);
    case 'kernel':
      throw new InternalError('a fused graph is not batched; batch before fusion', { op: 'batched' });
    default: {
      const rule = rules[n.op].batch as unknown as AnyBatching;
      if (rule.kind === 'custom') return forEach(rule.rule(operands, flags, size, n));
      return forEach(
        build(
          n.op,
          operands.map((v, i) => inFront(v, flags[i]!, size)),
          n.attrs,
        ).values,
      );
    }
  }
}

/** The same composite over the batch if it knows how, so that its own derivative is kept; else its body over the batch. */
function batchComposite(n: NodeOf<'composite'>, operands: readonly Value[], flags: readonly boolean[], size: number): Batched {
  const { name, params } = n.attrs;
  const custom = customRule(n);
  if (custom !== undefined) return custom.batch(n, operands, flags, size);
  const whole = ruleOf(name)?.batch?.(flags, params);
  if (whole === undefined) return batched(n.regions[0]!, operands, flags, size);
  const carried = operands.map((v, i) => (whole.carry[i] ? inFront(v, flags[i]!, size) : v));
  return forEach(recordComposite(name, carried, whole.params));
}

/** With one predicate for all examples it stays a `cond`; with one for each, both branches are computed and selected from. */
function batchCond(
  n: NodeOf<'cond'>,
  [predicate, ...operands]: readonly Value[],
  [each, ...flags]: readonly boolean[],
  size: number,
): Batched {
  if (each) {
    const [then, otherwise] = n.regions.map((g) => {
      const { values, isBatched } = batched(g, operands, flags, size);
      return values.map((v, i) => inFront(v, isBatched[i]!, size));
    });
    return forEach(then!.map((x, i) => b.select(choiceFor(predicate!, x), x, otherwise![i]!)));
  }
  const branches = n.regions.map((g) =>
    region(operands.map(avalOf), (args) => {
      const { values, isBatched } = batched(g, args, flags, size);
      return values.map((v, i) => inFront(v, isBatched[i]!, size));
    }),
  );
  return forEach(build('cond', [predicate!, ...operands], {}, branches).values);
}
