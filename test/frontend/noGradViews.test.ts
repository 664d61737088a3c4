// Views made under noGrad, or before their base wanted gradients: what PyTorch says of them.
import { describe, expect, it } from 'vitest';
import { AutogradError, autograd, noGrad, ones, type Tensor } from '../../compiler/index.ts';

const list = (t: Tensor): unknown => t.tolistSync();

describe.each(['a leaf', 'a result'])('a view of %s made under noGrad', (kind) => {
  const made = (): [Tensor, Tensor] => {
    const leaf = ones([2, 2]).requiresGrad_();
    const x = kind === 'a leaf' ? leaf : leaf.mul(1);
    return [x, noGrad(() => x.view([-1]))];
  };

  it('requires grad as its base does, is a leaf, and takes no gradient', () => {
    const [x, v] = made();
    expect([v.requiresGrad, v.isLeaf, v.gradFn]).toEqual([true, true, null]);
    const y = v.mul(2);
    expect(y.requiresGrad).toBe(true);
    expect(y.gradFn!.nextFunctions).toEqual([
      [null, 0],
      [null, 0],
    ]);
    y.sum().backward();
    expect([v.grad, x.isLeaf ? x.grad : null]).toEqual([null, null]);
    expect([v.gt(0).requiresGrad, v.detach().requiresGrad, noGrad(() => v.view([2, 2])).requiresGrad]).toEqual([false, false, true]);
  });

  it('has nothing to be differentiated by', () => {
    const [x, v] = made();
    expect(() => v.backward(ones([4]))).toThrow(/does not require grad and does not have a gradFn/);
    v.index(0).backward();
    const y = v.mul(2).sum();
    expect(autograd.grad(y, v, { allowUnused: true })).toEqual([null]);
    expect(() => autograd.grad(v.mul(2).sum(), [x])).toThrow(AutogradError);
    v.retainGrad();
    const came: Tensor[] = [];
    v.registerHook((g) => void came.push(g));
    v.mul(2).sum().backward();
    expect([came, v.grad]).toEqual([[], null]);
  });

  it('leaves the gradient of its base alone', () => {
    const [x, v] = made();
    x.retainGrad();
    x.view([-1]).mul(v).sum().backward();
    expect(list(x.grad!)).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });

  it('becomes a leaf of its own by requiresGrad_', () => {
    const [x, v] = made();
    v.requiresGrad_().mul(3).sum().backward();
    expect([list(v.grad!), x.isLeaf ? x.grad : null]).toEqual([[3, 3, 3, 3], null]);
  });

  it('and views of it are not to be written while gradients are recorded', () => {
    const [, v] = made();
    for (const write of [() => v.mul_(2), () => v.view([2, 2]).mul_(2), () => v.index(0).fill_(2)]) expect(write).toThrow(AutogradError);
    expect(list(v)).toEqual([1, 1, 1, 1]);
  });

  it('has an undefined history once its storage was written', () => {
    const [x, v] = made();
    noGrad(() => {
      v.mul_(2).add_(1);
      x.mul_(3);
      v.add_(1);
    });
    expect([v.requiresGrad, list(v)]).toEqual([true, [10, 10, 10, 10]]);
    expect(String(v)).toBe('tensor([10., 10., 10., 10.], gradFn=<Invalid>)');
    for (const use of [() => v.mul(3), () => v.view([2, 2]), () => v.gradFn, () => v.isLeaf]) expect(use).toThrow(/created in noGrad mode/);
    expect(list(noGrad(() => v.mul(3)))).toEqual([30, 30, 30, 30]);
    expect(list(v.detach())).toEqual([10, 10, 10, 10]);
    x.square().sum().backward();
    expect(x.isLeaf ? list(x.grad!) : undefined).toEqual(
      x.isLeaf
        ? [
            [20, 20],
            [20, 20],
          ]
        : undefined,
    );
  });
});

describe('a view of a tensor without gradients', () => {
  it('made under noGrad may be written, until a gradient enters', () => {
    const x = ones([4]);
    const v = noGrad(() => x.view([2, 2]));
    v.mul_(2);
    expect(list(x)).toEqual([2, 2, 2, 2]);
    const w = ones([2, 2]).requiresGrad_();
    expect(() => v.mul_(w)).toThrow(/created in noGrad mode/);
    x.mul_(w.view([4]));
    expect(v.requiresGrad).toBe(true);
    expect(() => v.mul(2)).toThrow(/created in noGrad mode/);
  });

  it('requires grad with its base from later on, as a function of it after a write', () => {
    const x = ones([4]);
    const v = x.view([2, 2]);
    x.requiresGrad_();
    expect([v.requiresGrad, v.isLeaf]).toEqual([true, true]);
    v.mul(2).sum().backward();
    expect([v.grad, x.grad]).toEqual([null, null]);
    expect(() => v.mul_(2)).toThrow(/a view of a leaf/);
    noGrad(() => x.mul_(2));
    v.mul(2).sum().backward();
    expect([v.grad, list(x.grad!)]).toEqual([null, [2, 2, 2, 2]]);
  });
});
