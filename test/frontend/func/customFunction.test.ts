// Custom functions under transforms: their own backward, jvp and vmap are what is used, however the transforms nest.
import { describe, expect, test } from 'vitest';
import { autograd, type Context, compile, func, ones, stack, type Tensor, tensor } from '../../../compiler/index.ts';
import { AutogradError } from '../../../runtime/errors.ts';
import { elements, expectNear, f64 } from './near.ts';

/** x³, whose derivatives are off by a factor of 10 each, so that one sees whose they are. */
class Cube extends autograd.Function {
  static generateVmapRule = true;
  static forward(x: Tensor): Tensor {
    return x.mul(x).mul(x);
  }
  static setupContext(ctx: Context, [x]: readonly [Tensor], _: Tensor): void {
    ctx.saveForBackward(x);
    ctx.saveForForward(x);
  }
  static backward(ctx: Context, g: Tensor): Tensor {
    const [x] = ctx.savedTensors as [Tensor];
    return g.mul(x).mul(x).mul(30);
  }
  static jvp(ctx: Context, t: Tensor): Tensor {
    const [x] = ctx.savedTensors as [Tensor];
    return t.mul(x).mul(x).mul(300);
  }
}
const cube = (x: Tensor): Tensor => Cube.apply(x);
const x = f64([1, 2]);

describe('a Function', () => {
  test('keeps its backward under grad, vjp and jacrev, and its jvp under jvp, linearize and jacfwd', () => {
    expect(elements(func.grad((v: Tensor) => cube(v).sum())(x))).toEqual([30, 120]);
    const [y, pull] = func.vjp(cube, [x]);
    expect([elements(y), elements(pull(f64([1, 10]))[0])]).toEqual([
      [1, 8],
      [30, 1200],
    ]);
    expect(elements(func.jacrev(cube)(x))).toEqual([30, 0, 0, 120]);
    expect(elements(func.jvp(cube, [x], [f64([1, 1])])[1])).toEqual([300, 1200]);
    expect(elements(func.linearize(cube, [x])[1](f64([1, 2])))).toEqual([300, 2400]);
    expect(elements(func.jacfwd(cube)(x))).toEqual([300, 0, 0, 1200]);
  });
  test('is differentiated again through what its backward does', () => {
    // backward gives 30x², whose derivative is plain.
    expect(
      elements(
        func.grad((v: Tensor) =>
          func
            .grad((u: Tensor) => cube(u).sum())(v)
            .sum(),
        )(x),
      ),
    ).toEqual([60, 120]);
    expect(elements(func.hessian((v: Tensor) => cube(v).sum())(x))).toEqual([60, 0, 0, 120]);
    expect(elements(func.jacrev(func.jacrev((v: Tensor) => cube(v).sum()))(x))).toEqual([60, 0, 0, 120]);
    expect(elements(func.jacfwd(func.jacfwd((v: Tensor) => cube(v).sum()))(x))).toEqual([600, 0, 0, 1200]);
    expect(elements(func.hvp((v: Tensor) => cube(v).sum(), [x], [f64([1, 10])])[0])).toEqual([60, 1200]);
  });
  test('runs over a batch by its generated rule, in either order with grad', () => {
    const many = f64([
      [1, 2],
      [3, 4],
    ]);
    expect(elements(func.vmap(cube)(many))).toEqual([1, 8, 27, 64]);
    expect(elements(func.vmap(func.grad((v: Tensor) => cube(v).sum()))(many))).toEqual([30, 120, 270, 480]);
    expect(elements(func.grad((v: Tensor) => func.vmap(cube)(v).sum())(many))).toEqual([30, 120, 270, 480]);
    expect(elements(func.vmap(func.vmap(cube))(many))).toEqual([1, 8, 27, 64]);
    expect(elements(func.grad((v: Tensor) => func.vmap(func.vmap(cube))(v).sum())(many))).toEqual([30, 120, 270, 480]);
    expect(elements(func.jvp(func.vmap(cube), [many], [many])[1])).toEqual([300, 2400, 8100, 19200]);
    expect(elements(func.vmap(func.hessian((v: Tensor) => cube(v).sum()))(many))).toEqual([60, 0, 0, 120, 180, 0, 0, 240]);
    const leaf = many.clone().requiresGrad_();
    func.vmap(cube)(leaf).sum().backward();
    expect(elements(leaf.grad!)).toEqual([30, 120, 270, 480]);
  });
  test('works inside compile, and with a transform inside of it', () => {
    const step = compile((v: Tensor) => func.grad((u: Tensor) => cube(u).sum())(v));
    for (const n of [1, 2, 3]) expect(elements(step(f64([n])))).toEqual([30 * n * n]);
    expect(step.traces()).toBe(1);
    expect(elements(func.grad((v: Tensor) => compile((u: Tensor) => cube(u))(v).sum())(x))).toEqual([30, 120]);
  });
  test('is recorded as one node, which is its body once nothing is to be differentiated', () => {
    expect(elements(func.vmap((v: Tensor) => cube(v).add(1))(x))).toEqual([2, 9]);
  });
});

