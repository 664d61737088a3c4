// How many kernels user code becomes, and how much they move: countable on any machine, so held here.
import { describe, expect, test } from 'vitest';
import { cat, F, mm, noGrad, randn, type Tensor, zeros } from '../../compiler/index.ts';
import { elementsMoved, namesOf, programOf } from './programs.ts';

const square = (): Tensor => randn([10, 10]);

describe('one kernel', () => {
  const x = randn([8, 16]);
  const weight = randn([16]);
  const bias = randn([16]);
  test.each<[string, (x: Tensor) => Tensor]>([
    ['softmax over rows', (x) => F.softmax(x, 1)],
    ['softmax over columns', (x) => F.softmax(x, 0)],
    ['softmax of rows put differently', (x) => F.softmax(x.exp().reshape([2, 4, 16]), -1)],
    ['log-softmax', (x) => F.logSoftmax(x, -1)],
    ['GELU', (x) => F.gelu(x)],
    ['GELU by tanh', (x) => F.gelu(x, { approximate: 'tanh' })],
    ['layer norm', (x) => F.layerNorm(x, [16], { weight, bias })],
    ['layer norm by hand', (x) => x.sub(x.mean(-1, { keepdim: true })).div(x.var(-1, { keepdim: true }).add(1e-5).sqrt())],
    ['a sum with a permuted operand', (x) => x.add(randn([16, 8]).permute([1, 0]))],
    ['a product, its bias and GELU', (x) => F.gelu(x.matmul(randn([16, 4])).add(randn([4])))],
  ])('%s', (_, f) => {
    expect(namesOf(programOf([x], f))).toHaveLength(1);
  });
});

describe('elements moved are no more than', () => {
  /** What PyTorch's Inductor moves for the same code. */
  test.each<[number, string, readonly Tensor[], (...xs: Tensor[]) => Tensor | readonly Tensor[]]>([
    [20, 'cos', [randn([10])], (x) => x.cos()],
    [30, 'x + y', [randn([10]), randn([10])], (x, y) => x.add(y)],
    [21, 'x + y, broadcast', [randn([10]), randn([1])], (x, y) => x.add(y)],
    [110, 'a row sum', [square()], (x) => x.sum(1)],
    [200, 'softmax over rows', [square()], (x) => F.softmax(x, 1)],
    [200, 'softmax over columns', [square()], (x) => F.softmax(x, 0)],
    [200, 'layer norm', [square()], (x) => F.layerNorm(x, [10])],
    [600, 'cos, product, cos', [square()], (x) => mm(x.cos(), x.cos()).cos()],
    [120, 'a sum and a maximum', [square()], (x) => [x.sum(1), x.amax(1)]],
    [210, 'a sum beside a pointwise op', [square()], (x) => [x.sum(1), x.cos()]],
    [220, 'a sum times a pointwise op', [square(), randn([10])], (x, y) => x.sum(1, { keepdim: true }).mul(y.cos())],
    [110, 'pointwise, sum, pointwise', [square()], (x) => x.cos().sum(1).cos()],
    [
      200,
      'a chain of norms',
      [square()],
      (x) => {
        let y = x;
        for (let i = 0; i < 3; i++) y = y.mul(y.sum(1, { keepdim: true }));
        return y;
      },
    ],
    [300, 'x + y transposed', [square(), square()], (x, y) => x.add(y.t())],
    [
      400,
      'three permuted operands',
      [randn([4, 5, 5]), randn([5, 5, 4]), randn([5, 4, 5])],
      (x, y, z) => x.add(y.permute([2, 1, 0])).add(z.permute([1, 0, 2])),
    ],
    [40, 'scaled operands put together', [randn([10]), randn([10])], (x, y) => cat([x.mul(2), y.mul(2)])],
    [30, 'a subexpression spelled twice', [randn([10])], (x) => [x.cos().add(1), x.cos().mul(2)]],
    [20, 'a chain of views', [randn([10])], (x) => x.reshape([2, 5]).t().add(1).t().reshape([10])],
  ])('%i: %s', (most, _, xs, f) => {
    expect(elementsMoved(programOf(xs, f))).toBeLessThanOrEqual(most);
  });

  test('90: a sum of four and then a maximum', () => {
    const report = programOf([randn([10, 1, 4]), randn([1, 10, 4])], (x, y) => x.sub(y).sum(-1).amax(-1));
    expect(elementsMoved(report)).toBeLessThanOrEqual(90);
  });

  test('50: three cosines with their gradient', () => {
    const x = randn([10]).requiresGrad_();
    const report = programOf([x], (x) => {
      const y = x.cos().cos().cos();
      y.backward(zeros([10]).add(1));
      const { grad } = x;
      x.grad = null;
      return noGrad(() => [y.detach(), grad!]);
    });
    expect(elementsMoved(report)).toBeLessThanOrEqual(50);
  });
});
