// What the shapes of composites are made for: each is few kernels, its gradient included.
import { describe, expect, test } from 'vitest';
import { pullback } from '../../compiler/autodiff/reverse.ts';
import { type Aval, aval } from '../../compiler/ir/aval.ts';
import { b, full, region } from '../../compiler/ir/builder.ts';
import { avalOf, type Graph, nodesOf, type Value } from '../../compiler/ir/node.ts';
import { type CompositeName, composite, recordComposite } from '../../compiler/ops/composite/table.ts';
import { runPipeline } from '../../compiler/passes/pipeline.ts';
import { jsTarget } from '../../runtime/target.ts';

type Build = (xs: readonly Value[]) => readonly Value[];
const f32 = (...shape: number[]): Aval => aval('f32', shape);

function kernels(avals: readonly Aval[], build: Build): { form: string; reduce: readonly number[] }[] {
  const graph: Graph = runPipeline(region(avals, build), jsTarget);
  return nodesOf(graph).flatMap((n) => (n.op === 'kernel' ? [{ form: n.attrs.form, reduce: n.attrs.reduce }] : []));
}
/** Result and gradients by `of` of a loss or of a value with a given cotangent (the last operand). */
const withGradient =
  (of: readonly number[], build: Build): Build =>
  (xs) => {
    const [y] = build(xs);
    const ct = avalOf(y!).shape.length === 0 ? full(1, avalOf(y!)) : xs.at(-1)!;
    return [
      y!,
      ...pullback(
        [y!],
        [ct],
        of.map((i) => xs[i]!),
      ).map((v) => v!),
    ];
  };

describe('forward is one kernel', () => {
  const affine = { rank: 1, weight: true, bias: true };
  test.each<[string, CompositeName, readonly Aval[], Parameters<typeof recordComposite>[2]]>([
    ['softmax over rows', 'softmax', [f32(8, 16)], { axis: 1 }],
    ['softmax over columns', 'softmax', [f32(8, 16)], { axis: 0 }],
    ['log-softmax', 'logSoftmax', [f32(8, 16)], { axis: 1 }],
    ['log-sum-exp', 'logsumexp', [f32(8, 16)], { axes: [1] }],
    ['gelu', 'gelu', [f32(8, 16)], {}],
    ['layer norm', 'layerNorm', [f32(8, 16), f32(), f32(16), f32(16)], affine],
    ['RMS norm', 'rmsNorm', [f32(8, 16), f32(), f32(16)], { rank: 1, weight: true }],
    ['batch norm', 'batchNorm', [f32(8, 16), f32(), f32(16), f32(16)], { weight: true, bias: true }],
    ['variance', 'variance', [f32(8, 16)], { axes: [1], correction: 1 }],
    ['max pooling', 'maxPool', [f32(2, 3, 8, 8)], { kernel: [2, 2], stride: [2, 2], padding: [0, 0], dilation: [1, 1], ceil: false }],
    [
      'global average pooling',
      'avgPool',
      [f32(2, 3, 7, 7)],
      { kernel: [7, 7], stride: [7, 7], padding: [0, 0], ceil: false, countPadding: true, divisor: 0 },
    ],
  ])('%s', (_, name, avals, params) => {
    expect(kernels(avals, (xs) => recordComposite(name, xs, params).slice(0, 1))).toHaveLength(1);
  });
});

describe('with gradients', () => {
  test('softmax is one kernel', () => {
    const build = withGradient([0], ([x]) => composite('softmax', [x!], { axis: 1 }));
    expect(kernels([f32(8, 16), f32(8, 16)], build)).toEqual([{ form: 'rows', reduce: [1] }]);
  });

  test('layer norm backward is two kernels, one over each set of axes', () => {
    const both = withGradient([0, 2, 3], ([x, eps, w, c]) =>
      composite('layerNorm', [x!, eps!, w!, c!], { rank: 1, weight: true, bias: true }),
    );
    const made = kernels([f32(8, 16), f32(), f32(16), f32(16), f32(8, 16)], both);
    expect(made.map((k) => k.reduce.join())).toEqual(['1', '0']);
  });

  test('batch norm is one kernel', () => {
    const both = withGradient([0, 2, 3], ([x, eps, w, c]) => composite('batchNorm', [x!, eps!, w!, c!], { weight: true, bias: true }));
    expect(kernels([f32(8, 16), f32(), f32(16), f32(16), f32(8, 16)], both)).toHaveLength(1);
  });

  const lossAndGradient = (reduction: 'sum' | 'mean') =>
    withGradient([0], ([x, t]) =>
      composite('crossEntropy', [x!, t!], { axis: 1, reduction, weight: false, smoothing: false, ignoreIndex: -100 }),
    );
  test('summed cross-entropy is one kernel over the classes and one over the rows', () => {
    const made = kernels([f32(8, 10), aval('i64', [8])], lossAndGradient('sum'));
    expect(made.map((k) => k.reduce.join())).toEqual(['1', '0']);
  });

  test('averaged cross-entropy is at most three kernels, the count of rows included', () => {
    expect(kernels([f32(8, 10), aval('i64', [8])], lossAndGradient('mean')).length).toBeLessThanOrEqual(3);
  });

  test('gelu and its gradient are one kernel', () => {
    const build = withGradient([0], ([x]) => composite('gelu', [x!], {}));
    expect(kernels([f32(8, 16), f32(8, 16)], build)).toHaveLength(1);
  });

  test('max pooling and its gradient are two kernels', () => {
    const params = { kernel: [2, 2], stride: [2, 2], padding: [0, 0], dilation: [1, 1], ceil: false };
    const build = withGradient([0], ([x]) => composite('maxPool', [x!], params));
    expect(kernels([f32(2, 3, 8, 8), f32(2, 3, 4, 4)], build).length).toBeLessThanOrEqual(2);
  });
});

test('an MLP step is at most ten kernels', () => {
  const shapes = [f32(128, 784), aval('i64', [128]), f32(784, 256), f32(256), f32(256, 10), f32(10), f32()];
  const made = kernels(shapes, (xs) => {
    const [x, labels, w1, b1, w2, b2, rate] = xs as [Value, Value, Value, Value, Value, Value, Value];
    const linear = (v: Value, w: Value, c: Value): Value => {
      const y = b.dot(v, w, { batch: [], contract: [[1, 0]] });
      return b.add(y, b.expand(c, { shape: avalOf(y).shape, at: [0] }));
    };
    const [hidden] = composite('relu', [linear(x, w1, b1)], {});
    const params = { axis: 1, reduction: 'mean', weight: false, smoothing: false, ignoreIndex: -100 } as const;
    const [loss] = composite('crossEntropy', [linear(hidden!, w2, b2), labels], params);
    const weights = [w1, b1, w2, b2];
    const grads = pullback([loss!], [full(1, avalOf(loss!))], weights);
    const step = (w: Value, g: Value): Value => {
      const { shape } = avalOf(w);
      return b.sub(w, b.mul(g, b.expand(rate, { shape, at: shape.map((_, i) => i) })));
    };
    return [loss!, ...weights.map((w, i) => step(w, grads[i]!))];
  });
  expect(made.length).toBeLessThanOrEqual(10);
});
