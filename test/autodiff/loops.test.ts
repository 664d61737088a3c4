// scan, whileLoop and cond under the transforms, in float64: against differences, and against the loop over examples.
import { describe, expect, test } from 'vitest';
import { batched } from '../../compiler/autodiff/batch.ts';
import { pushforward } from '../../compiler/autodiff/forward.ts';
import { inline } from '../../compiler/autodiff/inline.ts';
import { pullback } from '../../compiler/autodiff/reverse.ts';
import { draws } from '../../compiler/inspect/data.ts';
import { aval } from '../../compiler/ir/aval.ts';
import { b, build, full, lit, region } from '../../compiler/ir/builder.ts';
import { avalOf, type Graph, type NodeOf, nodesOf, shapeOf, type Value } from '../../compiler/ir/node.ts';
import { verify } from '../../compiler/ir/verify.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { AutogradError } from '../../runtime/errors.ts';
import { expectNear, gradcheck, noise, pullbackGraph } from './gradcheck.ts';

const f64 = (...shape: number[]) => aval('f64', shape);
const bool = (...shape: number[]) => aval('bool', shape);
const of = (dtype: 'f64' | 'bool' | 'i64', shape: number[], data: number[]): Reference => ({ dtype, shape, data: Float64Array.from(data) });
const ones = (v: Value): Value => full(1, avalOf(v));
const data = (g: Graph, seed = 3): Reference[] => {
  const random = draws(seed);
  return g.inputs.map((v) => noise(v, random));
};

/** h' = tanh(w h + x), with h' and h' x as results: a recurrent cell whose weight is carried unchanged. */
const cell = (): Graph =>
  region([f64(2), f64(2, 2), f64(2)], ([h, w, x]) => {
    const next = b.tanh(b.add(b.dot(w!, h!, { batch: [], contract: [[1, 0]] }), x!));
    return [next, w!, b.mul(next, x!)];
  });
const recurrent = ([h, w, xs]: readonly Value[]): readonly Value[] =>
  build('scan', [h!, w!, xs!], { carries: 2, length: 4, reverse: false }, [cell()]).values;
const recurrence = region([f64(2), f64(2, 2), f64(4, 2)], recurrent);

/** Halves x while its sum is above 1, counting the steps. */
const halving = ([x, w]: readonly Value[]): readonly Value[] =>
  build('whileLoop', [x!, w!, lit(0, 'i64')], {}, [
    region([f64(2), f64(), aval('i64', [])], ([y]) => [b.lt(lit(1, 'f64'), b.sum(y!, { axes: [0] }))]),
    region([f64(2), f64(), aval('i64', [])], ([y, v, i]) => [
      b.mul(y!, b.expand(v!, { shape: [2], at: [0] })),
      v!,
      b.add(i!, lit(1, 'i64')),
    ]),
  ]).values;
const halved = region([f64(2), f64()], halving);

/** The tangents of all continuous results along random ones of all inputs, and the same from differences. */
function expectTangents(g: Graph, apply: (xs: readonly Value[]) => readonly Value[], at: readonly Reference[]): void {
  const floats = g.outputs.flatMap((v, i) => (avalOf(v).dtype === 'f64' ? [i] : []));
  const graph = region([...g.inputs, ...g.inputs].map(avalOf), (args) => {
    const xs = args.slice(0, g.inputs.length);
    const ys = apply(xs);
    return pushforward(ys, xs, args.slice(xs.length)).flatMap((t, i) => (floats.includes(i) ? [t ?? full(0, avalOf(ys[i]!))] : []));
  });
  verify(graph);
  const along = data(g, 9);
  const moved = (step: number): readonly Reference[] =>
    evaluate(
      g,
      at.map((r, i) => ({ ...r, data: r.data.map((v, k) => v + step * along[i]!.data[k]!) })),
    );
  const [high, low] = [moved(1e-6), moved(-1e-6)];
  for (const [k, t] of evaluate(graph, [...at, ...along]).entries()) {
    const i = floats[k]!;
    expectNear(
      t.data,
      high[i]!.data.map((v, j) => (v - low[i]!.data[j]!) / 2e-6),
      1e-6,
      `tangent of output ${i}`,
    );
  }
}

