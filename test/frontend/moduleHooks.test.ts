// Hooks of modules: PyTorch's order, what they may replace, and that compiled code notices them.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { compile, func, nn, ones, type Tensor, tensor, zeros } from '../../compiler/index.ts';
import { ArgumentError, AutogradError, KeyError } from '../../runtime/errors.ts';

class Scale extends nn.Module {
  factor: nn.Parameter;
  constructor(by: number) {
    super();
    this.factor = new nn.Parameter(tensor([by]));
  }
  forward(x: Tensor): Tensor {
    return x.mul(this.factor);
  }
}
const list = (t: Tensor | null | undefined): unknown => t?.tolistSync() ?? null;
const leaf = (...values: number[]): Tensor => tensor(values, { requiresGrad: true });
let said: string[];
const say = (text: string) => (): void => void said.push(text);
beforeEach(() => {
  said = [];
});
afterEach(() => vi.restoreAllMocks());

describe('forward hooks', () => {
  test('run in the order of registration around forward, prepended ones first, and not once removed', () => {
    const m = new Scale(2);
    m.registerForwardPreHook(say('pre 1'));
    m.registerForwardPreHook(say('pre 2'), { prepend: true });
    m.registerForwardHook(say('post 1'));
    const handle = m.registerForwardHook(say('post 2'));
    m.registerForwardHook(say('post 3'), { prepend: true });
    m(ones([1]));
    expect(said).toEqual(['pre 2', 'pre 1', 'post 3', 'post 1', 'post 2']);
    handle.remove();
    handle.remove();
    said = [];
    m(ones([1]));
    expect(said).toEqual(['pre 2', 'pre 1', 'post 3', 'post 1']);
    m.forward(ones([1]));
    expect(said).toHaveLength(4);
  });
  test('see the module, its arguments and its result, and replace them for those that come after', () => {
    const m = new Scale(2);
    m.registerForwardPreHook((module, [x]) => {
      expect(module).toBe(m);
      return x.add(1);
    });
    m.registerForwardPreHook((_, [x]) => [x.mul(10)]);
    m.registerForwardHook((module, [x], y) => {
      expect([module === m, list(x), list(y)]).toEqual([true, [20], [40]]);
      return y.add(1);
    });
    m.registerForwardHook((_, __, y) => void expect(list(y)).toEqual([41]));
    expect(list(m(ones([1])))).toEqual([41]);
  });
  test('that alwaysCall run when forward throws, each once, and the error stays', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    class Failing extends nn.Module {
      forward(_: Tensor): Tensor {
        throw new RangeError('forward failed');
      }
    }
    const m = new Failing();
    m.registerForwardHook(say('plain'));
    m.registerForwardHook((_, __, y) => void said.push(`always ${String(y)}`), { alwaysCall: true });
    m.registerForwardHook(
      () => {
        throw new Error('mine');
      },
      { alwaysCall: true },
    );
    expect(() => m(ones([1]))).toThrow('forward failed');
    expect(said).toEqual(['always undefined']);
    expect(warn).toHaveBeenCalledWith(expect.stringMatching(/silenced.*mine/));

    const later = new Scale(1);
    later.registerForwardHook(say('first'), { alwaysCall: true });
    later.registerForwardHook(() => {
      throw new Error('hook failed');
    });
    said = [];
    expect(() => later(ones([1]))).toThrow('hook failed');
    expect(said).toEqual(['first']);
  });
  test('for all modules come before those of the module, and end when removed', () => {
    const model = new nn.Sequential(new Scale(2), new Scale(3));
    const handles = [
      nn.registerModuleForwardPreHook((m) => void said.push(`all pre ${(m as object).constructor.name}`)),
      nn.registerModuleForwardHook(say('all post')),
    ];
    model.registerForwardPreHook(say('own pre'), { prepend: true });
    model(ones([1]));
    expect(said).toEqual(['all pre Sequential', 'own pre', 'all pre Scale', 'all post', 'all pre Scale', 'all post', 'all post']);
    for (const h of handles) h.remove();
    said = [];
    model(ones([1]));
    expect(said).toEqual(['own pre']);
  });
  test('that are no functions are refused', () => {
    expect(() => new Scale(1).registerForwardHook(3 as never)).toThrow(ArgumentError);
    expect(() => new Scale(1).registerForwardPreHook(null as never)).toThrow(/a hook is a function, not null/);
  });
});

