// The graph as users walk it, saved values, gradients for many cotangents, and modes.
import { describe, expect, it } from 'vitest';
import { AutogradError, autograd, cat, enableGrad, F, inferenceMode, ones, type Tensor, tensor } from '../../compiler/index.ts';

type GradFn = NonNullable<Tensor['gradFn']>;
const leaf = (...shape: number[]): Tensor => ones(shape, { requiresGrad: true });
const list = (t: Tensor | null): readonly number[] | null => (t === null ? null : [...(t.dataSync() as Float32Array)]);

/** A graph as text; leaves are `Acc`. */
function text(fn: GradFn | null): string {
  if (fn === null) return 'null';
  if (fn.name === 'AccumulateGrad') return 'Acc';
  return `${fn.name}(${fn.nextFunctions.map(([next]) => text(next)).join(', ')})`;
}

describe('the graph of gradients', () => {
  const [x, w, c, x3] = [leaf(4, 3), leaf(5, 3), leaf(5), leaf(2, 4, 3)];
  // As PyTorch 2.14 prints them.
  it.each<[string, () => Tensor, string]>([
    ['linear', () => F.linear(x, w, c), 'AddmmBackward0(Acc, Acc, TBackward0(Acc))'],
    ['linear without bias', () => F.linear(x, w), 'MmBackward0(Acc, TBackward0(Acc))'],
    ['linear of 3 dimensions', () => F.linear(x3, w, c), 'ViewBackward0(AddmmBackward0(Acc, ViewBackward0(Acc), TBackward0(Acc)))'],
    ['linear of 3 dimensions without bias', () => F.linear(x3, w), 'UnsafeViewBackward0(MmBackward0(ViewBackward0(Acc), TBackward0(Acc)))'],
    ['matmul', () => x.matmul(w.t()), 'MmBackward0(Acc, TBackward0(Acc))'],
    ['crossEntropy', () => F.crossEntropy(x, tensor([0, 1, 2, 0], { dtype: 'int64' })), 'NllLossBackward0(LogSoftmaxBackward0(Acc))'],
    ['mseLoss', () => F.mseLoss(x, x), 'MseLossBackward0(Acc, Acc)'],
    ['flatten', () => x3.flatten(1), 'ViewBackward0(Acc)'],
    ['t of reshape', () => x.reshape([3, 4]).t(), 'TBackward0(ViewBackward0(Acc))'],
    ['sum', () => x.sum(), 'SumBackward0(Acc)'],
    ['sum over 0', () => x.sum(0), 'SumBackward1(Acc)'],
    ['mean', () => x.mean(), 'MeanBackward0(Acc)'],
    ['mean over 0', () => x.mean(0), 'MeanBackward1(Acc)'],
    ['max', () => x.max(), 'MaxBackward1(Acc)'],
    ['max over 0', () => x.max(0).values, 'MaxBackward0(Acc)'],
    ['power of a number', () => x.pow(2), 'PowBackward0(Acc)'],
    ['power of a tensor', () => x.pow(x), 'PowBackward1(Acc, Acc)'],
    ['a number added', () => x.add(1), 'AddBackward0(Acc, null)'],
    ['a constant added', () => x.add(ones([3])), 'AddBackward0(Acc, null)'],
    ['gelu', () => F.gelu(x), 'GeluBackward0(Acc)'],
    ['softmax', () => F.softmax(x, 1), 'SoftmaxBackward0(Acc)'],
    ['layerNorm', () => F.layerNorm(x, [3]), 'NativeLayerNormBackward0(Acc, null, null)'],
    ['var', () => x.var(), 'VarBackward0(Acc)'],
    ['std', () => x.std(0), 'StdBackward0(Acc)'],
    ['norm', () => x.norm(), 'LinalgVectorNormBackward0(Acc)'],
    ['logsumexp', () => x.logsumexp(0), 'LogsumexpBackward0(Acc)'],
    ['select', () => x.select(0, 1).select(0, 1), 'SelectBackward0(SelectBackward0(Acc))'],
    ['clamp', () => x.clamp(0, 1), 'ClampBackward1(Acc)'],
    ['unsqueeze', () => x.unsqueeze(0), 'UnsqueezeBackward0(Acc)'],
    ['expand', () => x.expand([2, 4, 3]), 'ExpandBackward0(Acc)'],
    ['permute', () => x.permute([1, 0]), 'PermuteBackward0(Acc)'],
    ['clone', () => x.clone(), 'CloneBackward0(Acc)'],
    ['amax', () => x.amax(0), 'AmaxBackward0(Acc)'],
    ['cumsum', () => x.cumsum(0), 'CumsumBackward0(Acc)'],
    ['cat', () => cat([x, x]), 'CatBackward0(Acc, Acc)'],
    ['conv2d', () => F.conv2d(leaf(1, 1, 4, 4), leaf(1, 1, 2, 2)), 'ConvolutionBackward0(Acc, Acc, null)'],
    ['embedding', () => F.embedding(tensor([1], { dtype: 'int64' }), x), 'EmbeddingBackward0(Acc)'],
    ['dropout', () => F.dropout(x, 0.5), 'MulBackward0(Acc, null)'],
  ])('of %s is that of PyTorch', (_, make, expected) => {
    expect(text(make().gradFn)).toBe(expected);
  });

  it('keeps its names and edges after backward has freed what it saved', () => {
    const y = x.matmul(w.t()).sum();
    y.backward();
    expect(text(y.gradFn)).toBe('SumBackward0(MmBackward0(Acc, TBackward0(Acc)))');
  });

  it('has one accumulating function per leaf, which names the leaf', () => {
    const accumulators = [x.mul(2), x.add(1)].map((t) => t.gradFn!.nextFunctions[0]![0]!);
    expect(accumulators[0]).toBe(accumulators[1]);
    expect(accumulators[0]!.variable).toBe(x);
  });

  it('lets metadata be kept, and functions in between take no hooks', () => {
    const fn = F.linear(x, w, c).gradFn!;
    // biome-ignore lint/complexity/useLiteralKeys: an index signature
    fn.metadata['name'] = 'fc';
    expect(fn.metadata).toEqual({ name: 'fc' });
    expect(() => fn.nextFunctions[2]![0]!.registerHook(() => undefined)).toThrow(AutogradError);
  });

  it('gives what is saved, until it is freed', () => {
    const a = tensor([1, 2], { requiresGrad: true });
    expect(autograd.savedTensors(a.add(1).gradFn!)).toHaveLength(0);
    const y = a.exp();
    expect(autograd.savedTensors(y.gradFn!).map(list)).toEqual([list(y)]);
    const z = a.mul(a.detach().mul(3));
    expect(autograd.savedTensors(z.gradFn!).map(list)).toEqual([[3, 6]]);
    z.sum().backward();
    expect(() => autograd.savedTensors(z.gradFn!)).toThrow(/freed/);
  });
});