/** What `batched` gives for examples of which only those marked differ, against each example alone. */
function expectLoop(g: Graph, flags: readonly boolean[], examples: readonly (readonly Reference[])[]): void {
  const size = examples.length;
  const graph = region(
    g.inputs.map((v, i) => aval(avalOf(v).dtype, flags[i] ? [size, ...shapeOf(v)] : shapeOf(v))),
    (args) => {
      const { values, isBatched } = batched(g, args, flags, size);
      return values.map((v, i) => (isBatched[i] ? v : b.expand(v, { shape: [size, ...shapeOf(v)], at: [0] })));
    },
  );
  verify(graph);
  const stacked = g.inputs.map((_, i): Reference => {
    const [first] = examples.map((e) => e[i]!);
    if (!flags[i]) return first!;
    return { dtype: first!.dtype, shape: [size, ...first!.shape], data: Float64Array.from(examples.flatMap((e) => [...e[i]!.data])) };
  });
  const many = evaluate(graph, stacked);
  const alone = examples.map((e) =>
    evaluate(
      g,
      e.map((r, i) => (flags[i] ? r : examples[0]![i]!)),
    ),
  );
  for (const [i, r] of many.entries()) expectNear(r.data, Float64Array.from(alone.flatMap((ys) => [...ys[i]!.data])), 1e-12, `output ${i}`);
}

const scans = (g: Graph): NodeOf<'scan'>[] => nodesOf(g).filter((n): n is NodeOf<'scan'> => n.op === 'scan');

describe('scan', () => {
  test('has the gradient of differences, by carries, by what passes through unchanged, and by slices', () => {
    expect(gradcheck(recurrence, data(recurrence), recurrent)).toEqual([0, 1, 2]);
  });
  test('has the tangents of differences', () => {
    expectTangents(recurrence, recurrent, data(recurrence));
  });
  test('can be differentiated again, in every order', () => {
    const by = [0, 1, 2];
    const first = pullbackGraph(recurrence, by, recurrent).graph;
    const apply = (args: readonly Value[]): readonly Value[] => inline(first, args);
    verify(first);
    expect(gradcheck(first, data(first), apply, 1e-4)).toEqual([0, 1, 2, 3, 4, 5]);
    expectTangents(first, apply, data(first));
  });
  test('keeps for backward what the steps made, once for each step, and no stack of what they only read', () => {
    const { graph } = pullbackGraph(recurrence, [0, 1, 2], recurrent);
    const [again, back] = scans({ inputs: graph.inputs, outputs: graph.outputs.slice(0, 1) });
    // tanh' is taken from its result; h stands before each step; x and w are at hand.
    expect(again!.outputs.slice(again!.attrs.carries).map((a) => a.shape)).toEqual(
      expect.arrayContaining([
        [4, 2],
        [4, 2],
      ]),
    );
    expect(again!.outputs.slice(again!.attrs.carries).every((a) => a.shape.length === 2)).toBe(true);
    expect(back!.inputs.slice(0, back!.attrs.carries).some((v) => v === graph.inputs[1])).toBe(true);
  });
  test('memory for backward grows by the step, not by the square', () => {
    const bytes = (length: number): number => {
      const g = region(
        [f64(2), f64(2, 2), f64(length, 2)],
        (xs) => build('scan', xs, { carries: 2, length, reverse: false }, [cell()]).values,
      );
      const { graph } = pullbackGraph(g, [0, 1], (xs) => inline(g, xs));
      return nodesOf(graph).reduce(
        (sum, n) => sum + n.outputs.reduce((s, a) => s + a.shape.reduce<number>((p, d) => p * (d as number), 1), 0),
        0,
      );
    };
    expect(bytes(300) - bytes(200)).toBe(bytes(200) - bytes(100));
  });
  test('a result or a carry that nobody asks about costs nothing', () => {
    const [h, w, xs] = [f64(2), f64(2, 2), f64(4, 2)].map((a) => b.input(a)) as [Value, Value, Value];
    const [last] = recurrent([h, w, xs]);
    const [dh, dw, dxs] = pullback([last!], [ones(last!)], [h]).concat([null, null]);
    expect([dw, dxs]).toEqual([null, null]);
    const back = scans({ inputs: [h, w, xs], outputs: [dh!] }).at(-1)!;
    expect(back.outputs.map((a) => a.shape)).not.toContainEqual([4, 2]);
  });
  test('counters and masks go along without a derivative', () => {
    const counted = ([x]: readonly Value[]): readonly Value[] =>
      build('scan', [x!, lit(0, 'i64')], { carries: 2, length: 3, reverse: false }, [
        region([f64(2), aval('i64', [])], ([c, i]) => {
          const factor = b.expand(b.cast(b.add(i!, lit(1, 'i64')), { to: 'f64' }), { shape: [2], at: [0] });
          return [b.mul(b.sin(c!), factor), b.add(i!, lit(1, 'i64'))];
        }),
      ]).values;
    const g = region([f64(2)], counted);
    expect(gradcheck(g, data(g), counted)).toEqual([0]);
    expectTangents(g, counted, data(g));
  });
  test('a carry that turns into another is followed through both', () => {
    const swapping = ([x, y]: readonly Value[]): readonly Value[] =>
      build('scan', [x!, y!], { carries: 2, length: 3, reverse: false }, [region([f64(2), f64(2)], ([p, q]) => [b.sin(q!), b.mul(p!, q!)])])
        .values;
    const g = region([f64(2), f64(2)], swapping);
    expect(gradcheck(g, data(g), swapping)).toEqual([0, 1]);
    expectTangents(g, swapping, data(g));
    const alone = region([f64(2)], ([x]) => swapping([x!, full(0.3, f64(2))]));
    expect(gradcheck(alone, data(alone), ([x]) => swapping([x!, full(0.3, f64(2))]))).toEqual([0]);
  });
  test('of no steps is the identity on carries', () => {
    const none = (xs: readonly Value[]): readonly Value[] => build('scan', xs, { carries: 2, length: 0, reverse: false }, [cell()]).values;
    const g = region([f64(2), f64(2, 2), f64(0, 2)], none);
    expect(gradcheck(g, data(g), none)).toEqual([0, 1, 2]);
  });
  test.each([[[true, true, true]], [[false, false, true]], [[true, false, false]], [[false, true, false]]])(
    'over a batch of %s is the loop',
    (flags) => {
      expectLoop(recurrence, flags, [data(recurrence, 1), data(recurrence, 2), data(recurrence, 3)]);
    },
  );
  test('its gradient over a batch is the loop of gradients', () => {
    const { graph } = pullbackGraph(recurrence, [0, 1, 2], recurrent);
    expectLoop(graph, [false, false, true, false, true, false], [data(graph, 1), data(graph, 2)]);
  });
  test('a carry that is nowhere of the batch is computed once', () => {
    const g = region(
      [f64(2), f64(2), f64(3, 2)],
      (xs) =>
        build('scan', xs, { carries: 2, length: 3, reverse: false }, [
          region([f64(2), f64(2), f64(2)], ([p, q, x]) => [b.exp(p!), b.add(q!, x!)]),
        ]).values,
    );
    const [p, q, x] = [f64(2), f64(2), f64(5, 3, 2)].map((a) => b.input(a)) as [Value, Value, Value];
    const { values, isBatched } = batched(g, [p, q, x], [false, false, true], 5);
    expect(isBatched).toEqual([false, true]);
    expect(values.map(shapeOf)).toEqual([[2], [5, 2]]);
  });
});

