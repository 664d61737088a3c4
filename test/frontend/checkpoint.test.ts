// Checkpoints within one Program: what they save of memory, what they compute again for it, and what hooks and policies see of them.
import { describe, expect, it, vi } from 'vitest';
import { autograd, compile, func, manualSeed, randn, type Tensor, tensor } from '../../compiler/index.ts';
import { watch } from '../../compiler/inspect/index.ts';
import { launchesOf, type Program } from '../../runtime/program.ts';

const [width, batch, depth] = [16, 64, 16];
type Layer = (x: Tensor) => Tensor;

/** A deep MLP whose parameters are captured by its layers, as those of modules are. */
function deep(): { readonly weights: readonly Tensor[]; readonly layers: readonly Layer[]; readonly x: Tensor } {
  manualSeed(0);
  const weights = Array.from({ length: depth }, () => randn([width, width]).mul(0.3).detach().requiresGrad_());
  const x = randn([batch, width]);
  for (const t of [x, ...weights]) t.dataSync();
  return { weights, x, layers: weights.map((w) => (t: Tensor) => t.matmul(w).tanh()) };
}

/** Gradients of all weights, and the Program that computed them. */
function trained(run: (layers: readonly Layer[], x: Tensor) => Tensor): { readonly grads: readonly number[][]; readonly program: Program } {
  const { weights, layers, x } = deep();
  const watched = watch();
  const loss = run(layers, x).square().mean();
  const grads = autograd.grad(loss, weights).map((g) => g!);
  grads[0]!.dataSync();
  watched.stop();
  const program = watched
    .programs()
    .map((p) => p.program())
    .reduce((a, p) => (launchesOf(p.steps).length > launchesOf(a.steps).length ? p : a));
  return { grads: grads.map((g) => [...(g.dataSync() as Float32Array)]), program };
}

const plainly = (layers: readonly Layer[], x: Tensor): Tensor => layers.reduce((t, layer) => layer(t), x);
const inSegments = (segments: number) => (layers: readonly Layer[], x: Tensor) => autograd.checkpointSequential(layers, segments, x);

describe('a deep MLP', () => {
  const plain = trained(plainly);
  const checkpointed = trained(inSegments(4));

  it('takes less than six tenths of the memory in four checkpointed segments', () => {
    expect(checkpointed.program.arenaBytes).toBeLessThan(0.6 * plain.program.arenaBytes);
  });

  it('computes three of the segments twice', () => {
    expect(launchesOf(checkpointed.program.steps).length - launchesOf(plain.program.steps).length).toBeGreaterThanOrEqual(
      ((depth / 4) * 3) / 2,
    );
  });

  it('gets the same gradients to the last bit', () => {
    expect(checkpointed.grads).toEqual(plain.grads);
  });

  it('whose checkpoints hold checkpoints gets them too', () => {
    const nested = trained((layers, x) =>
      autograd.checkpoint(
        (t: Tensor) => autograd.checkpointSequential(layers.slice(8), 2, autograd.checkpointSequential(layers.slice(0, 8), 2, t)),
        x,
      ),
    );
    expect(nested.grads).toEqual(plain.grads);
  });

  it('takes more memory where a policy keeps the products', () => {
    const keeping = trained((layers, x) =>
      autograd.checkpointSequential(layers, 4, x, { policy: (op) => (op === 'tanh' ? 'mustSave' : 'preferRecompute') }),
    );
    expect(keeping.grads).toEqual(plain.grads);
    expect(keeping.program.arenaBytes).toBeGreaterThan(checkpointed.program.arenaBytes);
    expect(launchesOf(keeping.program.steps).length).toBeLessThan(launchesOf(checkpointed.program.steps).length);
  });

  it('has them in compiled code, in each call', () => {
    const { weights, layers, x } = deep();
    const step = compile((t: Tensor) => autograd.grad(inSegments(4)(layers, t).square().mean(), weights));
    for (let i = 0; i < 3; i++) expect(step(x).map((g) => [...(g!.dataSync() as Float32Array)])).toEqual(plain.grads);
  });
});

