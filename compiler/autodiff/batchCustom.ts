// Batching of functions with a derivative of their own: body and rules, each batched, make such a function again.
import { b, region } from '../ir/builder.ts';
import { avalOf, type Value } from '../ir/node.ts';
import { inFront } from '../ops/batching.ts';
import { type Batched, batched } from './batch.ts';
import { type Application, applyCustom, type Composite, type CustomRule, customRule } from './custom.ts';
import type { Maybe } from './derivative.ts';

type Derive = CustomRule['vjp'];

/** The same function for a whole batch, whose derivative is that of each example. */
export function batchCustom(n: Composite, operands: readonly Value[], flags: readonly boolean[], size: number): Batched {
  const rule = customRule(n)!;
  const every = n.values.map(() => true);
  const values = applyCustom(
    n.attrs.name,
    operands,
    (inputs) => {
      const found = batched(n.regions[0]!, inputs, flags, size);
      return found.values.map((v, i) => inFront(v, found.isBatched[i]!, size));
    },
    {
      vjp: (cts, at) => derived(n, rule.vjp, { like: n.values, given: cts, isBatched: every }, at, flags, size),
      jvp: (tangents, at) => derived(n, rule.jvp, { like: n.inputs, given: tangents, isBatched: flags }, at, flags, size),
      batch: batchCustom,
    },
  );
  return { values, isBatched: every };
}

/** Cotangents or tangents, with the values whose types they have for one example. */
type Seeds = { readonly like: readonly Value[]; readonly given: readonly Maybe[]; readonly isBatched: readonly boolean[] };

/** What `derive` gives for each example. For an operand that is one for all, that is the sum; tangents of results are always one for each. */
function derived(
  n: Composite,
  derive: Derive,
  seeds: Seeds,
  { inputs, values }: Application,
  flags: readonly boolean[],
  size: number,
): readonly Maybe[] {
  const present = seeds.given.flatMap((seed, i) => (seed === null ? [] : [i]));
  const operands = [...n.inputs, ...n.values];
  let found: readonly Maybe[] = [];
  const one = region([...operands, ...present.map((i) => seeds.like[i]!)].map(avalOf), (args) => {
    const given = args.slice(operands.length);
    found = derive(
      seeds.given.map((_, i) => given[present.indexOf(i)] ?? null),
      { inputs: args.slice(0, n.inputs.length), values: args.slice(n.inputs.length, operands.length) },
    );
    return found.filter((v) => v !== null);
  });
  const many = batched(
    one,
    [...inputs, ...values, ...present.map((i) => seeds.given[i]!)],
    [...flags, ...n.values.map(() => true), ...present.map((i) => seeds.isBatched[i]!)],
    size,
  );
  const isForAll = (i: number): boolean => seeds.like === n.values && !flags[i];
  let at = 0;
  return found.map((v, i) => {
    if (v === null) return null;
    const whole = inFront(many.values[at]!, many.isBatched[at]!, size);
    at++;
    return isForAll(i) ? b.sum(whole, { axes: [0] }) : whole;
  });
}
