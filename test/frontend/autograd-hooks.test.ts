// Hooks of every kind, in PyTorch's order.
import { describe, expect, it } from 'vitest';
import { ArgumentError, AutogradError, autograd, type Tensor, tensor } from '../../compiler/index.ts';

const leaf = (data: readonly number[]): Tensor => tensor(data, { requiresGrad: true });
const list = (t: Tensor | null): readonly number[] | null => (t === null ? null : [...(t.dataSync() as Float32Array)]);

describe('hooks on tensors and functions', () => {
  it('run on the tensor, then before the function, then after it, then on the leaf and after accumulation', () => {
    const log: string[] = [];
    const x = leaf([1, 2]);
    const y = x.mul(3);
    x.registerPostAccumulateGradHook(() => void log.push('post-acc'));
    x.registerHook(() => void log.push('leaf-tensor'));
    y.gradFn!.registerHook(() => void log.push('node-post'));
    y.gradFn!.registerPrehook(() => void log.push('node-pre'));
    y.registerHook(() => void log.push('tensor'));
    y.sum().backward();
    expect(log).toEqual(['tensor', 'node-pre', 'node-post', 'leaf-tensor', 'post-acc']);
  });

  it('see what earlier hooks returned; a kept gradient is that after all tensor hooks and before those of the function', () => {
    const x = leaf([1, 2]);
    const y = x.mul(3);
    y.retainGrad();
    const seen: unknown[] = [];
    y.registerHook((g) => g.mul(2));
    y.registerHook((g) => void seen.push(list(g)));
    y.gradFn!.registerPrehook(([g]) => [g!.mul(10)]);
    y.gradFn!.registerHook((inputs, outputs) => void seen.push(inputs.map(list), outputs.map(list)));
    y.mul(y).sum().backward();
    expect(seen).toEqual([[12, 24], [[360, 720]], [[120, 240]]]);
    expect(list(y.grad)).toEqual([12, 24]);
    expect(list(x.grad)).toEqual([360, 720]);
  });

  it('of the function that accumulates run around the accumulation', () => {
    const log: unknown[] = [];
    const x = leaf([1, 2]);
    const y = x.mul(2);
    const [accumulator] = y.gradFn!.nextFunctions[0]!;
    accumulator!.registerHook((inputs, outputs) => void log.push(['post', inputs.map(list), outputs.map(list)]));
    accumulator!.registerPrehook((grads) => void log.push(['pre', grads.map(list)]));
    x.registerPostAccumulateGradHook((t) => void log.push(['accumulated', list(t.grad)]));
    x.registerHook(() => void log.push('leaf'));
    y.sum().backward();
    expect(log).toEqual(['leaf', ['pre', [[2, 2]]], ['accumulated', [2, 2]], ['post', [], [[2, 2]]]]);
    log.length = 0;
    autograd.grad(x.mul(2).sum(), [x]);
    expect(log).toEqual(['leaf']);
  });

  it('stay with the function that they were registered on, while a kept gradient moves on', () => {
    const x = leaf([1]);
    const y = x.mul(2);
    const seen: unknown[] = [];
    y.registerHook((g) => void seen.push(list(g)));
    y.retainGrad();
    y.mul_(3);
    y.sum().backward();
    expect(seen).toEqual([[3]]);
    expect(list(y.grad)).toEqual([1]);
    expect(y.retainsGrad).toBe(true);
  });

  it('may be removed, one at a time', () => {
    let count = 0;
    const x = leaf([1]);
    const hook = (): void => void count++;
    const first = x.registerHook(hook);
    x.registerHook(hook);
    first.remove();
    first.remove();
    x.mul(2).backward();
    expect(count).toBe(1);
  });

  it('run later-made functions first', () => {
    const log: string[] = [];
    const a = leaf([1]);
    const b = a.mul(2);
    const c = a.mul(3);
    b.registerHook(() => void log.push('b'));
    c.registerHook(() => void log.push('c'));
    b.add(c).backward();
    expect(log).toEqual(['c', 'b']);
  });

  it('that return rubbish are refused', () => {
    const failing = (hook: (g: Tensor) => unknown): (() => void) => {
      const x = leaf([1, 2]);
      x.registerHook(hook as never);
      return () => x.sum().backward();
    };
    expect(failing(() => 3)).toThrow(ArgumentError);
    expect(failing((g) => g.sum())).toThrow(/changed the size/);
    expect(failing((g) => g.to('float64'))).toThrow(AutogradError);
    expect(() => leaf([1]).registerHook(3 as never)).toThrow(ArgumentError);
    expect(() => tensor([1]).registerHook(() => undefined)).toThrow(AutogradError);
    const y = leaf([1]).mul(2);
    expect(() => y.registerPostAccumulateGradHook(() => undefined)).toThrow(/non-leaf/);
    y.gradFn!.registerPrehook(() => []);
    expect(() => y.backward()).toThrow(/number of gradients/);
  });
});

describe('hooks on several gradients', () => {
  it('are called once, with null for tensors that take no part', () => {
    const [x, y] = [leaf([1, 2]), leaf([3])];
    const seen: unknown[] = [];
    const handle = autograd.registerMultiGradHook([x, y], (grads) => void seen.push(grads.map(list)));
    x.mul(2).sum().backward();
    x.sum().mul(y).backward();
    handle.remove();
    x.sum().backward();
    expect(seen).toEqual([
      [[2, 2], null],
      [[3, 3], [3]],
    ]);
  });
  it('in the mode any get the first gradient', () => {
    const [x, y] = [leaf([1]), leaf([3])];
    const seen: unknown[] = [];
    autograd.registerMultiGradHook([x, y], (g) => void seen.push(list(g)), 'any');
    x.mul(y).backward();
    expect(seen).toHaveLength(1);
  });
});