describe('under a transform, a deep MLP', () => {
  const transformed = (run: (layers: readonly Layer[], x: Tensor) => Tensor): { readonly grad: number[]; readonly program: Program } => {
    const { layers, x } = deep();
    const watched = watch();
    const g = func.grad((t: Tensor) => run(layers, t).square().mean())(x);
    const grad = [...(g.dataSync() as Float32Array)];
    watched.stop();
    return { grad, program: watched.programs().at(-1)!.program() };
  };
  const plain = transformed(plainly);
  const checkpointed = transformed(inSegments(4));

  it('takes less memory in checkpointed segments, computes more, and gets the same gradient', () => {
    expect(checkpointed.grad).toEqual(plain.grad);
    expect(checkpointed.program.arenaBytes).toBeLessThan(0.7 * plain.program.arenaBytes);
    expect(launchesOf(checkpointed.program.steps).length).toBeGreaterThan(launchesOf(plain.program.steps).length);
  });

  it('gives an operand that stands twice all of its gradient', () => {
    const g = func.grad((t: Tensor) => autograd.checkpoint((x: Tensor, y: Tensor) => x.mul(y.exp()).sum(), t, t))(tensor([0, 1]));
    const expected = func.grad((t: Tensor) => t.mul(t.exp()).sum())(tensor([0, 1]));
    expect([...g.dataSync()]).toEqual([...expected.dataSync()]);
  });

  it('has the same forward derivative and the same batch', () => {
    const { layers, x } = deep();
    const run = inSegments(4);
    const list = (t: Tensor): number[] => [...(t.dataSync() as Float32Array)];
    const along = (f: (t: Tensor) => Tensor): number[] => list(func.jvp(f, [x], [x])[1]);
    expect(along((t) => run(layers, t))).toEqual(along((t) => plainly(layers, t)));
    expect(list(func.vmap((t: Tensor) => run(layers, t))(x))).toEqual(list(func.vmap((t: Tensor) => plainly(layers, t))(x)));
  });
});

describe('a checkpoint', () => {
  it('is differentiated twice', () => {
    const x = tensor([0.5, -1], { requiresGrad: true, dtype: 'float64' });
    const second = (f: (t: Tensor) => Tensor): number[] => {
      const [g] = autograd.grad(f(x).sum(), [x], { createGraph: true });
      const [h] = autograd.grad(g!.square().sum(), [x]);
      return [...(h!.dataSync() as Float64Array)];
    };
    const f = (t: Tensor): Tensor => t.exp().mul(t).sin();
    expect(second((t) => autograd.checkpoint(f, t))).toEqual(second(f));
  });

  it('hands its arguments, and what its policy keeps, to the hooks around it', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const seen: string[] = [];
    const y = autograd.savedTensorsHooks(
      (t, { savedBy, madeBy }) => {
        seen.push(`${savedBy} ${madeBy}`);
        return [...(t.dataSync() as Float32Array)];
      },
      (data) => tensor(data),
      () =>
        autograd
          .checkpointWith({ policy: (op) => (op === 'exp' ? 'mustSave' : 'preferRecompute') }, (t: Tensor) => t.exp().sin().sin(), x)
          .sum(),
    );
    y.backward();
    expect(seen).toEqual(['checkpoint AccumulateGrad', 'checkpoint exp', 'checkpoint exp']);
    const plain = tensor([1, 2], { requiresGrad: true });
    plain.exp().sin().sin().sum().backward();
    expect([...x.grad!.dataSync()]).toEqual([...plain.grad!.dataSync()]);
  });

  it('shows in a print of what is saved as its arguments', () => {
    const print = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    const x = tensor([1, 2], { requiresGrad: true });
    const f = (t: Tensor): Tensor => t.exp().sin().sin().sin();
    autograd.printSavedResiduals((t: Tensor) => f(t), x);
    autograd.printSavedResiduals((t: Tensor) => autograd.checkpoint(f, t), x);
    const [plain, checkpointed] = print.mock.calls.map(([text]) => String(text));
    print.mockRestore();
    expect(plain).toMatch(/\n3 values, 24 bytes$/);
    expect(checkpointed).toMatch(
      /^float32\[2\] {2}8 bytes {2}made by AccumulateGrad, saved by checkpoint at checkpoint\.test\.ts:\d+\n1 values, 8 bytes$/,
    );
  });
});
