// Views and writes in place: what shares memory, what is written through, what is refused, as in PyTorch.
import { describe, expect, it } from 'vitest';
import {
  AutogradError,
  arange,
  cat,
  DTypeError,
  noGrad,
  ones,
  range,
  ShapeError,
  split,
  type Tensor,
  tensor,
  zeros,
} from '../../compiler/index.ts';

const matrix = (): Tensor => arange(6).reshape([2, 3]).to('float32');
const list = (t: Tensor): unknown => t.tolistSync();

describe('a view', () => {
  it('has the strides and offset that PyTorch reports', () => {
    const x = arange(24).reshape([2, 3, 4]).clone();
    const rows: readonly (readonly [Tensor, readonly number[], number])[] = [
      [x, [12, 4, 1], 0],
      [x.transpose(0, 2), [1, 4, 12], 0],
      [x.permute([1, 0, 2]), [4, 12, 1], 0],
      [x.index(1), [4, 1], 12],
      [x.index(1, range(1, 3), range(0, 4, 2)), [4, 2], 16],
      [x.narrow(2, 1, 2), [12, 4, 1], 1],
      [x.unsqueeze(1), [12, 12, 4, 1], 0],
      [x.select(2, 3), [12, 4], 3],
      [x.view([6, 4]), [4, 1], 0],
      [x.unbind(1)[2]!, [12, 1], 8],
      [x.index(null, 0), [12, 4, 1], 0],
      [ones([3, 1]).clone().expand([2, 3, 4]), [0, 1, 0], 0],
      [x.index(0).diagonal(), [5], 0],
    ];
    for (const [t, strides, offset] of rows) {
      expect(t.storageOffset()).toBe(offset);
      // A new axis of size 1 may have any stride.
      expect(t.stride().filter((_, i) => t.shape[i] !== 1)).toEqual(strides.filter((_, i) => t.shape[i] !== 1));
    }
  });

  it('is contiguous only in row-major order', () => {
    const x = matrix();
    expect(x.isContiguous()).toBe(true);
    expect(x.t().isContiguous()).toBe(false);
    expect(x.t().contiguous().isContiguous()).toBe(true);
    expect(x.contiguous()).toBe(x);
    expect(x.index(1).isContiguous()).toBe(true);
    expect(x.index(range(), range(0, 2)).isContiguous()).toBe(false);
    expect(x.expand([2, 2, 3]).isContiguous()).toBe(false);
  });

  it('refuses view() where only a copy would do, and reshape() copies', () => {
    const x = matrix();
    expect(() => x.t().view([6])).toThrow(ShapeError);
    const copy = x.t().reshape([6]);
    copy.zero_();
    expect(list(x)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    const alias = x.reshape([3, 2]);
    alias.zero_();
    expect(list(x)).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });

  it('of a view looks through both', () => {
    const x = arange(12).reshape([3, 4]).to('float32');
    const v = x.t().index(range(1, 3)).index(0);
    expect(list(v)).toEqual([1, 5, 9]);
    x.add_(100);
    expect(list(v)).toEqual([101, 105, 109]);
    v.mul_(0);
    expect(list(x)).toEqual([
      [100, 0, 102, 103],
      [104, 0, 106, 107],
      [108, 0, 110, 111],
    ]);
  });
});

describe('a write', () => {
  it.each<readonly [string, (x: Tensor) => Tensor, readonly (readonly number[])[]]>([
    [
      'a row',
      (x) => x.index(0),
      [
        [9, 9, 9],
        [3, 4, 5],
      ],
    ],
    [
      'an element',
      (x) => x.index(1, 2),
      [
        [0, 1, 2],
        [3, 4, 9],
      ],
    ],
    [
      'a column',
      (x) => x.select(1, -1),
      [
        [0, 1, 9],
        [3, 4, 9],
      ],
    ],
    [
      'a step',
      (x) => x.index(range(), range(0, 3, 2)),
      [
        [9, 1, 9],
        [9, 4, 9],
      ],
    ],
    [
      'a transposed row',
      (x) => x.t().index(1),
      [
        [0, 9, 2],
        [3, 9, 5],
      ],
    ],
    [
      'a flattened part',
      (x) => x.view([-1]).index(range(1, 4)),
      [
        [0, 9, 9],
        [9, 4, 5],
      ],
    ],
    [
      'a narrowed part',
      (x) => x.narrow(1, 1, 2),
      [
        [0, 9, 9],
        [3, 9, 9],
      ],
    ],
    [
      'a diagonal',
      (x) => x.diagonal(),
      [
        [9, 1, 2],
        [3, 9, 5],
      ],
    ],
    [
      'a new axis',
      (x) => x.unsqueeze(0).index(0, 1),
      [
        [0, 1, 2],
        [9, 9, 9],
      ],
    ],
    [
      'a detached view',
      (x) => x.detach().index(0),
      [
        [9, 9, 9],
        [3, 4, 5],
      ],
    ],
    [
      'a view of a detached tensor’s view',
      (x) => x.index(1).detach(),
      [
        [0, 1, 2],
        [9, 9, 9],
      ],
    ],
    [
      'nothing',
      (x) => x.index(range(2, 2)),
      [
        [0, 1, 2],
        [3, 4, 5],
      ],
    ],
  ])('through %s reaches the base', (_, view, expected) => {
    const x = matrix();
    const other = x.view([6]);
    view(x).fill_(9);
    expect(list(x)).toEqual(expected);
    expect(list(other)).toEqual(expected.flat());
  });

  it('to the base reaches all views, whether looked at before or not', () => {
    const x = matrix();
    const [row, column] = [x.index(1), x.select(1, 0)];
    expect(list(row)).toEqual([3, 4, 5]);
    x.mul_(10);
    expect([list(row), list(column)]).toEqual([
      [30, 40, 50],
      [0, 30],
    ]);
  });

  it('does not reach copies', () => {
    const x = matrix();
    const copies = [x.clone(), x.flip(0), x.index(tensor([0n, 1n])), x.add(0), cat([x]), x.repeat([1, 1])];
    const before = copies.map(list);
    x.zero_();
    expect(copies.map(list)).toEqual(before);
  });

  it('into expanded memory is refused, but to one number', () => {
    const x = ones([3]);
    const wide = x.expand([2, 3]);
    const refusal = /more than one element of the written-to tensor refers to a single memory location/;
    const writes: readonly (() => Tensor)[] = [
      () => wide.add_(1),
      () => wide.copy_(ones([2, 3])),
      () => wide.fill_(tensor(2)),
      () => wide.select(1, 0).add_(1),
      () => wide.t().index(1).mul_(5),
      () => wide.indexPut_([range(), 0], 1),
    ];
    for (const write of writes) expect(write).toThrow(refusal);
    expect(list(x)).toEqual([1, 1, 1]);
    expect(() => x.expand([1, 3]).add_(1)).not.toThrow();
    expect(list(x)).toEqual([2, 2, 2]);
    wide.fill_(7);
    expect(list(x)).toEqual([7, 7, 7]);
    wide.select(1, 0).zero_();
    expect(list(x)).toEqual([0, 7, 7]);
    expect(() => zeros([1, 1]).expand([0, 2]).add_(1)).not.toThrow();
  });

  it('through one of the places where expand shows an element reaches all', () => {
    const x = zeros([3]);
    const wide = x.expand([2, 3]);
    wide.index(1).add_(tensor([1, 2, 3]));
    expect(list(wide)).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    wide.index(range(1, 2), range(1, 3)).mul_(10);
    expect(list(x)).toEqual([1, 20, 30]);
    wide.indexPut_([0], tensor([4, 5, 6]));
    expect(list(x)).toEqual([4, 5, 6]);
    x.expand([4, 2, 3]).transpose(0, 2).index(2, 1, 3).fill_(9);
    expect(list(x)).toEqual([4, 5, 9]);
    const one = zeros([1]);
    one.expand([2, 3]).t().view([6]).index(4).fill_(-0);
    expect(list(one)).toEqual([-0]);
  });

  it('through a diagonal reaches matrices that no strides make flat', () => {
    const x = matrix();
    x.t().diagonal().fill_(9);
    x.diagonal(-1).mul_(10);
    x.index(range(), range(1, 3)).diagonal(1).sub_(2);
    expect(list(x)).toEqual([
      [9, 1, 0],
      [30, 9, 5],
    ]);
    expect(x.t().diagonal(1).stride()).toEqual([4]);
    expect(list(x.diagonal(7))).toEqual([]);
    expect(() => zeros([3]).expand([3, 3]).diagonal().fill_(1)).toThrow(/diagonal of expanded dimensions is not supported/);
    const deep = zeros([2, 2]);
    deep.expand([3, 2, 2]).index(1).diagonal().fill_(1);
    expect(list(deep)).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it('may broadcast its operand, and not grow', () => {
    const x = zeros([2, 3]);
    x.add_(tensor([1, 2, 3]));
    expect(list(x)).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(() => zeros([3]).add_(x)).toThrow("output with shape [3] doesn't match the broadcast shape [2,3]");
    expect(() => zeros([1]).add_(ones([2]))).toThrow(ShapeError);
  });

  it('keeps the dtype, and refuses what does not cast', () => {
    const i = tensor([1n, 2n]);
    i.add_(tensor([1, 2], { dtype: 'int32' }));
    expect(i.dtype).toBe('int64');
    expect(() => i.add_(0.5)).toThrow(DTypeError);
    const f = tensor([1, 2]);
    f.add_(tensor([1, 2], { dtype: 'float64' }));
    expect([f.dtype, list(f)]).toEqual(['float32', [2, 4]]);
  });

  it('by overlapping parts of one storage reads before it writes', () => {
    const x = arange(5).to('float32');
    x.index(range(1, 5)).copy_(x.index(range(0, 4)));
    expect(list(x)).toEqual([0, 0, 1, 2, 3]);
    const y = matrix();
    y.add_(y.index(0));
    expect(list(y)).toEqual([
      [0, 2, 4],
      [3, 5, 7],
    ]);
  });

  it('bumps what a view shows after a boundary as well', () => {
    const x = matrix();
    const v = x.index(0);
    x.dataSync();
    v.add_(1);
    x.dataSync();
    x.mul_(2);
    expect([list(v), list(x)]).toEqual([
      [2, 4, 6],
      [
        [2, 4, 6],
        [6, 8, 10],
      ],
    ]);
  });
});

describe('gradients', () => {
  it('pass through views, also where a boundary came between', () => {
    const x = matrix().detach().requiresGrad_();
    const v = x.mul(2).index(range(0, 1));
    v.dataSync();
    v.mul(3).sum().backward();
    expect(list(x.grad!)).toEqual([
      [6, 6, 6],
      [0, 0, 0],
    ]);
  });

  it('do not pass detach(), even where the value is the same', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    x.mul(x.detach().clone()).sum().backward();
    expect(list(x.grad!)).toEqual([1, 2]);
    x.grad = null;
    x.add(x.detach(), { alpha: 5 }).sum().backward();
    expect(list(x.grad!)).toEqual([1, 1]);
  });

  it('of a part that was overwritten are cut', () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    const y = x.mul(2);
    y.index(0).fill_(10);
    y.sum().backward();
    expect(list(x.grad!)).toEqual([0, 2, 2]);
  });

  it('follow a value written into a part', () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    const w = tensor(5, { requiresGrad: true });
    const y = x.mul(2);
    y.index(range(1, 3)).mul_(w);
    y.sum().backward();
    expect([list(x.grad!), list(w.grad!)]).toEqual([[2, 10, 10], 10]);
  });

  it('flow to a view made before the write', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const y = x.mul(1);
    const v = y.index(0);
    y.mul_(3);
    v.backward();
    expect(list(x.grad!)).toEqual([3, 0]);
  });

  it('are refused to leaves written in place, and to views of them', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    expect(() => x.add_(1)).toThrow(/a leaf tensor that requires grad is being used in an in-place operation/);
    expect(() => x.index(0).fill_(5)).toThrow(/a view of a leaf tensor that requires grad/);
    noGrad(() => x.add_(1));
    expect(list(x)).toEqual([2, 3]);
  });

  it('are refused to one of several views written in place', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    expect(() => split(x.mul(1), 1)[0]!.add_(1)).toThrow(AutogradError);
    const v = noGrad(() => x.mul(1).index(0));
    expect(() => v.add_(1)).not.toThrow();
  });

  it('pass a write through one place of an expanded view', () => {
    const x = ones([3]).requiresGrad_();
    const y = x.mul(2);
    const wide = y.expand([2, 3]);
    wide.index(1).mul_(tensor([1, 2, 3]));
    wide
      .mul(tensor([[1], [10]]))
      .sum()
      .backward();
    expect(list(x.grad!)).toEqual([22, 44, 66]);
  });
});