describe('backward hooks', () => {
  test('run in the order forward-pre, forward, backward-pre, backward', () => {
    const m = new Scale(3);
    m.registerFullBackwardHook(say('backward'));
    m.registerFullBackwardPreHook(say('backward pre'));
    m.registerForwardHook(say('forward'));
    m.registerForwardPreHook(say('forward pre'));
    m(leaf(1, 2)).sum().backward();
    expect(said).toEqual(['forward pre', 'forward', 'backward pre', 'backward']);
  });
  test('see gradients in the places of arguments and results', () => {
    class Two extends nn.Module {
      forward(x: Tensor, n: number, y: Tensor): Tensor[] {
        return [x.mul(n), y.mul(x)];
      }
    }
    const m = new Two();
    const seen: unknown[] = [];
    m.registerFullBackwardHook((module, gradInput, gradOutput) => {
      expect(module).toBe(m);
      seen.push(gradInput.map(list), gradOutput.map(list));
    });
    const [x, y] = [leaf(2), tensor([5])];
    const [p] = m(x, 3, y);
    p!.mul(7).backward();
    expect(seen).toEqual([
      [[21], null, null],
      [[7], null],
    ]);
    expect(list(x.grad)).toEqual([21]);
  });
  test('replace gradients: the pre-hook those that come in, the hook those that go out', () => {
    const m = new Scale(3);
    m.registerFullBackwardPreHook((_, [g]) => [g!.mul(10)]);
    m.registerFullBackwardPreHook((_, [g]) => g!.add(1));
    m.registerFullBackwardHook((_, [g], [out]) => {
      expect(list(out)).toEqual([11]);
      return [g!.add(100)];
    });
    const x = leaf(2);
    m(x).backward();
    expect(list(x.grad)).toEqual([133]);
    expect(list(m.factor.grad)).toEqual([22]);
  });
  test('run once for each call of the module', () => {
    const m = new Scale(3);
    m.registerFullBackwardHook((_, [g]) => void said.push(String(list(g))));
    m(m(leaf(1))).backward();
    expect(said).toEqual(['3', '9']);
  });
  test('run for createGraph, and in the second backward once more', () => {
    const m = new Scale(3);
    m.registerFullBackwardHook(say('backward'));
    const x = leaf(2);
    m(x).square().backward(undefined, { createGraph: true });
    expect(said).toEqual(['backward']);
    const g = x.grad!;
    x.grad = null;
    g.backward();
    expect(list(x.grad)).toEqual([18]);
  });
  test('run where no argument requires gradients, and must then leave them', () => {
    const m = new Scale(3);
    m.registerFullBackwardHook((_, gradInput, gradOutput) => void said.push(JSON.stringify([gradInput, gradOutput.map(list)])));
    m(ones([1])).backward();
    expect(said).toEqual(['[[null],[[1]]]']);
    m.registerFullBackwardHook((_, __, out) => out);
    expect(() => m(ones([1])).backward()).toThrow(/must not return gradients/);
  });
  test('are refused what does not fit, and results that hold no tensors are warned of', () => {
    const m = new Scale(3);
    const handle = m.registerFullBackwardHook(() => []);
    expect(() => m(leaf(1)).backward()).toThrow(/a backward hook returned an invalid number of gradients: got 0, but expected 1/);
    handle.remove();
    m.registerFullBackwardPreHook(() => [null, null]);
    expect(() => m(leaf(1)).backward()).toThrow(AutogradError);
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    class Named extends nn.Module {
      forward(x: Tensor): { y: Tensor } {
        return { y: x.mul(2) };
      }
    }
    const named = new Named();
    named.registerFullBackwardHook(say('backward'));
    named(leaf(1)).y.backward();
    expect(warn).toHaveBeenCalledWith(expect.stringMatching(/should be a tensor or a list of tensors/));
    expect(said).toEqual([]);
  });
  test('of all modules come first', () => {
    const m = new Scale(3);
    m.registerFullBackwardHook(say('own'));
    m.registerFullBackwardPreHook(say('own pre'));
    const handles = [nn.registerModuleFullBackwardHook(say('all')), nn.registerModuleFullBackwardPreHook(say('all pre'))];
    m(leaf(1)).backward();
    for (const h of handles) h.remove();
    expect(said).toEqual(['all pre', 'own pre', 'all', 'own']);
  });
  test('leave what is written in place as it is', () => {
    class Adding extends nn.Module {
      forward(x: Tensor): Tensor {
        return x.add_(1).mul(x);
      }
    }
    const m = new Adding();
    m.registerFullBackwardHook((_, [g]) => void said.push(String(list(g))));
    const x = leaf(2);
    const y = x.mul(1);
    m(y).backward();
    expect([list(x.grad), list(y), said]).toEqual([[6], [3], ['6']]);
  });
  test('are refused under a transform, as in PyTorch', () => {
    const m = new Scale(3);
    m.registerFullBackwardHook(say('backward'));
    expect(() => func.grad((x: Tensor) => m(x).sum())(ones([1]))).toThrow(/backward hooks of modules are not called under grad/);
  });
});