describe('grad and backward', () => {
  it('take edges, which outlive changes in place', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const y = x.mul(2);
    const edge = autograd.getGradientEdge(y);
    y.mul_(3);
    expect(autograd.grad(y.sum(), [edge]).map(list)).toEqual([[3, 3]]);
    expect(() => autograd.getGradientEdge(tensor([1]))).toThrow(AutogradError);
  });

  it('give gradients for many cotangents at once', () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    const y = x.mul(x);
    const eye = tensor([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
    for (const createGraph of [false, true]) {
      const [j] = autograd.grad(y, [x], { gradOutputs: [eye], isGradsBatched: true, retainGraph: true, createGraph });
      expect(j!.shape).toEqual([3, 3]);
      expect(list(j!)).toEqual([2, 0, 0, 0, 4, 0, 0, 0, 6]);
      expect(j!.requiresGrad).toBe(createGraph);
    }
  });

  it('accumulate into the named inputs only, leaves or not', () => {
    const [x, z] = [tensor([1], { requiresGrad: true }), tensor([1], { requiresGrad: true })];
    const y = x.mul(2);
    y.mul(z).backward(undefined, { inputs: [y, z] });
    expect([x.grad, y.grad, z.grad].map(list)).toEqual([null, [1], [2]]);
  });
});

describe('inference mode', () => {
  it('makes tensors that take no part in gradients', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const [made, view, inner] = inferenceMode(() => [ones([2]), x.view([2]), enableGrad(() => x.mul(2))] as const);
    expect([made, view, inner].map((t) => t.isInference())).toEqual([true, false, true]);
    expect(inner.requiresGrad).toBe(false);
    expect([made.view([2]), made.add(1), made.clone()].map((t) => t.isInference())).toEqual([true, false, false]);
    expect(() => made.add_(1)).toThrow(AutogradError);
    expect(() => made.requiresGrad_()).toThrow(AutogradError);
    expect(() => x.mul(made)).toThrow(/cannot be saved/);
    expect(x.add(made).requiresGrad).toBe(true);
    inferenceMode(() => void made.add_(1));
    expect(list(made)).toEqual([2, 2]);
  });
  it('refuses promises', () => {
    expect(() => inferenceMode((async () => 1) as never)).toThrow(AutogradError);
  });
});
