// gradcheck finds gradients that are wrong, and says so in a form that shows where.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { GradcheckError, gradcheck, gradgradcheck } from '../../../compiler/frontend/autograd/gradcheck.ts';
import { autograd, type Context, F, noGrad, randn, type Tensor } from '../../../compiler/index.ts';
import { f64 } from './near.ts';

const leaf = (...values: number[]): Tensor => f64(values).requiresGrad_();
/** x² with half of its gradient. */
const wrong = (x: Tensor): Tensor => x.mul(x.detach());
/** x² whose first derivative is right and whose second is not. */
const wrongTwice = (x: Tensor): Tensor => x.mul(x.detach().mul(2)).sub(noGrad(() => x.mul(x)));

describe('a wrong gradient', () => {
  test('is shown beside the numerical one', () => {
    expect(() => gradcheck(wrong, [leaf(1, 2)])).toThrow(
      /^gradcheck: Jacobian mismatch for output 0 with respect to input 0,\nnumerical:tensor\(\[\[2\.0000, 0\.0000\],\n +\[0\.0000, 4\.0000\]\], dtype=float64\)\nanalytical:tensor\(\[\[1\., 0\.\],\n +\[0\., 2\.\]\], dtype=float64\)\n/,
    );
    expect(() => gradcheck(wrong, [leaf(1, 2)])).toThrow(GradcheckError);
  });
  test('is told of by false where asked for', () => {
    expect(gradcheck(wrong, [leaf(1, 2)], { raiseException: false })).toBe(false);
  });
  test('is found in fast mode, and reported element by element', () => {
    expect(() => gradcheck(wrong, [leaf(1, 2, 3)], { fastMode: true })).toThrow(
      /Jacobian mismatch for output 0 with respect to input 0,\nnumerical:/,
    );
  });
  test('is found at the output and input that it belongs to', () => {
    expect(() => gradcheck((x, y) => [x.add(y), x.mul(wrong(y))], [leaf(1), leaf(2)])).toThrow(/for output 1 with respect to input 1/);
  });
  test('of second order is found by gradgradcheck only', () => {
    expect(gradcheck(wrongTwice, [leaf(1, 2)])).toBe(true);
    expect(() => gradgradcheck(wrongTwice, [leaf(1, 2)])).toThrow(/^gradgradcheck: Jacobian mismatch/);
  });
  test('where the result claims to have none', () => {
    expect(() => gradcheck((x) => [x.mul(2), x.detach()], [leaf(1)])).toThrow(/numerical gradient for function expected to be zero/);
  });
});

describe('a right gradient', () => {
  test('passes, in every way to look at it', () => {
    const f = (x: Tensor, y: Tensor): Tensor[] => [x.sin().mul(y.sum()), y.exp()];
    const inputs = [leaf(1, 2), leaf(0.3, -0.7)];
    expect(gradcheck(f, inputs, { checkForwardAd: true, checkBatchedGrad: true })).toBe(true);
    expect(gradcheck(f, inputs, { fastMode: true })).toBe(true);
    expect(gradgradcheck(f, inputs)).toBe(true);
  });
  test('integer outputs and inputs without gradient are left alone', () => {
    expect(gradcheck((x, y) => [x.mul(y), x.argmax()], [leaf(1, 2), f64([3, 4])])).toBe(true);
  });
  test('of inputs that are results of other functions', () => {
    expect(gradcheck((x) => x.mul(x), [leaf(1, 2).mul(3)])).toBe(true);
  });
});

/** x² and 3x, with derivatives that can be replaced. */
class Pair extends autograd.Function {
  static generateVmapRule = true;
  static forward(x: Tensor): Tensor[] {
    return [x.mul(x), x.mul(3)];
  }
  static setupContext(ctx: Context, [x]: readonly [Tensor], _: readonly Tensor[]): void {
    ctx.saveForBackward(x);
    ctx.setMaterializeGrads(false);
  }
  static backward(ctx: Context, g: Tensor | null, h: Tensor | null): Tensor | null {
    const terms = [g?.mul(ctx.savedTensors[0]!).mul(2), h?.mul(3)].filter((t) => t !== undefined);
    return terms.length === 0 ? null : terms.reduce((s, t) => s.add(t));
  }
  static jvp(ctx: Context, t: Tensor): Tensor[] {
    return [t.mul(ctx.savedTensors[0]!).mul(2), t.mul(3)];
  }
}
const all = { checkForwardAd: true, checkBatchedGrad: true, checkBatchedForwardGrad: true, checkGradDtypes: true };

