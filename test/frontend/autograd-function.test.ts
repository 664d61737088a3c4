// Custom functions: both forms, what backward may return, and what is refused.
import { describe, expect, it } from 'vitest';
import { ArgumentError, AutogradError, autograd, type Context, isGradEnabled, type Tensor, tensor } from '../../compiler/index.ts';

const { Function: CustomFunction } = autograd;
const leaf = (data: readonly number[]): Tensor => tensor(data, { requiresGrad: true });
const list = (t: Tensor | null): readonly number[] | null => (t === null ? null : [...(t.dataSync() as Float32Array)]);

class Square extends CustomFunction {
  static forward(ctx: Context, x: Tensor): Tensor {
    ctx.saveForBackward(x);
    return x.mul(x);
  }
  static backward(ctx: Context, g: Tensor): Tensor {
    return g.mul(2).mul(ctx.savedTensors[0]!);
  }
}

class Exp extends CustomFunction {
  static forward(x: Tensor): Tensor {
    return x.exp();
  }
  static setupContext(ctx: Context, _inputs: readonly [Tensor], output: Tensor): void {
    ctx.saveForBackward(output);
  }
  static backward(ctx: Context, g: Tensor): Tensor {
    return g.mul(ctx.savedTensors[0]!);
  }
}

/** A function of one tensor whose backward is given. */
function withBackward(
  backward: (ctx: Context, ...g: Tensor[]) => unknown,
  forward = (_: Context, x: Tensor): Tensor | Tensor[] => x.mul(2),
) {
  return class Given extends CustomFunction {
    static forward(ctx: Context, x: Tensor): Tensor | Tensor[] {
      return forward(ctx, x);
    }
    static backward(ctx: Context, ...g: Tensor[]): unknown {
      return backward(ctx, ...g);
    }
  };
}