describe('compiled code', () => {
  test('is recorded again when a hook comes or goes, on the module or on all', () => {
    const m = new Scale(2);
    const step = compile((x: Tensor) => m(x).detach());
    const x = ones([1]);
    expect(list(step(x))).toEqual([2]);
    expect(list(step(x))).toEqual([2]);
    expect(step.traces()).toBe(1);
    const handle = m.registerForwardHook((_, __, y) => y.add(5));
    expect(list(step(x))).toEqual([7]);
    expect(list(step(x))).toEqual([7]);
    expect(step.traces()).toBe(2);
    handle.remove();
    expect(list(step(x))).toEqual([2]);
    const all = nn.registerModuleForwardPreHook((_, [y]) => (y as Tensor).mul(10));
    expect(list(step(x))).toEqual([20]);
    all.remove();
    expect(list(step(x))).toEqual([2]);
    const other = new Scale(1);
    const traces = step.traces();
    other.registerForwardHook(say('other'));
    step(x);
    expect(step.traces()).toBe(traces);
  });
  test('has what backward hooks make of gradients', () => {
    const m = new Scale(2);
    m.registerFullBackwardPreHook((_, [g]) => [g!.mul(10)]);
    const step = compile((x: Tensor) => {
      m.zeroGrad();
      m(x).sum().backward();
    });
    for (const n of [1, 2, 3]) {
      step(tensor([n, n]));
      expect(list(m.factor.grad)).toEqual([20 * n]);
    }
    expect(step.traces()).toBe(1);
  });
});

describe('state dict hooks', () => {
  class Net extends nn.Module {
    inner = new Scale(2);
    mask = this.registerBuffer('mask', ones([2]));
    forward(x: Tensor): Tensor {
      return this.inner(x).mul(this.mask);
    }
  }
  test('run before a module is written and after its children are, and may change the dict', () => {
    const net = new Net();
    net.registerStateDictPreHook((_, prefix) => void said.push(`pre '${prefix}'`));
    net.inner.registerStateDictPreHook((_, prefix) => void said.push(`pre '${prefix}'`));
    net.inner.registerStateDictPostHook((module, dict, prefix) => {
      said.push(`post '${prefix}'`);
      expect(module).toBe(net.inner);
      dict[`${prefix}extra`] = zeros([1]);
    });
    net.registerStateDictPostHook((_, dict, prefix) => {
      said.push(`post '${prefix}' ${Object.keys(dict)}`);
      delete dict.mask;
    });
    expect(Object.keys(net.stateDict())).toEqual(['inner.factor', 'inner.extra']);
    expect(said).toEqual(["pre ''", "pre 'inner.'", "post 'inner.'", "post '' mask,inner.factor,inner.extra"]);
  });
  test('before loading may rename what is there, in a copy', () => {
    const net = new Net();
    const old = { 'old.factor': tensor([7]), mask: zeros([2]) };
    net.registerLoadStateDictPreHook((_, dict, prefix) => {
      dict[`${prefix}inner.factor`] = dict[`${prefix}old.factor`]!;
      delete dict[`${prefix}old.factor`];
    });
    net.inner.registerLoadStateDictPreHook((_, dict, prefix) => void said.push(`${prefix} ${Object.keys(dict)}`));
    expect(net.loadStateDict(old)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(list(net.inner.factor)).toEqual([7]);
    expect(Object.keys(old)).toEqual(['old.factor', 'mask']);
    expect(said).toEqual(['inner. mask,inner.factor']);
  });
  test('after loading see what is there, children first, and may forgive names', () => {
    const net = new Net();
    net.inner.registerLoadStateDictPostHook((module) => void said.push(String(list((module as Scale).factor))));
    const handle = net.registerLoadStateDictPostHook((_, names) => {
      said.push(`${names.missingKeys} ${names.unexpectedKeys}`);
      names.missingKeys.length = 0;
    });
    net.loadStateDict({ 'inner.factor': tensor([9]) });
    expect(said).toEqual(['9', 'mask ']);
    handle.remove();
    expect(() => net.loadStateDict({ 'inner.factor': tensor([4]) })).toThrow(KeyError);
    expect(list(net.inner.factor)).toEqual([9]);
  });
});
