// Forward mode: tangents of outputs from tangents of inputs, from the same derivative rules as reverse mode.
import { InternalError } from '../../runtime/errors.ts';
import { avalText, sameAval } from '../ir/aval.ts';
import { b, build, full, region, usable } from '../ir/builder.ts';
import { avalOf, type Node, type NodeOf, type Value } from '../ir/node.ts';
import { applied, ruleOf } from '../ops/composite/table.ts';
import { customRule } from './custom.ts';
import { derivativeOf, isContinuous, type Maybe } from './derivative.ts';
import { inline } from './inline.ts';
import { pathBetween } from './path.ts';
import { scanJvp } from './scan.ts';
import { whileJvp } from './whileLoop.ts';

/** The tangent of each output, given one of each input; null stands for zero. `inputs` are independent variables, as in `pullback`. */
export function pushforward(outputs: readonly Value[], inputs: readonly Value[], tangents: readonly Maybe[]): Maybe[] {
  const moving = inputs.filter((v, i) => tangents[i] !== null && isContinuous(v));
  const path = pathBetween('forward', inputs, outputs);
  const tangentOf = new Map<Value, Value>();
  for (let i = 0; i < inputs.length; i++) {
    const t = tangents[i] ?? null;
    if (t === null || !isContinuous(inputs[i]!)) continue;
    if (!sameAval(avalOf(t), avalOf(inputs[i]!)))
      throw new InternalError(`a value ${avalText(avalOf(inputs[i]!))} got a tangent ${avalText(avalOf(t))}`, { op: 'pushforward' });
    tangentOf.set(inputs[i]!, t);
  }
  if (moving.length === 0) return outputs.map(() => null);
  for (const n of path.nodes) {
    const ts = n.inputs.map((v) => tangentOf.get(v) ?? null);
    if (ts.every((t) => t === null)) continue;
    const results = jvp(n, ts);
    for (let i = 0; i < results.length; i++) {
      const t = results[i]!;
      const v = n.values[i]!;
      if (t !== null && isContinuous(v) && !path.isInput(v)) tangentOf.set(v, t);
    }
  }
  return outputs.map((v) => tangentOf.get(v) ?? null);
}

/** Tangents of a node's results from those of its operands, at least one of which is there. */
export function jvp(n: Node, tangents: readonly Maybe[]): readonly Maybe[] {
  switch (n.op) {
    case 'composite':
      return compositeJvp(n, tangents);
    case 'cond':
      return condJvp(n, tangents);
    case 'whileLoop':
      return whileJvp(n, tangents, pushforward);
    case 'scan':
      return scanJvp(n, tangents, pushforward);
    case 'kernel':
      throw new InternalError('a fused graph is not differentiated; differentiate before fusion', { op: 'pushforward' });
    default:
      return primitiveJvp(n, tangents);
  }
}

function primitiveJvp(n: Node, tangents: readonly Maybe[]): readonly Maybe[] {
  const d = derivativeOf(n);
  switch (d.kind) {
    case 'none':
      return n.values.map(() => null);
    case 'pointwise': {
      const partials = d.partials(n.inputs, n.values[0]!);
      return [sum(tangents.map((t, i) => (t === null || partials[i] === null ? null : b.mul(partials[i]!, t))))];
    }
    case 'linear': {
      const fixed = (i: number): boolean => d.fixed?.includes(i) ?? false;
      if (d.in === 'jointly')
        return [
          apply(
            n,
            n.inputs.map((v, i) => (fixed(i) ? v : (tangents[i] ?? full(0, avalOf(v))))),
          ),
        ];
      return [
        sum(
          tangents.map((t, at) =>
            t === null || fixed(at)
              ? null
              : apply(
                  n,
                  n.inputs.map((v, i) => (i === at ? t : v)),
                ),
          ),
        ),
      ];
    }
    case 'custom':
      return d.jvp(tangents, n);
    default:
      return d satisfies never;
  }
}

const apply = (n: Node, operands: readonly Value[]): Value => build(n.op, operands, n.attrs, n.regions).values[0]!;
const sum = (terms: readonly Maybe[]): Maybe => terms.reduce((a, t) => (a === null ? t : t === null ? a : b.add(a, t)), null);

function compositeJvp(n: NodeOf<'composite'>, tangents: readonly Maybe[]): readonly Maybe[] {
  const custom = customRule(n);
  if (custom !== undefined) return custom.jvp(tangents, n);
  const own = ruleOf(n.attrs.name)?.jvp;
  if (own !== undefined) return own(tangents, applied(n));
  const operands = usable(n.inputs);
  return pushforward(inline(n.regions[0]!, operands), operands, tangents);
}

/** Another `cond` on the same predicate, whose branches are the pushforwards of the branches. */
function condJvp(n: NodeOf<'cond'>, tangents: readonly Maybe[]): readonly Maybe[] {
  const operands = n.inputs.slice(1);
  const moving = operands.flatMap((_, i) => (tangents[i + 1] === null ? [] : [i]));
  const seeds = moving.map((i) => tangents[i + 1]!);
  const live = n.values.flatMap((v, i) => (isContinuous(v) ? [i] : []));
  const branches = n.regions.map((g) =>
    region([...operands, ...seeds].map(avalOf), (args) => {
      const xs = args.slice(0, operands.length);
      const ys = inline(g, xs);
      const ts = pushforward(
        live.map((i) => ys[i]!),
        moving.map((i) => xs[i]!),
        args.slice(operands.length),
      );
      return ts.map((t, i) => t ?? full(0, avalOf(ys[live[i]!]!)));
    }),
  );
  const results = build('cond', [n.inputs[0]!, ...operands, ...seeds], {}, branches).values;
  return n.values.map((_, i) => (live.includes(i) ? results[live.indexOf(i)]! : null));
}
