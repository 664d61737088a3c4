// The transforms of `scan`. Each gives scans again, so that they compose; memory grows with the number of steps only by what reverse mode keeps.
import type { Aval } from '../ir/aval.ts';
import { build, full, region } from '../ir/builder.ts';
import { avalOf, type Graph, type NodeOf, type Value } from '../ir/node.ts';
import { inFront, moveAxis } from '../ops/batching.ts';
import type { batched as Batch, Batched } from './batch.ts';
import { isContinuous, type Maybe } from './derivative.ts';
import type { pushforward as Pushforward } from './forward.ts';
import { inline } from './inline.ts';
import { movingCarries } from './path.ts';
import { residualsOf } from './residuals.ts';
import type { pullback as Pullback } from './reverse.ts';

type Scan = NodeOf<'scan'>;

/** Tangents are carried, sliced and stacked beside what they belong to. */
export function scanJvp(n: Scan, tangents: readonly Maybe[], pushforward: typeof Pushforward): Maybe[] {
  const { carries, length, reverse } = n.attrs;
  const body = n.regions[0]!;
  const moving = movingCarries(
    'forward',
    body,
    carries,
    tangents.map((t) => t !== null),
  );
  const movingCarry = places(moving, 0, carries);
  const movingSlice = places(moving, carries, moving.length);
  const stacked = places(body.outputs.map(isContinuous), carries, body.outputs.length);
  const [before, slices] = split(n.inputs, carries);
  const tangentOf = (i: number): Value => tangents[i] ?? full(0, avalOf(n.inputs[i]!));
  const [first, each] = split(body.inputs, carries);
  const step = region(
    [...first, ...movingCarry.map((i) => body.inputs[i]!), ...each, ...movingSlice.map((i) => body.inputs[i]!)].map(avalOf),
    (args) => {
      const take = taker(args);
      const [c, tc, x, tx] = [take(carries), take(movingCarry.length), take(each.length), take(movingSlice.length)];
      const xs = [...c, ...x];
      const seeds = xs.map((_, i) => tc[movingCarry.indexOf(i)] ?? tx[movingSlice.indexOf(i)] ?? null);
      const ys = inline(body, xs);
      const wanted = [...movingCarry, ...stacked];
      const found = pushforward(
        wanted.map((i) => ys[i]!),
        xs,
        seeds,
      );
      return [...ys.slice(0, carries), ...found.map((t, k) => t ?? full(0, avalOf(ys[wanted[k]!]!)))];
    },
  );
  const results = build(
    'scan',
    [...before, ...movingCarry.map(tangentOf), ...slices, ...movingSlice.map(tangentOf)],
    { carries: carries + movingCarry.length, length, reverse },
    [step],
  ).values;
  const found: Maybe[] = n.values.map(() => null);
  for (const [k, i] of [...movingCarry, ...stacked].entries()) found[i] = results[carries + k]!;
  return found;
}

/**
 * A scan that runs the steps once more and stacks what their derivative reads, and one that takes cotangents back through the steps in
 * the opposite order. What the steps read but never change, a weight say, is not stacked.
 */