describe('a custom function', () => {
  test('passes with all options', () => {
    const pair = (x: Tensor): Tensor[] => Pair.apply(x);
    expect(gradcheck(pair, [leaf(1, 2)], all)).toBe(true);
    expect(gradcheck(pair, [leaf(1, 2)], { ...all, fastMode: true })).toBe(true);
    expect(gradgradcheck(pair, [leaf(1, 2)], undefined, { checkRevOverRev: true })).toBe(true);
  });
  test('that cannot do without a gradient throws what it throws', () => {
    class Demanding extends Pair {
      static override backward(ctx: Context, g: Tensor | null, h: Tensor | null): Tensor {
        return g!.mul(ctx.savedTensors[0]!).mul(2).add(h!.mul(3));
      }
    }
    expect(() => gradcheck((x) => Demanding.apply(x), [leaf(1, 2)])).toThrow(TypeError);
  });
  test('whose backward is not linear is found', () => {
    class Affine extends Pair {
      static override backward(_: Context, g: Tensor | null, h: Tensor | null): Tensor {
        const sum = (g ?? h!).mul(0);
        return sum.add(7);
      }
    }
    expect(gradcheck((x) => Affine.apply(x)[1]!.mul(7 / 3), [leaf(1)], { checkUndefinedGrad: false })).toBe(true);
    expect(() => gradcheck((x) => Affine.apply(x)[1]!.mul(7 / 3), [leaf(1)])).toThrow(
      /backward is not multiplied by the gradients of the outputs.*7/,
    );
  });
  test('with a wrong jvp is found in forward mode only, in fast mode too', () => {
    class Wrong extends Pair {
      static override jvp(_: Context, t: Tensor): Tensor[] {
        return [t.mul(5), t.mul(3)];
      }
    }
    const f = (x: Tensor): Tensor[] => Wrong.apply(x);
    expect(gradcheck(f, [leaf(1, 2)])).toBe(true);
    expect(() => gradcheck(f, [leaf(1, 2)], { checkForwardAd: true })).toThrow(
      /Jacobian mismatch in forward mode for output 0 with respect to input 0/,
    );
    expect(() => gradcheck(f, [leaf(1, 2)], { checkForwardAd: true, fastMode: true })).toThrow(/Jacobian mismatch in forward mode/);
    expect(() => gradcheck(f, [leaf(1, 2)], { checkForwardAd: true, checkBackwardAd: false })).toThrow(/in forward mode/);
  });
  test('with a wrong backward passes where only forward mode is checked', () => {
    class Wrong extends Pair {
      static override backward(_: Context, g: Tensor | null, h: Tensor | null): Tensor {
        return (g ?? h!).mul(5);
      }
    }
    const f = (x: Tensor): Tensor[] => Wrong.apply(x);
    expect(() => gradcheck(f, [leaf(1, 2)])).toThrow(/Jacobian mismatch for output 0/);
    expect(gradcheck(f, [leaf(1, 2)], { checkForwardAd: true, checkBackwardAd: false })).toBe(true);
  });
});

test('the report ends with the element that is furthest off', () => {
  expect(() => gradcheck((x) => wrong(x).sum(), [leaf(1, 2, 3)])).toThrow(/furthest apart at \[0,2\]: numerical [56]\.?\d*, analytical 3/);
});

test('second derivatives are checked in forward mode where asked for', () => {
  expect(gradgradcheck((x) => x.sin(), [leaf(1, 2)], undefined, { checkFwdOverRev: true })).toBe(true);
  expect(() => gradgradcheck(wrongTwice, [leaf(1, 2)], undefined, { checkFwdOverRev: true, checkRevOverRev: false })).toThrow(
    /in forward mode/,
  );
});

test('gradients have the dtypes of their inputs, whatever was computed with them', () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  const single = leaf(1, 2).to('float32').detach().requiresGrad_();
  expect(gradcheck((x, y) => x.mul(y), [leaf(1, 2), single], { checkGradDtypes: true, eps: 1e-2, atol: 1e-2 })).toBe(true);
  vi.restoreAllMocks();
});

describe('gradcheck refuses', () => {
  test('options that contradict each other', () => {
    const check = (options: object) => () => gradcheck((x) => x.mul(2), [leaf(1)], options);
    expect(check({ checkBackwardAd: false })).toThrow(/at least one of backward and forward mode/);
    expect(check({ checkBatchedForwardGrad: true })).toThrow(/checkBatchedForwardGrad needs checkForwardAd/);
    expect(check({ checkForwardAd: true, checkBackwardAd: false, checkBatchedGrad: true })).toThrow(
      /checkBatchedGrad needs checkBackwardAd/,
    );
  });
  afterEach(() => vi.restoreAllMocks());
  test('functions that draw', () => {
    expect(() => gradcheck((x) => F.dropout(x, 0.5), [randn([64], { dtype: 'float64' }).requiresGrad_()])).toThrow(
      /the function is not deterministic: output 0 differs between two runs/,
    );
  });
  test('gradients that differ from one backward to the next', () => {
    let times = 1;
    const moody = (x: Tensor): Tensor => {
      const y = x.mul(1);
      y.registerHook((g) => g.mul(times++));
      return y;
    };
    expect(() => gradcheck(moody, [leaf(1)])).toThrow(/backward is not reentrant/);
    times = 1;
    expect(() => gradcheck(moody, [leaf(1)], { nondetTol: 10 })).toThrow(/Jacobian mismatch/);
  });
  test('inputs none of which requires grad', () => {
    expect(() => gradcheck((x) => x, [f64([1])])).toThrow(/expects at least one input tensor to require gradient/);
  });
  test('what is no function or no tensor', () => {
    expect(() => gradcheck(3 as never, [leaf(1)])).toThrow(/expected a function, got number/);
    expect(() => gradcheck((x) => x, [3] as never)).toThrow(/expected a tensor or a list of tensors/);
  });
  test('nothing in float32, but warns', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    expect(gradcheck((x) => x.mul(2), [leaf(1).to('float32').detach().requiresGrad_()], { eps: 1e-2, atol: 1e-2 })).toBe(true);
    expect(warn).toHaveBeenCalledWith(expect.stringMatching(/input #0 requires gradient and is not float64/));
  });
});