describe('whileLoop', () => {
  const at = (x: number[], w: number): Reference[] => [of('f64', [2], x), of('f64', [], [w])];
  test('has the tangents of differences', () => {
    expectTangents(halved, halving, at([3, 5.5], 0.5));
  });
  test('tangents do not change the number of steps', () => {
    expect([...evaluate(halved, at([3, 5], 0.5))[2]!.data]).toEqual([3]);
    const graph = region([f64(2), f64(), f64(2)], ([x, w, t]) => {
      const ys = halving([x!, w!]);
      return [pushforward([ys[0]!], [x!], [t!])[0]!];
    });
    expect([...evaluate(graph, [...at([3, 5], 0.5), of('f64', [2], [1e9, 8])])[0]!.data]).toEqual([1.25e8, 1]);
  });
  test('is refused in reverse mode, with a way out', () => {
    const [x, w] = [b.input(f64(2)), b.input(f64())];
    const [y] = halving([x, w]);
    expect(() => pullback([y!], [ones(y!)], [x])).toThrow(AutogradError);
    expect(() => pullback([y!], [ones(y!)], [x])).toThrow(/whileLoop: has no reverse-mode derivative.*use scan/);
  });
  test('over a batch runs until the last example is done, and the others keep what they had', () => {
    const examples = [at([3, 5], 0.5), at([0.1, 0.2], 0.5), at([30, 50], 0.5)];
    expectLoop(halved, [true, false], examples);
    expectLoop(halved, [true, true], [at([3, 5], 0.5), at([3, 5], 0.1), at([3, 5], 0.9)]);
    expectLoop(halved, [false, true], [at([3, 5], 0.5), at([3, 5], 0.1), at([3, 5], 0.9)]);
  });
  test('over an empty batch ends', () => {
    const graph = region([f64(0, 2), f64()], ([x, w]) => batched(halved, [x!, w!], [true, false], 0).values);
    expect(evaluate(graph, [of('f64', [0, 2], []), of('f64', [], [0.5])])[0]!.data.length).toBe(0);
  });
  test('with a test that is the same for all stays a loop with one test', () => {
    const g = region(
      [f64(2), aval('i64', [])],
      (xs) =>
        build('whileLoop', xs, {}, [
          region([f64(2), aval('i64', [])], ([, i]) => [b.lt(i!, lit(3, 'i64'))]),
          region([f64(2), aval('i64', [])], ([x, i]) => [b.add(x!, x!), b.add(i!, lit(1, 'i64'))]),
        ]).values,
    );
    const [x, i] = [b.input(f64(4, 2)), b.input(aval('i64', []))];
    const { values, isBatched } = batched(g, [x, i], [true, false], 4);
    expect(isBatched).toEqual([true, false]);
    expect(values.map(shapeOf)).toEqual([[4, 2], []]);
    expectLoop(
      g,
      [true, false],
      [1, 2].map((v) => [of('f64', [2], [v, v]), of('i64', [], [0])]),
    );
  });
  test('tangents over a batch are the loop of tangents', () => {
    const g = region([f64(2), f64(), f64(2)], ([x, w, t]) => {
      const ys = halving([x!, w!]);
      return [ys[0]!, pushforward([ys[0]!], [x!], [t!])[0]!];
    });
    expectLoop(
      g,
      [true, false, true],
      [
        [...at([3, 5], 0.5), of('f64', [2], [1, 2])],
        [...at([0.1, 0.5], 0.5), of('f64', [2], [3, 4])],
      ],
    );
  });
});

