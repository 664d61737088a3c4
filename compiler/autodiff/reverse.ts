// Reverse mode: cotangents of inputs from cotangents of outputs, as more nodes of the same graph.
import { InternalError } from '../../runtime/errors.ts';
import { avalText, sameAval } from '../ir/aval.ts';
import { b, build, full, region, usable } from '../ir/builder.ts';
import { avalOf, type Node, type NodeOf, type Value } from '../ir/node.ts';
import { applied, ruleOf } from '../ops/composite/table.ts';
import { customRule } from './custom.ts';
import { derivativeOf, type Maybe } from './derivative.ts';
import { inline } from './inline.ts';
import { pathBetween } from './path.ts';
import { scanVjp } from './scan.ts';
import { whileVjp } from './whileLoop.ts';

/**
 * The cotangent of each input, given one of each output; null stands for zero. `inputs` are independent variables: the walk stops
 * at them, as at `fixed` ones, and what lies behind gets nothing. Only nodes between inputs and outputs are visited, each once.
 */
export function pullback(
  outputs: readonly Value[],
  cotangents: readonly Maybe[],
  inputs: readonly Value[],
  fixed: readonly Value[] = [],
): Maybe[] {
  const path = pathBetween('reverse', inputs, outputs, fixed);
  const total = new Map<Value, Value>();
  const give = (v: Value, ct: Value, from: string): void => {
    if (!sameAval(avalOf(v), avalOf(ct)))
      throw new InternalError(`${from}: a value ${avalText(avalOf(v))} got a cotangent ${avalText(avalOf(ct))}`, { op: 'pullback' });
    const known = total.get(v);
    total.set(v, known === undefined ? ct : b.add(known, ct));
  };
  for (let i = 0; i < outputs.length; i++) {
    const ct = cotangents[i] ?? null;
    if (ct !== null && path.carries(outputs[i]!)) give(outputs[i]!, ct, 'output');
  }
  for (let at = path.nodes.length - 1; at >= 0; at--) {
    const n = path.nodes[at]!;
    const cts = n.values.map((v) => (path.isInput(v) ? null : (total.get(v) ?? null)));
    if (cts.every((ct) => ct === null)) continue;
    const wanted = n.inputs.map(path.carries);
    const back = vjp(n, cts, wanted);
    for (let i = 0; i < wanted.length; i++) {
      const ct = back[i] ?? null;
      if (wanted[i] && ct !== null) give(n.inputs[i]!, ct, n.op);
    }
  }
  return inputs.map((v) => total.get(v) ?? null);
}

/** Cotangents of a node's operands from those of its results, at least one of which is there; null where not wanted or zero. */
export function vjp(n: Node, cts: readonly Maybe[], wanted: readonly boolean[]): readonly Maybe[] {
  switch (n.op) {
    case 'composite':
      return compositeVjp(n, cts, wanted);
    case 'cond':
      return condVjp(n, cts, wanted);
    case 'whileLoop':
      return whileVjp();
    case 'scan':
      return scanVjp(n, cts, wanted, pullback);
    case 'kernel':
      throw new InternalError('a fused graph is not differentiated; differentiate before fusion', { op: 'pullback' });
    default:
      return primitiveVjp(n, cts, wanted);
  }
}

function primitiveVjp(n: Node, cts: readonly Maybe[], wanted: readonly boolean[]): readonly Maybe[] {
  const d = derivativeOf(n);
  switch (d.kind) {
    case 'none':
      return wanted.map(() => null);
    case 'pointwise': {
      const ct = cts[0]!;
      return d.partials(n.inputs, n.values[0]!).map((partial, i) => (wanted[i] && partial !== null ? b.mul(partial, ct) : null));
    }
    case 'linear':
      return d.transpose(cts[0]!, n, wanted);
    case 'custom':
      return d.vjp(cts, n, wanted);
    default:
      return d satisfies never;
  }
}

function compositeVjp(n: NodeOf<'composite'>, cts: readonly Maybe[], wanted: readonly boolean[]): readonly Maybe[] {
  const custom = customRule(n);
  if (custom !== undefined) return custom.vjp(cts, n);
  const own = ruleOf(n.attrs.name)?.vjp;
  if (own !== undefined) return own(cts, applied(n), wanted);
  // The body is built again here. It equals the composite's own, once that is decomposed, so CSE leaves one of them.
  // An operand that stands twice is one variable: all of its cotangent goes to its first place.
  const live = indices(wanted).filter((i) => n.inputs.indexOf(n.inputs[i]!) === i);
  const operands = n.attrs.name === 'checkpoint' ? heldBack(n.inputs, cts.find((ct) => ct !== null)!) : usable(n.inputs);
  const back = pullback(
    inline(n.regions[0]!, operands),
    cts,
    live.map((i) => operands[i]!),
  );
  return spreadOut(back, live, wanted.length);
}

/** Operands from which a body is computed once more instead of being one with the first, no earlier than the cotangent `after` is there. */
function heldBack(operands: readonly Value[], after: Value): readonly Value[] {
  const barriers = new Map(operands.map((v) => [v, b.barrier(v, after)]));
  return operands.map((v) => barriers.get(v)!);
}

/** Another `cond` on the same predicate, whose branches are the pullbacks of the branches. */
function condVjp(n: NodeOf<'cond'>, cts: readonly Maybe[], wanted: readonly boolean[]): readonly Maybe[] {
  const operands = n.inputs.slice(1);
  const live = indices(wanted).map((i) => i - 1);
  const given = indices(cts.map((ct) => ct !== null));
  const seeds = given.map((i) => cts[i]!);
  const branches = n.regions.map((g) =>
    region([...operands, ...seeds].map(avalOf), (args) => {
      const xs = args.slice(0, operands.length);
      const ys = inline(g, xs);
      const inputs = live.map((i) => xs[i]!);
      const back = pullback(
        given.map((i) => ys[i]!),
        args.slice(operands.length),
        inputs,
      );
      return back.map((ct, i) => ct ?? full(0, avalOf(inputs[i]!)));
    }),
  );
  const results = build('cond', [n.inputs[0]!, ...operands, ...seeds], {}, branches).values;
  return spreadOut(
    results,
    live.map((i) => i + 1),
    wanted.length,
  );
}

const indices = (flags: readonly boolean[]): number[] => flags.flatMap((flag, i) => (flag ? [i] : []));

/** A list of `length` with `values` at the places `at`. */
function spreadOut(values: readonly Maybe[], at: readonly number[], length: number): Maybe[] {
  const all: Maybe[] = new Array<Maybe>(length).fill(null);
  for (let i = 0; i < at.length; i++) all[at[i]!] = values[i]!;
  return all;
}