class Product extends autograd.Function {
  static generateVmapRule = true;
  static needs: unknown[] = [];
  static forward(a: Tensor, n: number, c: Tensor): Tensor[] {
    return [a.mul(c).mul(n), a.add(c)];
  }
  static setupContext(ctx: Context, [a, n, c]: readonly [Tensor, number, Tensor], [, sum]: readonly Tensor[]): void {
    ctx.saveForBackward(a, c, sum!);
    ctx.n = n;
    ctx.scaled = c.mul(2);
    Product.needs.push(ctx.needsInputGrad);
  }
  static backward(ctx: Context, g: Tensor, h: Tensor): (Tensor | null)[] {
    const [a, c] = ctx.savedTensors as [Tensor, Tensor];
    const n = ctx.n as number;
    return [g.mul(c).mul(n).add(h), null, g.mul(a).mul(n).add(h)];
  }
  static jvp(ctx: Context, s: Tensor, _: null, t: Tensor): Tensor[] {
    const [a, c] = ctx.savedTensors as [Tensor, Tensor];
    const n = ctx.n as number;
    return [
      s
        .mul(ctx.scaled as Tensor)
        .div(2)
        .mul(n)
        .add(t.mul(a).mul(n)),
      s.add(t).add(c.mul(0)),
    ];
  }
}
const product = (a: Tensor, c: Tensor): Tensor[] => Product.apply(a, 3, c);

