// Gradients as PyTorch's rules have them: leaves, accumulation, history of writes in place and of views, second passes, modes.
import { describe, expect, it, test } from 'vitest';
import { backward, grad } from '../../compiler/frontend/autograd/backward.ts';
import type { GradFn } from '../../compiler/frontend/autograd/graph.ts';
import { enableGrad, isGradEnabled, noGrad, setGradEnabled } from '../../compiler/frontend/autograd/mode.ts';
import { ones, tensor, zeros } from '../../compiler/frontend/creation.ts';
import { range } from '../../compiler/frontend/functional/indexing.ts';
import '../../compiler/frontend/tensor.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { ArgumentError, AutogradError, ShapeError } from '../../runtime/errors.ts';
import { chainLength, isThorough } from '../effort.ts';

const leaf = (data: number | number[] | number[][]): Tensor => tensor(data, { requiresGrad: true });
const numbers = (t: Tensor | null): unknown => (t === null ? null : t.tolistSync());

describe('leaves', () => {
  it('are all tensors without gradient, and those that the user made', () => {
    const x = leaf([1, 2]);
    expect([x.isLeaf, tensor([1]).isLeaf, x.mul(2).isLeaf, x.detach().isLeaf]).toEqual([true, true, false, true]);
    expect(x.to('float64').isLeaf).toBe(false);
  });

  it('are asked for by floating dtypes only', () => {
    expect(() => tensor([1, 2], { dtype: 'int64', requiresGrad: true })).toThrow(AutogradError);
    expect(() => tensor([1, 2], { dtype: 'int64' }).requiresGrad_()).toThrow(/floating point/);
    expect(() => tensor([true]).requiresGrad_()).toThrow(AutogradError);
  });

  it('give results that require gradients unless the dtype or the mode forbids it', () => {
    const x = leaf([1, 2]);
    expect(x.mul(2).requiresGrad).toBe(true);
    expect([x.gt(1), x.argmax(), x.to('int64')].map((t) => [t.requiresGrad, t.gradFn])).toEqual(Array(3).fill([false, null]));
    expect(noGrad(() => x.mul(2)).requiresGrad).toBe(false);
    expect(noGrad(() => zeros([2], { requiresGrad: true })).requiresGrad).toBe(true);
  });

  it('alone may stop requiring gradients', () => {
    const x = leaf([1, 2]);
    const y = x.mul(2);
    expect(() => y.requiresGrad_(false)).toThrow(/detach/);
    expect(y.requiresGrad_(true)).toBe(y);
    expect(x.requiresGrad_(false).requiresGrad).toBe(false);
  });
});