describe('a custom function', () => {
  it('is differentiated by its backward, in both forms, once and twice', () => {
    for (const [f, first, second] of [
      [(x: Tensor) => Square.apply(x), 6, 2],
      [(x: Tensor) => Exp.apply(x), Math.exp(3), Math.exp(3)],
    ] as const) {
      const x = leaf([3]);
      const y = f(x);
      const [g] = autograd.grad(y, [x], { createGraph: true });
      expect(list(g!)![0]).toBeCloseTo(first, 4);
      const [h] = autograd.grad(g!, [x]);
      expect(list(h!)![0]).toBeCloseTo(second, 4);
    }
  });

  it('appears under its name, with an edge for each tensor among its arguments', () => {
    class Scaled extends CustomFunction {
      static forward(_: Context, x: Tensor, k: number, y: Tensor): Tensor {
        return x.mul(k).mul(y);
      }
      static backward(_: Context, g: Tensor): unknown {
        return [g, null, g];
      }
    }
    const x = leaf([1]);
    const { gradFn } = Scaled.apply(x, 2, tensor([1]));
    expect(gradFn!.name).toBe('ScaledBackward');
    expect(gradFn!.nextFunctions.map(([fn]) => fn?.name ?? null)).toEqual(['AccumulateGrad', null]);
  });

  it('runs forward without recording, and backward in the mode of createGraph', () => {
    const modes: boolean[] = [];
    const f = withBackward(
      (_, g) => {
        modes.push(isGradEnabled());
        return g;
      },
      (ctx, x) => {
        modes.push(isGradEnabled(), ...ctx.needsInputGrad);
        return x.mul(2);
      },
    );
    const x = leaf([1]);
    const y = f.apply(x) as Tensor;
    autograd.grad(y, [x], { retainGraph: true });
    autograd.grad(y, [x], { createGraph: true });
    expect(modes).toEqual([false, true, false, true]);
  });

  it('gets zeros for results without a gradient, or null if it asks for that', () => {
    const seen: unknown[] = [];
    const run = (materialize: boolean): void => {
      const f = withBackward(
        (_, ...g) => {
          seen.push(g.map(list));
          return g[0];
        },
        (ctx, x) => {
          ctx.setMaterializeGrads(materialize);
          return [x.mul(2), x.mul(3)];
        },
      );
      const [y] = f.apply(leaf([1, 2])) as Tensor[];
      y!.sum().backward();
    };
    run(true);
    run(false);
    expect(seen).toEqual([
      [
        [1, 1],
        [0, 0],
      ],
      [[1, 1], null],
    ]);
  });

  it('passes no gradient through results that it marks', () => {
    const f = withBackward(
      (_, g) => g,
      (ctx, x) => {
        const [y, z] = [x.mul(2), x.mul(3)];
        ctx.markNonDifferentiable(z);
        return [y, z];
      },
    );
    const [y, z] = f.apply(leaf([1])) as Tensor[];
    expect([y!.requiresGrad, z!.requiresGrad]).toEqual([true, false]);
  });

  it('may change a result of an op in place', () => {
    const f = withBackward(
      (_, g) => g.mul(5),
      (ctx, x) => {
        ctx.markDirty(x);
        return x.mul_(5);
      },
    );
    const x = leaf([1, 2]);
    const y = x.mul(2);
    expect(f.apply(y)).toBe(y);
    y.sum().backward();
    expect(list(x.grad)).toEqual([10, 10]);
    expect(() => f.apply(leaf([1]))).toThrow(/leaf tensor that requires grad/);
  });

  it('that returns an argument as it is gives another tensor', () => {
    const f = withBackward(
      (_, g) => g.mul(7),
      (_, x) => x,
    );
    const x = leaf([1]);
    const y = f.apply(x) as Tensor;
    expect(y).not.toBe(x);
    y.backward();
    expect(list(x.grad)).toEqual([7]);
  });

  it('may return gradients of an expanded shape or of another dtype', () => {
    const x = leaf([1, 2, 3]);
    (withBackward((_, g) => g.expand([2, 3]).to('float64')).apply(x) as Tensor).sum().backward();
    expect(list(x.grad)).toEqual([2, 2, 2]);
    expect(x.grad!.dtype).toBe('float32');
    (withBackward((_, g) => [g, null, null]).apply(x) as Tensor).sum().backward();
    expect(list(x.grad)).toEqual([3, 3, 3]);
    const z = leaf([1]);
    (withBackward(() => null).apply(z) as Tensor).backward();
    expect(z.grad).toBeNull();
  });

  it('is refused with a wrong number, shape or kind of gradients', () => {
    const failing = (returned: unknown) => () => (withBackward(() => returned).apply(leaf([1, 2, 3])) as Tensor).sum().backward();
    expect(failing([])).toThrow(/expected 1, got 0/);
    expect(failing([tensor([1, 2, 3]), tensor([1])])).toThrow(AutogradError);
    expect(failing(tensor([1, 2]))).toThrow(/invalid gradient at index 0/);
    expect(failing(1.5)).toThrow(ArgumentError);
  });

  it('is refused without a backward, only once that is needed', () => {
    class Forward extends CustomFunction {
      static forward(_: Context, x: Tensor): Tensor {
        return x.mul(2);
      }
    }
    const y = Forward.apply(leaf([1]));
    expect(() => y.backward()).toThrow(/implement the backward/);
  });

  it('gives up what it saved once backward ran', () => {
    const y = Square.apply(leaf([2]));
    y.backward();
    expect(() => y.backward()).toThrow(/second time/);
    const ctx = withBackward(
      (_, g) => g,
      (context, x) => {
        context.saveForBackward(3 as never);
        return x;
      },
    );
    expect(() => ctx.apply(leaf([1]))).toThrow(ArgumentError);
  });

  it('that is once differentiable refuses to be differentiated again', () => {
    class Once extends CustomFunction {
      static forward(ctx: Context, x: Tensor): Tensor {
        ctx.saveForBackward(x);
        return x.mul(x);
      }
      static backward = autograd.onceDifferentiable((ctx, g: Tensor) => g.mul(2).mul(ctx.savedTensors[0]!));
    }
    const x = leaf([3]);
    const [g] = autograd.grad(Once.apply(x), [x], { createGraph: true });
    expect(list(g!)).toEqual([6]);
    expect(() => autograd.grad(g!, [x])).toThrow(/onceDifferentiable/);
  });
});