describe('arguments and results', () => {
  const [a, c] = [f64([1, 2]), f64([3, 4])];
  test('several of them, with a number among them, differentiate as they should', () => {
    const plain = (p: Tensor, q: Tensor): Tensor[] => [p.mul(q).mul(3), p.add(q)];
    for (const transform of [func.jacrev, func.jacfwd]) {
      const [mine, theirs] = [product, plain].map((f) => transform(f, { argnums: [0, 1] })(a, c) as unknown as Tensor[][]);
      for (const i of [0, 1]) for (const j of [0, 1]) expectNear(mine![i]![j]!, elements(theirs![i]![j]!));
    }
    const loss = (f: typeof plain) => (p: Tensor, q: Tensor) => {
      const [u, v] = f(p, q) as [Tensor, Tensor];
      return u.mul(v).sum();
    };
    for (const argnums of [[0], [1], [0, 1]]) {
      const [mine, theirs] = [product, plain].map((f) => func.hessian(loss(f), { argnums })(a, c) as unknown as Tensor[][]);
      for (const [i, row] of theirs!.entries()) for (const [j, t] of row.entries()) expectNear(mine![i]![j]!, elements(t));
    }
  });
  test('of which one is the same for all examples', () => {
    const many = f64([
      [1, 2],
      [5, 6],
      [7, 8],
    ]);
    const loss = (p: Tensor, q: Tensor): Tensor =>
      func
        .vmap(product, { inDims: [0, null] })(p, q)[0]!
        .sum();
    const [dp, dq] = func.grad(loss, { argnums: [0, 1] })(many, c);
    expect(elements(dp)).toEqual([9, 12, 9, 12, 9, 12]);
    expect(elements(dq)).toEqual([39, 48]);
  });
  test('need gradients as the transforms around ask for them', () => {
    const needs = (f: () => unknown): unknown => {
      Product.needs = [];
      f();
      return Product.needs;
    };
    const sum = (p: Tensor, q: Tensor): Tensor => product(p, q)[0]!.sum();
    expect(needs(() => func.grad(sum)(a, c))).toEqual([[true, false, false]]);
    expect(needs(() => func.grad(sum, { argnums: [0, 1] })(a, c))).toEqual([[true, false, true]]);
    expect(needs(() => func.vmap(sum)(a, c))).toEqual([[false, false, false]]);
    expect(needs(() => func.jvp(sum, [a, c], [a, c]))).toEqual([[false, false, false]]);
    expect(needs(() => func.vmap(func.grad(sum))(a.unsqueeze(0), c.unsqueeze(0)))).toEqual([[true, false, false]]);
    expect(
      needs(() =>
        func.grad((p: Tensor) =>
          func
            .vmap((q: Tensor) => sum(p, q))(c.unsqueeze(0))
            .sum(),
        )(a),
      ),
    ).toEqual([[true, false, false]]);
    expect(needs(() => func.grad((p: Tensor) => sum(p.detach(), p.mul(2)))(a))).toEqual([[false, false, true]]);
    const leaf = c.clone().requiresGrad_();
    expect(needs(() => func.vmap(sum)(a, leaf))).toEqual([[false, false, true]]);
  });
  test('that backward reads from outside keep their place', () => {
    const factor = f64([7, 8]);
    class Scaled extends autograd.Function {
      static generateVmapRule = true;
      static forward(v: Tensor): Tensor {
        return v.mul(factor).mul(2);
      }
      static setupContext(): void {}
      static backward(_: Context, g: Tensor): Tensor {
        return g.mul(factor).add(0.5);
      }
    }
    const f = (v: Tensor): Tensor => (Scaled.apply as unknown as (v: Tensor) => Tensor).call(Scaled, v);
    expect(elements(f(x))).toEqual([14, 32]);
    expect(elements(func.grad((v: Tensor) => f(v).sum())(x))).toEqual([7.5, 8.5]);
    expect(elements(func.vmap(func.grad((v: Tensor) => f(v).sum()))(stack([x, x])))).toEqual([7.5, 8.5, 7.5, 8.5]);
    expect(elements(func.jacrev(f)(x))).toEqual([7.5, 0.5, 0.5, 8.5]);
  });
  test('written in place, and results without gradient', () => {
    class Doubled extends autograd.Function {
      static generateVmapRule = true;
      static forward(v: Tensor): Tensor {
        return v.mul_(2);
      }
      static setupContext(ctx: Context, [v]: readonly [Tensor], _: Tensor): void {
        ctx.markDirty(v);
      }
      static backward(_: Context, g: Tensor): Tensor {
        return g.mul(10);
      }
    }
    const f = (v: Tensor): Tensor => {
      const y = v.mul(1);
      const z = Doubled.apply(y);
      expect(z).toBe(y);
      return y.add(z).sum();
    };
    expect(elements(func.grad(f)(x))).toEqual([20, 20]);
    expect(elements(func.vmap(f)(x))).toEqual([4, 8]);

    class Twice extends autograd.Function {
      static forward(v: Tensor): Tensor[] {
        return [v.mul(2), v.mul(3)];
      }
      static setupContext(ctx: Context, _: readonly [Tensor], [, second]: readonly Tensor[]): void {
        ctx.markNonDifferentiable(second!);
      }
      static backward(_: Context, g: Tensor, h: Tensor): Tensor {
        return g.mul(10).add(h.mul(1000));
      }
      static jvp(_: Context, t: Tensor): (Tensor | null)[] {
        return [t.mul(10), null];
      }
    }
    const g = (v: Tensor): Tensor => {
      const [p, q] = Twice.apply(v) as [Tensor, Tensor];
      return p.add(q).sum();
    };
    expect(elements(func.grad(g)(x))).toEqual([10, 10]);
    expect(func.jvp(g, [x], [x]).map(elements)).toEqual([[15], [30]]);
  });
});