describe('backward', () => {
  it('accumulates into leaves only, into the same tensor', () => {
    const x = leaf([1, 2]);
    const y = x.mul(3);
    y.sum().backward(undefined, { retainGraph: true });
    const g = x.grad;
    expect([numbers(g), numbers(y.grad)]).toEqual([[3, 3], null]);
    y.sum().backward();
    expect(x.grad).toBe(g);
    expect(numbers(g)).toEqual([6, 6]);
  });

  it('makes another tensor of the sum under createGraph', () => {
    const x = leaf([2]);
    x.mul(x).sum().backward(undefined, { createGraph: true });
    const g = x.grad!;
    expect(g.requiresGrad).toBe(true);
    x.mul(x).sum().backward(undefined, { createGraph: true });
    expect(x.grad).not.toBe(g);
    expect([numbers(g), numbers(x.grad)]).toEqual([[4], [8]]);
  });

  it('wants a gradient for more than one element, of the same shape', () => {
    const x = leaf([1, 2, 3]);
    const y = x.mul(2);
    expect(() => y.backward()).toThrow(/only for scalar outputs/);
    expect(() => y.backward(tensor([1, 2]))).toThrow(ShapeError);
    y.backward(tensor([1, 0, 2], { dtype: 'int64' }));
    expect(numbers(x.grad)).toEqual([2, 0, 4]);
    const one = leaf([[1]]);
    one.mul(3).backward();
    expect(numbers(one.grad)).toEqual([[3]]);
  });

  it('refuses a root without graph', () => {
    expect(() => tensor([1]).backward()).toThrow(/does not require grad/);
    expect(() => noGrad(() => leaf([1]).mul(2)).backward()).toThrow(AutogradError);
  });

  it('refuses a second pass through released values, and says the way out', () => {
    const x = leaf([1, 2]);
    const y = x.exp().sum();
    y.backward();
    expect(() => y.backward()).toThrow(/second time.*retainGraph/);
    expect(numbers(x.grad)).toEqual([Math.fround(Math.E), Math.fround(Math.exp(2))]);
  });

  it('goes a second time where nothing was saved', () => {
    const x = leaf([1, 2]);
    const y = x.add(1).reshape([2, 1]).sum();
    y.backward();
    y.backward();
    expect(numbers(x.grad)).toEqual([2, 2]);
  });

  it('refuses what another root released', () => {
    const x = leaf([1, 2]);
    const shared = x.exp();
    shared.sum().backward();
    expect(() => shared.mul(2).sum().backward()).toThrow(AutogradError);
  });

  it('runs under noGrad, leaves what is unused without gradient, and takes inputs', () => {
    const [x, y] = [leaf([1]), leaf([2])];
    const z = x.mul(3);
    noGrad(() => z.backward(undefined, { retainGraph: true }));
    expect([numbers(x.grad), y.grad]).toEqual([[3], null]);
    z.mul(y).backward(undefined, { inputs: [y] });
    expect([numbers(x.grad), numbers(y.grad)]).toEqual([[3], [3]]);
    expect(() => x.mul(2).backward(undefined, { inputs: [] })).toThrow(ArgumentError);
  });

  it('goes through several roots at once', () => {
    const x = leaf([1, 2]);
    backward([x.mul(2).sum(), x.mul(x)], [undefined, tensor([1, 1])]);
    expect(numbers(x.grad)).toEqual([4, 6]);
  });

  it("gives gradients of the operands' dtype and shape", () => {
    const a = tensor([[1, 2]], { requiresGrad: true });
    const b = tensor([[3], [4]], { dtype: 'float64', requiresGrad: true });
    const s = tensor(2, { requiresGrad: true });
    a.mul(b).mul(s).sum().backward();
    expect([a.grad!.dtype, b.grad!.dtype, a.grad!.shape, b.grad!.shape, s.grad!.shape]).toEqual(['float32', 'float64', [1, 2], [2, 1], []]);
    expect([numbers(a.grad), numbers(b.grad), numbers(s.grad)]).toEqual([[[14, 14]], [[6], [6]], 21]);
    const empty = zeros([0, 3], { requiresGrad: true });
    empty.mul(2).sum().backward();
    expect(empty.grad!.shape).toEqual([0, 3]);
  });

  it.runIf(isThorough)('walks a long chain of functions', () => {
    const x = leaf([1]);
    let y = x;
    for (let i = 0; i < chainLength; i++) y = y.add(x);
    y.backward();
    expect(numbers(x.grad)).toEqual([chainLength + 1]);
  });

  it('stops at detach, and at nothing else that shares the value', () => {
    const x = leaf([3, 4]);
    x.mul(x.detach()).sum().backward();
    expect(numbers(x.grad)).toEqual([3, 4]);
    const y = leaf([3]);
    y.mul(y).backward();
    expect(numbers(y.grad)).toEqual([6]);
  });
});

describe('grad', () => {
  it('touches no .grad and takes an input twice', () => {
    const x = leaf([2]);
    expect(grad(x.mul(x), [x, x]).map(numbers)).toEqual([[4], [4]]);
    expect(x.grad).toBe(null);
  });

  it('says which input was not used, or gives null or zeros for it', () => {
    const [x, y] = [leaf([2]), leaf([1, 2])];
    expect(() => grad(x.mul(2), [x, y])).toThrow(/index 1 .*allowUnused/);
    expect(grad(x.mul(2), [x, y], { allowUnused: true }).map(numbers)).toEqual([[2], null]);
    expect(grad(x.mul(2), [x, y], { materializeGrads: true }).map(numbers)).toEqual([[2], [0, 0]]);
    expect(() => grad(x.mul(2), [y], { materializeGrads: true, allowUnused: false })).toThrow(ArgumentError);
    expect(() => grad(x.mul(2), [tensor([1])])).toThrow(/does not require grad/);
  });

  it.each([false, true])('differentiates again and again, looked at in between: %s', (look) => {
    const x = leaf([2]);
    const seen = <T extends Tensor>(t: T): T => {
      if (look) t.dataSync();
      return t;
    };
    const y = seen(x.pow(4));
    const [first] = grad(y, [x], { createGraph: true }) as [Tensor];
    const [second] = grad(seen(first), [x], { createGraph: true }) as [Tensor];
    const [third] = grad(seen(second), [x]) as [Tensor];
    expect([first, second, third].map(numbers)).toEqual([[32], [48], [48]]);
  });

  it('gives the gradient of a norm of gradients', () => {
    const x = leaf([1, 2]);
    const [g] = grad(x.pow(3).sum(), [x], { createGraph: true }) as [Tensor];
    g.square().sum().backward();
    expect(numbers(x.grad)).toEqual([36, 288]); // d/dx (3x^2)^2 = 36 x^3
  });

  it('differentiates by results of ops', () => {
    const x = leaf([2]);
    const y = x.mul(3);
    expect(grad(y.mul(y), [y]).map(numbers)).toEqual([[12]]);
  });
});