describe('cond', () => {
  const choosing = ([p, x, y]: readonly Value[]): readonly Value[] =>
    build('cond', [p!, x!, y!], {}, [
      region([f64(2), f64(2)], ([u, v]) => [b.mul(u!, v!), b.sum(u!, { axes: [0] })]),
      region([f64(2), f64(2)], ([u]) => [b.sin(u!), full(2, f64())]),
    ]).values;
  const chosen = region([bool(), f64(2), f64(2)], choosing);
  const at = (p: number, seed: number): Reference[] => [of('bool', [], [p]), ...data(chosen, seed).slice(1)];
  test('with a predicate for each example selects, and so do its gradients', () => {
    const examples = [at(1, 1), at(0, 2), at(1, 3)];
    expectLoop(chosen, [true, true, false], examples);
    expectLoop(chosen, [true, false, false], examples);
    expectLoop(chosen, [false, true, true], examples);
    const { graph } = pullbackGraph(chosen, [1, 2], choosing);
    const cts = data(graph, 5).slice(3);
    expectLoop(
      graph,
      [true, true, true, false, false],
      examples.map((e) => [...e, ...cts]),
    );
  });
  test('the gradient of a predicate for each example is that of what was selected', () => {
    const many = region([bool(3), f64(3, 2), f64(2)], (args) => batched(chosen, args, [true, true, false], 3).values);
    const values: Reference[] = [of('bool', [3], [1, 0, 1]), ...data(many).slice(1)];
    expect(gradcheck(many, values, (args) => inline(many, args))).toEqual([1, 2]);
  });
  test('inside of scan is differentiated with it', () => {
    const nested = ([x, xs]: readonly Value[]): readonly Value[] =>
      build('scan', [x!, xs!], { carries: 1, length: 3, reverse: false }, [
        region([f64(2), f64(2)], ([c, s]) => {
          const p = b.lt(b.sum(s!, { axes: [0] }), lit(0, 'f64'));
          return [choosing([p, c!, s!])[0]!, b.exp(c!)];
        }),
      ]).values;
    const g = region([f64(2), f64(3, 2)], nested);
    expect(gradcheck(g, data(g), nested)).toEqual([0, 1]);
    expectLoop(g, [true, true], [data(g, 1), data(g, 2)]);
  });
});