describe('a vmap method', () => {
  const calls: unknown[] = [];
  class Swapped extends autograd.Function {
    static forward(p: Tensor, q: Tensor): Tensor {
      return p.mul(q);
    }
    static setupContext(ctx: Context, [p, q]: readonly [Tensor, Tensor], _: Tensor): void {
      ctx.saveForBackward(p, q);
    }
    static backward(ctx: Context, g: Tensor): Tensor[] {
      const [p, q] = ctx.savedTensors as [Tensor, Tensor];
      return [g.mul(q).mul(10), g.mul(p).mul(10)];
    }
    static vmap(info: object, inDims: readonly (number | null)[], p: Tensor, q: Tensor): [Tensor, number] {
      calls.push([info, inDims, p.shape, q.shape]);
      return [Swapped.apply(p, inDims[1] === null ? q.unsqueeze(0) : q).transpose(0, 1), 1];
    }
  }
  const many = f64([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  const f = (p: Tensor): Tensor => Swapped.apply(p, x);
  test('is told the size, the randomness and which arguments are mapped, and says where the batch is', () => {
    calls.length = 0;
    expect(elements(func.vmap(f, { randomness: 'same' })(many))).toEqual([1, 4, 3, 8, 5, 12]);
    expect(calls).toEqual([[{ batchSize: 3, randomness: 'same' }, [0, null], [3, 2], [2]]]);
  });
  test('differentiates by the functions that it calls, under grad and beneath it', () => {
    expect(elements(func.grad((p: Tensor) => func.vmap(f)(p).sum())(many))).toEqual([10, 20, 10, 20, 10, 20]);
    expect(elements(func.vmap(func.grad((p: Tensor) => f(p).sum()))(many))).toEqual([10, 20, 10, 20, 10, 20]);
    expect(elements(func.vmap(func.vmap((p: Tensor) => Swapped.apply(p, p)))(f64([[[1, 2]], [[3, 4]]])))).toEqual([1, 4, 9, 16]);
  });
  test('is refused where it returns something else', () => {
    const returning = (value: unknown) => {
      class Odd extends Cube {
        static override generateVmapRule = false;
        static vmap(): unknown {
          return value;
        }
      }
      return () => func.vmap((v: Tensor) => Odd.apply(v))(x);
    };
    expect(returning(x)).toThrow(/expected the vmap method to return two things/);
    expect(returning([[x, x], 0])).toThrow(/vmap returned 2 tensors for 1 results/);
    expect(returning([ones([3]).to('float64'), 0])).toThrow(/returned a result of shape \[3\]/);
  });
});

describe('what is missing is asked for only when it is needed', () => {
  class Bare extends autograd.Function {
    static forward(v: Tensor): Tensor {
      return v.mul(2);
    }
    static setupContext(): void {}
  }
  const bare = (v: Tensor): Tensor => (Bare.apply as unknown as (v: Tensor) => Tensor).call(Bare, v);
  test('backward, jvp, vmap', () => {
    expect(() => func.grad((v: Tensor) => bare(v).sum())(x)).toThrow(/Bare.*: you must implement the backward \(or vjp\) method/);
    expect(() => func.jvp(bare, [x], [x])).toThrow(/Bare: you must implement the jvp function/);
    expect(() => func.vmap(bare)(x)).toThrow(/you tried to vmap over Bare, but it does not have vmap support; .*generateVmapRule/);
    expect(() => func.grad((v: Tensor) => bare(v.detach()).sum().add(v.sum()))(x)).not.toThrow();
  });
  test('setupContext', () => {
    class Combined extends autograd.Function {
      static forward(_: Context, v: Tensor): Tensor {
        return v;
      }
      static backward(_: Context, g: Tensor): Tensor {
        return g;
      }
    }
    expect(() => func.grad((v: Tensor) => Combined.apply(v).sum())(x)).toThrow(/needs setupContext/);
  });
  test('one of vmap and generateVmapRule', () => {
    class Both extends Cube {
      static vmap(): unknown {
        return [x, 0];
      }
    }
    expect(() => func.vmap((v: Tensor) => Both.apply(v))(x)).toThrow(/has both generateVmapRule and a vmap method/);
  });
  test('the second derivative of onceDifferentiable', () => {
    class Once extends Cube {
      static override backward = autograd.onceDifferentiable((ctx, g: Tensor) => g.mul(ctx.savedTensors[0]!).mul(30));
    }
    const once = (v: Tensor): Tensor => Once.apply(v).sum();
    expect(elements(func.grad(once)(x))).toEqual([30, 60]);
    expect(elements(func.vmap(func.grad(once))(stack([x, x])))).toEqual([30, 60, 30, 60]);
    expect(() => func.grad((v: Tensor) => func.grad(once)(v).sum())(x)).toThrow(AutogradError);
    expect(() => func.hessian(once)(x)).toThrow(/marked with onceDifferentiable/);
  });
  test('gradients and tangents that do not fit are refused', () => {
    class Wrong extends Cube {
      static override backward(_: Context, __: Tensor): Tensor {
        return tensor([1, 2, 3]);
      }
      static override jvp(_: Context, __: Tensor): Tensor {
        return tensor([1, 2, 3]);
      }
    }
    const wrong = (v: Tensor): Tensor => Wrong.apply(v);
    expect(() => func.vjp(wrong, [x])[1](x)).toThrow(/invalid gradient at index 0/);
    expect(() => func.jvp(wrong, [x], [x])).toThrow(/jvp returned a tangent of shape \[3\] at index 0, where the result has shape \[2\]/);
  });
});