describe('writes in place', () => {
  it('go on with the history of what they replace', () => {
    const x = leaf([1, 2]);
    const y = x.mul(2);
    y.mul_(3);
    y.sum().backward();
    expect(numbers(x.grad)).toEqual([6, 6]);
  });

  it('through a view rewrite the base, and every view looks at it as it is now', () => {
    const x = leaf([1, 2, 3]);
    const y = x.mul(2);
    const tail = y.narrow(0, 1, 2);
    y.indexPut_([0], 10);
    expect(y.gradFn!.name).toBe('CopySlices');
    expect(tail.gradFn!.name).toBe('AsStridedBackward0');
    expect(numbers(y)).toEqual([10, 4, 6]);
    y.sum().backward();
    expect(numbers(x.grad)).toEqual([0, 2, 2]);
  });

  it('of a part carry the gradient of what was written', () => {
    const [x, w] = [leaf([1, 2, 3]), leaf([5])];
    const y = x.mul(2);
    y.narrow(0, 2, 1).copy_(w.mul(w));
    y.mul(tensor([1, 10, 100]))
      .sum()
      .backward();
    expect([numbers(x.grad), numbers(w.grad)]).toEqual([[2, 20, 0], [1000]]);
  });

  it('never corrupt what backward needs', () => {
    const x = leaf([1, 2]);
    const y = x.exp();
    const kept = y.mul(y);
    noGrad(() => y.zero_());
    kept.sum().backward();
    expect((numbers(x.grad) as number[]).map((v) => Math.round(v))).toEqual([15, 109]); // 2 exp(2x)
  });

  it('are refused on leaves and on views of leaves, allowed under noGrad', () => {
    const x = leaf([1, 2]);
    expect(() => x.add_(1)).toThrow(/a leaf tensor that requires grad/);
    expect(() => x.index(0).mul_(2)).toThrow(/a view of a leaf/);
    expect(() => x.indexPut_([range(0, 1)], 5)).toThrow(AutogradError);
    expect(numbers(x)).toEqual([1, 2]);
    noGrad(() => x.add_(1));
    expect([numbers(x), x.isLeaf, x.requiresGrad]).toEqual([[2, 3], true, true]);
  });

  it('under noGrad leave the history as it is', () => {
    const x = leaf([1, 2]);
    const y = x.mul(2);
    const fn = y.gradFn;
    noGrad(() => y.mul_(10));
    expect(y.gradFn).toBe(fn);
    expect(numbers(y)).toEqual([20, 40]);
    y.sum().backward();
    expect(numbers(x.grad)).toEqual([2, 2]);
  });

  it('are refused on views made under noGrad, and on one of several views', () => {
    const x = leaf([1, 2]).mul(1);
    const view = noGrad(() => x.narrow(0, 0, 1));
    expect(() => view.mul_(2)).toThrow(/noGrad/);
    const [part] = x.split(1) as [Tensor, Tensor];
    expect(() => part.mul_(2)).toThrow(/several views/);
  });

  it('may not grow the tensor, and not write one place twice', () => {
    expect(() => ones([1]).add_(ones([2]))).toThrow(ShapeError);
    expect(() => ones([1]).expand([2]).add_(1)).toThrow(/single memory location/);
  });

  it('through a detached tensor are seen, without gradient', () => {
    const x = leaf([1, 2]).mul(1);
    const d = x.detach();
    d.mul_(10);
    expect([numbers(x), d.requiresGrad, x.requiresGrad]).toEqual([[10, 20], false, true]);
    expect(() => x.narrow(0, 0, 1).detach_()).toThrow(/views/);
  });
});

