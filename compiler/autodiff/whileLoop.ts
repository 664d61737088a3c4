// The transforms of `whileLoop`: tangents and batches go round with what they belong to. There is no reverse mode, which would have to keep
// an unknown number of steps.
import { AutogradError } from '../../runtime/errors.ts';
import { b, build, full, lit, region } from '../ir/builder.ts';
import { avalOf, type Graph, type NodeOf, shapeOf, type Value } from '../ir/node.ts';
import { inFront } from '../ops/batching.ts';
import type { batched as Batch, Batched } from './batch.ts';
import type { Maybe } from './derivative.ts';
import type { pushforward as Pushforward } from './forward.ts';
import { inline } from './inline.ts';
import { movingCarries } from './path.ts';
import { batchedCarries, withAxis } from './scan.ts';

type WhileLoop = NodeOf<'whileLoop'>;

/** The number of steps is that of the primal values: the test sees no tangents. */
export function whileJvp(n: WhileLoop, tangents: readonly Maybe[], pushforward: typeof Pushforward): Maybe[] {
  const [test, body] = n.regions as readonly [Graph, Graph];
  const count = n.inputs.length;
  const moving = movingCarries(
    'forward',
    body,
    count,
    tangents.map((t) => t !== null),
  ).flatMap((flag, i) => (flag ? [i] : []));
  const avals = [...n.inputs, ...moving.map((i) => n.inputs[i]!)].map(avalOf);
  const continues = region(avals, (args) => inline(test, args.slice(0, count)));
  const step = region(avals, (args) => {
    const xs = args.slice(0, count);
    const ys = inline(body, xs);
    const found = pushforward(
      moving.map((i) => ys[i]!),
      xs,
      xs.map((_, i) => (moving.includes(i) ? args[count + moving.indexOf(i)]! : null)),
    );
    return [...ys, ...found.map((t, k) => t ?? full(0, avalOf(ys[moving[k]!]!)))];
  });
  const seeds = moving.map((i) => tangents[i] ?? full(0, avalOf(n.inputs[i]!)));
  const results = build('whileLoop', [...n.inputs, ...seeds], {}, [continues, step]).values;
  return n.values.map((_, i) => (moving.includes(i) ? results[count + moving.indexOf(i)]! : null));
}

export function whileVjp(): never {
  throw new AutogradError('has no reverse-mode derivative, since the number of steps to keep is not known', {
    op: 'whileLoop',
    fix: 'use scan, whose number of steps is fixed, or forward mode (jvp, jacfwd)',
  });
}

/** While the test is one for all examples, a loop over the batch; with one for each, it runs until all are done, and those that are stay as they are. */
export function batchWhile(
  n: WhileLoop,
  operands: readonly Value[],
  flags: readonly boolean[],
  size: number,
  batched: typeof Batch,
): Batched {
  const [test, body] = n.regions as readonly [Graph, Graph];
  const many = batchedCarries(body, operands.length, flags, size, batched);
  const avals = n.inputs.map((v, i) => withAxis(v, many[i]!, size));
  let each = false;
  const continues = region(avals, (args) => {
    const { values, isBatched } = batched(test, args, many, size);
    each = isBatched[0]!;
    return values;
  });
  if (each) return untilAllAreDone(n, operands, flags, size, batched);
  const step = region(avals, (args) => {
    const { values, isBatched } = batched(body, args, many, size);
    return values.map((v, i) => (many[i] ? inFront(v, isBatched[i]!, size) : v));
  });
  const given = operands.map((v, i) => (many[i] ? inFront(v, flags[i]!, size) : v));
  return { values: build('whileLoop', given, {}, [continues, step]).values, isBatched: many };
}

/** Which examples go on is carried in front, so that each test is made once for each step. */
function untilAllAreDone(
  n: WhileLoop,
  operands: readonly Value[],
  flags: readonly boolean[],
  size: number,
  batched: typeof Batch,
): Batched {
  const [test, body] = n.regions as readonly [Graph, Graph];
  const all = n.inputs.map(() => true);
  const apply = (g: Graph, args: readonly Value[]): readonly Value[] => {
    const { values, isBatched } = batched(g, args, all, size);
    return values.map((v, i) => inFront(v, isBatched[i]!, size));
  };
  const given = operands.map((v, i) => inFront(v, flags[i]!, size));
  const avals = [{ dtype: 'bool' as const, shape: [size] }, ...given.map(avalOf)];
  const continues = region(avals, ([active]) => [b.lt(lit(0, 'i32'), b.sum(b.cast(active!, { to: 'i32' }), { axes: [0] }))]);
  const step = region(avals, ([active, ...before]) => {
    const after = apply(body, before).map((v, i) => b.select(choiceFor(active!, v), v, before[i]!));
    return [b.and(active!, apply(test, after)[0]!), ...after];
  });
  const results = build('whileLoop', [apply(test, given)[0]!, ...given], {}, [continues, step]).values;
  return { values: results.slice(1), isBatched: all };
}

/** A choice for each example, in the shape of what is chosen. */
export function choiceFor(choice: Value, like: Value): Value {
  const shape = shapeOf(like);
  return shape.length === 1 ? choice : b.expand(choice, { shape, at: shape.map((_, axis) => axis).slice(1) });
}
