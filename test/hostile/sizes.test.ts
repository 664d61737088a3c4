// Sizes that are too large to be had, and sizes of 0 and 1.
import { describe, expect, it } from 'vitest';
import { noGrad } from '../../compiler/frontend/autograd/mode.ts';
import { ones, tensor, zeros } from '../../compiler/frontend/creation.ts';
import { layerNorm } from '../../compiler/frontend/functional/layers.ts';
import { crossEntropy, mseLoss } from '../../compiler/frontend/functional/loss.ts';
import { cat } from '../../compiler/frontend/functional/shape.ts';
import { Adam, SGD } from '../../compiler/frontend/optim/index.ts';
import '../../compiler/frontend/tensor.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { FluxionError, OutOfMemoryError } from '../../runtime/errors.ts';

const failure = (f: () => unknown): unknown => {
  try {
    return f();
  } catch (error) {
    return error;
  }
};

describe('what no memory can hold', () => {
  it.each([[[2 ** 16, 2 ** 16]], [[2 ** 27, 2 ** 27]], [[4194305, 4194305, 211106198978564]], [[2 ** 53, 2]]])(
    '%j is refused with what was asked for',
    (shape) => {
      const error = failure(() => zeros(shape));
      expect(error).toBeInstanceOf(OutOfMemoryError);
      expect((error as Error).message).toMatch(/zeros: .*\[\d+,.*bytes.*limit.*sizes\.test\.ts:\d+/);
    },
  );

  it('is refused as an intermediate before anything runs, with the way out', () => {
    const x = ones([60_000]);
    const error = failure(() =>
      x
        .reshape([60_000, 1])
        .matmul(x.reshape([1, 60_000]))
        .relu()
        .dataSync(),
    );
    expect(error).toBeInstanceOf(OutOfMemoryError);
    expect((error as Error).message).toMatch(/\[60000,60000\] has 3600000000 elements, 2147483647 are possible; .*sizes\.test\.ts/);
    expect(x.sum().itemSync()).toBe(60_000);
  });

  it('is refused as a view that is copied', () => {
    expect(
      failure(() =>
        ones([1])
          .expand([2 ** 16, 2 ** 16])
          .clone()
          .dataSync(),
      ),
    ).toBeInstanceOf(OutOfMemoryError);
  });
});

/** Ops of one tensor that take any shape. */
const unary: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  exp: (x) => x.exp(),
  add: (x) => x.add(x).mul(2),
  sum: (x) => x.sum(),
  'sum 0': (x) => x.sum(0),
  'mean of dim 1': (x) => x.mul(1).sum(1),
  softmax: (x) => x.softmax(1),
  'softmax 0': (x) => x.softmax(0),
  logSoftmax: (x) => x.logSoftmax(1),
  cumsum: (x) => x.cumsum(0),
  transpose: (x) => x.t(),
  flip: (x) => x.flip([0, 1]),
  reshape: (x) => x.reshape([x.shape[1]!, x.shape[0]!]),
  'matmul with its transpose': (x) => x.matmul(x.t()),
  cat: (x) => cat([x, x]),
  sort: (x) => x.sort(0).values,
  relu: (x) => x.relu(),
  pad: (x) => x.pad([1, 1]),
  where: (x) => x.where(x.gt(0), 0),
  tril: (x) => x.tril(),
  layerNorm: (x) => layerNorm(x, [x.shape[1]!]),
  norm: (x) => x.norm(),
  prod: (x) => x.prod(1),
};

describe.each([[[0, 3]], [[3, 0]], [[0, 0]], [[1, 3]], [[3, 1]], [[1, 1]]])('of shape %j', (shape) => {
  it.each(Object.entries(unary))('%s has a value and a gradient of its shape', (_, f) => {
    const x = ones(shape).mul(0.5).detach().requiresGrad_();
    const y = f(x);
    y.sum().backward();
    expect(y.dataSync().length).toBe(y.numel());
    expect(x.grad!.shape).toEqual(shape);
    expect(x.grad!.dataSync().length).toBe(x.numel());
  });
});

describe('nothing', () => {
  it('sums to 0, multiplies to 1, has no mean and no largest', () => {
    const x = zeros([0]);
    expect([x.sum().itemSync(), x.prod().itemSync(), x.mean().itemSync()]).toEqual([0, 1, Number.NaN]);
    for (const f of [() => x.amax(), () => x.amin(), () => x.argmax(), () => x.max()]) expect(failure(f)).toBeInstanceOf(FluxionError);
    expect(zeros([0, 3]).amax(1).shape).toEqual([0]);
    expect(
      zeros([2, 0])
        .matmul(zeros([0, 3]))
        .tolistSync(),
    ).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect([x.all().itemSync(), x.any().itemSync()]).toEqual([1, 0]);
  });

  it('has losses as PyTorch gives them', () => {
    expect(mseLoss(zeros([0]), zeros([0])).itemSync()).toBeNaN();
    expect(mseLoss(zeros([0]), zeros([0]), { reduction: 'sum' }).itemSync()).toBe(0);
    expect(crossEntropy(zeros([0, 3]), zeros([0], { dtype: 'int64' })).itemSync()).toBeNaN();
  });

  it.each([
    ['SGD', (p: Tensor) => new SGD([p], { lr: 0.1, momentum: 0.9 })],
    ['Adam', (p: Tensor) => new Adam([p], { lr: 0.1 })],
  ])('is a parameter of %s', (_, make) => {
    for (const shape of [[0], [0, 3], [1], []]) {
      const p = zeros(shape, { requiresGrad: true });
      const optimizer = make(p);
      for (let i = 0; i < 2; i++) {
        optimizer.zeroGrad();
        p.add(1).sum().backward();
        optimizer.step();
      }
      expect(p.dataSync().length).toBe(p.numel());
      expect(Array.from(p.dataSync() as Float32Array).every((v) => v < 0)).toBe(true);
    }
  });

  it('is written in place and indexed', () => {
    const x = ones([3]);
    noGrad(() => x.narrow(0, 1, 0).add_(1));
    expect(x.tolistSync()).toEqual([1, 1, 1]);
    expect(x.indexSelect(0, tensor([], { dtype: 'int64' })).shape).toEqual([0]);
  });
});