describe('hooks and kept gradients', () => {
  it('run in the order of registration, and see what the last one made', () => {
    const x = leaf([1]);
    const seen: unknown[] = [];
    x.registerHook((g) => void seen.push(numbers(g)));
    x.registerHook((g) => g.mul(2));
    const last = x.registerHook((g) => void seen.push(numbers(g)));
    x.mul(3).backward();
    expect([seen, numbers(x.grad)]).toEqual([[[3], [6]], [6]]);
    last.remove();
    x.mul(3).backward();
    expect([seen.length, numbers(x.grad)]).toEqual([3, [12]]);
  });

  it('refuse what requires no gradient, and a change of size', () => {
    expect(() => tensor([1]).registerHook(() => undefined)).toThrow(AutogradError);
    expect(() => tensor([1]).retainGrad()).toThrow(AutogradError);
    const x = leaf([1, 2]);
    x.registerHook((g) => g.sum());
    expect(() => x.mul(2).sum().backward()).toThrow(/changed the size/);
  });

  it('keep the gradient of a result, after its hooks', () => {
    const x = leaf([1]);
    const y = x.mul(2);
    y.retainGrad();
    y.registerHook((g) => g.mul(10));
    y.mul(3).backward();
    expect([numbers(y.grad), numbers(x.grad)]).toEqual([[30], [60]]);
  });

  it('fire for what was made later first', () => {
    const x = leaf([1]);
    const order: string[] = [];
    const [b, c] = [x.mul(2), x.mul(3)];
    b.registerHook(() => void order.push('b'));
    c.registerHook(() => void order.push('c'));
    b.add(c).backward();
    expect(order).toEqual(['c', 'b']);
  });
});

describe('.grad', () => {
  it('takes only tensors that fit', () => {
    const x = leaf([1, 2]);
    const assign = (g: Tensor) => (): void => {
      x.grad = g;
    };
    expect(assign(tensor([1]))).toThrow(/size \[1\]/);
    expect(assign(tensor([1, 2], { dtype: 'float64' }))).toThrow(/dtype/);
    expect(assign(x)).toThrow(/its own grad/);
    x.grad = tensor([5, 5]);
    x.mul(2).sum().backward();
    expect(numbers(x.grad)).toEqual([7, 7]);
  });
});

describe('the graph', () => {
  it('is walked by nextFunctions, with one accumulator for each leaf', () => {
    const [x, c] = [leaf([1, 2]), tensor([1, 2])];
    const fn = x.mul(c).add(x).gradFn as GradFn;
    const names = fn.nextFunctions.map(([f, i]) => [f?.name ?? null, i]);
    expect([fn.name, names]).toEqual([
      'AddBackward0',
      [
        ['MulBackward0', 0],
        ['AccumulateGrad', 0],
      ],
    ]);
    const [mul, accumulate] = fn.nextFunctions as [readonly [GradFn, number], readonly [GradFn, number]];
    expect(mul[0].nextFunctions).toEqual([
      [accumulate[0], 0],
      [null, 0],
    ]);
    expect(accumulate[0].variable).toBe(x);
  });

  it('names functions as PyTorch does', () => {
    const x = leaf([[1, 2]]);
    const name = (t: Tensor): string => (t.gradFn as GradFn).name;
    expect([x.exp(), x.neg(), x.sub(1), x.div(2), x.tanh(), x.sigmoid(), x.relu(), x.clone()].map(name)).toEqual(
      ['Exp', 'Neg', 'Sub', 'Div', 'Tanh', 'Sigmoid', 'Relu', 'Clone'].map((n) => `${n}Backward0`),
    );
  });
});

describe('modes', () => {
  it('nest, and come back after a throw', () => {
    noGrad(() => {
      expect(isGradEnabled()).toBe(false);
      enableGrad(() => expect(isGradEnabled()).toBe(true));
      setGradEnabled(true, () => expect(isGradEnabled()).toBe(true));
      expect(isGradEnabled()).toBe(false);
    });
    expect(() =>
      noGrad(() => {
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(isGradEnabled()).toBe(true);
  });

  test('a scope refuses an async function', () => {
    expect(() => noGrad((async () => 1) as unknown as () => number)).toThrow(/promise/);
    expect(isGradEnabled()).toBe(true);
  });
});