export function scanVjp(n: Scan, cts: readonly Maybe[], wanted: readonly boolean[], pullback: typeof Pullback): Maybe[] {
  const { carries, length, reverse } = n.attrs;
  const body = n.regions[0]!;
  const moving = movingCarries('reverse', body, carries, wanted);
  const carried = places(moving, 0, carries);
  const sliced = places(wanted, carries, wanted.length);
  const stacked = places(
    cts.map((ct) => ct !== null),
    carries,
    cts.length,
  );

  // One step: its results, then the cotangents that it passes back. The cotangents that come in are its late inputs.
  const seeded = [...carried, ...stacked];
  const by = [...carried, ...sliced];
  const whole = region([...body.inputs, ...seeded.map((i) => body.outputs[i]!)].map(avalOf), (args) => {
    const [xs, seeds] = split(args, body.inputs.length);
    const ys = inline(body, xs);
    const inputs = by.map((i) => xs[i]!);
    const back = pullback(
      seeded.map((i) => ys[i]!),
      seeds,
      inputs,
    );
    return [...ys, ...back.map((ct, k) => ct ?? full(0, avalOf(inputs[k]!)))];
  });
  const [early, late] = split(whole.inputs, body.inputs.length);
  const [ys, back] = split(whole.outputs, body.outputs.length);
  const residuals = residualsOf(back, late, early);
  const placeOf = (v: Value): number => early.indexOf(v);
  const constant = residuals.filter((v) => placeOf(v) >= 0 && placeOf(v) < carries && ys[placeOf(v)] === v);
  const given = residuals.filter((v) => placeOf(v) >= carries);
  const kept = residuals.filter((v) => !constant.includes(v) && !given.includes(v));

  const again: Graph = { inputs: early, outputs: [...ys.slice(0, carries), ...kept] };
  const stacks = kept.length === 0 ? [] : build('scan', n.inputs, n.attrs, [again]).values.slice(carries);

  const slices = [...given, ...kept];
  const step = region([...constant, ...late.slice(0, carried.length), ...slices, ...late.slice(carried.length)].map(avalOf), (args) => {
    const take = taker(args);
    const [c, ct, x, dy] = [take(constant.length), take(carried.length), take(slices.length), take(stacked.length)];
    return [...c, ...inline({ inputs: [...constant, ...slices, ...late], outputs: back }, [...c, ...x, ...ct, ...dy])];
  });
  const results = build(
    'scan',
    [
      ...constant.map((v) => n.inputs[placeOf(v)]!),
      ...carried.map((i) => cts[i] ?? full(0, avalOf(n.values[i]!))),
      ...given.map((v) => n.inputs[placeOf(v)]!),
      ...stacks,
      ...stacked.map((i) => cts[i]!),
    ],
    { carries: constant.length + carried.length, length, reverse: !reverse },
    [step],
  ).values.slice(constant.length);
  const found: Maybe[] = n.inputs.map(() => null);
  for (const [k, i] of by.entries()) if (wanted[i]) found[i] = results[k]!;
  return found;
}

/** Steps follow one another, so the batch goes through each of them: it stands behind the steps' axis in what is sliced and stacked. */
export function batchScan(n: Scan, operands: readonly Value[], flags: readonly boolean[], size: number, batched: typeof Batch): Batched {
  const { carries } = n.attrs;
  const body = n.regions[0]!;
  const many = batchedCarries(body, carries, flags, size, batched);
  let isBatched: readonly boolean[] = [];
  const step = region(
    body.inputs.map((v, i) => withAxis(v, many[i]!, size)),
    (args) => {
      const found = batched(body, args, many, size);
      isBatched = found.isBatched.map((flag, i) => (i < carries ? many[i]! : flag));
      return found.values.map((v, i) => (i < carries && many[i] ? inFront(v, found.isBatched[i]!, size) : v));
    },
  );
  const given = operands.map((v, i) => {
    if (i >= carries) return flags[i] ? moveAxis(v, 0, 1) : v;
    return many[i] ? inFront(v, flags[i]!, size) : v;
  });
  const results = build('scan', given, n.attrs, [step]).values;
  return { values: results.map((v, i) => (i >= carries && isBatched[i] ? moveAxis(v, 1, 0) : v)), isBatched };
}

/** Which inputs of the body carry the batch axis, once every carry does that turns into one that does. */
export function batchedCarries(
  body: Graph,
  carries: number,
  flags: readonly boolean[],
  size: number,
  batched: typeof Batch,
): readonly boolean[] {
  const many = [...flags];
  for (let grew = true; grew; ) {
    let after: readonly boolean[] = [];
    region(
      body.inputs.map((v, i) => withAxis(v, many[i]!, size)),
      (args) => {
        after = batched(body, args, many, size).isBatched;
        return [];
      },
    );
    grew = false;
    for (let i = 0; i < carries; i++)
      if (after[i] && !many[i]) {
        many[i] = true;
        grew = true;
      }
  }
  return many;
}

/** The type of a value with or without the batch axis. */
export function withAxis(v: Value, isBatched: boolean, size: number): Aval {
  const { dtype, shape } = avalOf(v);
  return { dtype, shape: isBatched ? [size, ...shape] : shape };
}

const split = <T>(list: readonly T[], at: number): [readonly T[], readonly T[]] => [list.slice(0, at), list.slice(at)];
/** Positions from `start` to `stop` that are marked. */
const places = (flags: readonly boolean[], start: number, stop: number): number[] =>
  flags.flatMap((flag, i) => (flag && i >= start && i < stop ? [i] : []));
/** Takes a list apart from its beginning. */
function taker<T>(list: readonly T[]): (count: number) => readonly T[] {
  let at = 0;
  return (count) => {
    at += count;
    return list.slice(at - count, at);
  };
}
