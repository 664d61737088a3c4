// Functional transforms: what each computes, that they nest, and that autograd and compile go on from their results.
import { describe, expect, test } from 'vitest';
import { onRun } from '../../../compiler/frontend/boundary.ts';
import * as func from '../../../compiler/frontend/func/index.ts';
import { compile, enableGrad, F, noGrad, ones, rand, randn, type Tensor, tensor, zeros } from '../../../compiler/index.ts';
import { elements, expectNear, f64, runs } from './near.ts';

const x = f64([0.5, -1.2, 2]);
const cube = (a: Tensor): Tensor => a.mul(a).mul(a);

describe('grad', () => {
  test('is the gradient of a scalar function', () => {
    expectNear(func.grad((a: Tensor) => a.sin().sum())(x), [0.5, -1.2, 2].map(Math.cos));
  });
  test('nests', () => {
    const third = func.grad((a: Tensor) => func.grad((c: Tensor) => func.grad((d: Tensor) => cube(d).mul(d))(c))(a));
    expectNear(third(f64(2)), [48]);
  });
  test('takes several arguments, as the positions say', () => {
    const f = (a: Tensor, c: Tensor, factor: number): Tensor => a.mul(c).mul(factor).sum();
    const [da, dc] = func.grad(f, { argnums: [0, 1] })(x, x.mul(2), 3);
    expectNear(da, [3, -7.2, 12]);
    expectNear(dc, [1.5, -3.6, 6]);
    expectNear(func.grad(f, { argnums: -2 })(x, x.mul(2), 3) as Tensor, [1.5, -3.6, 6]);
  });
  test('takes and gives trees', () => {
    const model = { layers: [{ w: f64([2, 3]) }], b: f64(1) };
    const g = func.grad((p: typeof model, a: Tensor) => p.layers[0]!.w.mul(a).sum().add(p.b.mul(p.b)))(model, f64([5, 7]));
    expectNear(g.layers[0]!.w, [5, 7]);
    expectNear(g.b, [2]);
  });
  test('gives the auxiliary value', () => {
    const [g, aux] = func.grad((a: Tensor) => [a.mul(a).sum(), { doubled: a.mul(2), note: 'seen' }] as const, { hasAux: true })(x);
    expectNear(g, [1, -2.4, 4]);
    expectNear(aux.doubled, [1, -2.4, 4]);
    expect(aux.note).toBe('seen');
    const [gradient, [value, same]] = func.gradAndValue((a: Tensor) => [a.mul(a).sum(), a] as const, { hasAux: true })(x) as unknown as [
      Tensor,
      [Tensor, Tensor],
    ];
    expectNear(gradient, [1, -2.4, 4]);
    expectNear(value, [0.25 + 1.44 + 4]);
    expectNear(same, [0.5, -1.2, 2]);
  });
  test('is zero for arguments that play no part', () => {
    expectNear(func.grad((_: Tensor, c: Tensor) => c.sum())(x, x), [0, 0, 0]);
  });
});

describe('grad modes', () => {
  const square = (a: Tensor): Tensor => a.mul(a);
  test('noGrad inside is respected', () => {
    expectNear(func.grad((a: Tensor) => noGrad(() => square(a)))(f64(3)), [0]);
    expectNear(func.grad((a: Tensor) => square(a).sub(noGrad(() => a.reshape([1]).sum())))(f64(3)), [6]);
    expectNear(func.grad((a: Tensor) => noGrad(() => enableGrad(() => square(a))))(f64(3)), [6]);
  });
  test('noGrad outside is ignored', () => {
    const g = noGrad(() => func.grad(square)(f64(3)));
    expectNear(g, [6]);
    expect(g.requiresGrad).toBe(false);
  });
  test('noGrad around an inner transform cuts the outer one', () => {
    expectNear(func.grad((a: Tensor) => a.mul(noGrad(() => func.grad(cube)(a))))(f64(2)), [12]);
  });
  test('detach() stops every mode', () => {
    const f = (a: Tensor): Tensor => a.mul(a.detach());
    expectNear(func.grad(f)(f64(3)), [3]);
    expectNear(func.jvp(f, [f64(3)], [f64(1)])[1], [3]);
    expectNear(func.grad((a: Tensor) => func.vmap(f)(a).sum())(x), elements(x));
  });
  test('noGrad leaves forward mode alone', () => {
    expectNear(func.jvp((a: Tensor) => a.mul(noGrad(() => square(a))), [f64(3)], [f64(1)])[1], [27]);
  });
  test('writes under noGrad change values and keep the history', () => {
    const f = (a: Tensor): Tensor => {
      const c = a.mul(2);
      noGrad(() => void c.mul_(10));
      return c.mul(c);
    };
    expectNear(func.grad(f)(f64(3)), [240]);
  });
});

describe('inside of a transform', () => {
  test('writes in place and through views are functional', () => {
    const f = (a: Tensor): Tensor => {
      const c = a.mul(2);
      c.mul_(a);
      c.index(0).add_(a.index(0));
      c.reshape([3, 1]).select(0, 1).zero_();
      return c.sum();
    };
    expectNear(func.grad(f)(x), [3, 0, 8]);
    expectNear(x, [0.5, -1.2, 2]);
  });
  test('views of the outside are captured with their history', () => {
    const w = f64([
      [1, 2, 3],
      [4, 5, 6],
    ]).requiresGrad_();
    const row = w.select(0, 1);
    const y = func.grad((a: Tensor) => a.mul(a).mul(w.select(0, 0)).mul(row).sum())(x);
    expectNear(y, [4, -24, 72]);
    y.sum().backward();
    expectNear(w.grad!, [4, -12, 24, 1, -4.8, 12]);
  });
  test('constants made inside are constants', () => {
    expectNear(
      func.grad((a: Tensor) =>
        a
          .mul(tensor([1, 2, 3], { dtype: 'float64' }))
          .mul(4)
          .sum(),
      )(x),
      [4, 8, 12],
    );
  });
  test('what does not depend on the arguments may be looked at', () => {
    const w = f64([3]).requiresGrad_();
    const g = func.grad((a: Tensor) => (w.mul(2).itemSync() > 5 && ones([2]).sum().itemSync() === 2 ? a.mul(w).sum() : a.sum()))(x);
    expectNear(g, [3, 3, 3]);
  });
  test('printing a tensor says what it is', () => {
    let text = '';
    func.vmap((a: Tensor) => {
      text = `${a}`;
      return a;
    })(ones([2, 3]));
    expect(text).toBe('tensor([3], dtype=float32, under vmap)');
  });
});

describe('vjp and jvp', () => {
  const f = (a: Tensor, c: Tensor): { readonly product: Tensor; readonly more: readonly [Tensor] } => ({
    product: a.mul(c),
    more: [a.exp()],
  });
  test('vjp takes trees of cotangents, any number of times', () => {
    const [y, pull] = func.vjp(f, [x, x]);
    expectNear(y.product, [0.25, 1.44, 4]);
    for (const k of [1, 2]) {
      const [da, dc] = pull({ product: ones([3], { dtype: 'float64' }).mul(k), more: [zeros([3], { dtype: 'float64' })] });
      expectNear(da, [0.5 * k, -1.2 * k, 2 * k]);
      expectNear(dc, [0.5 * k, -1.2 * k, 2 * k]);
    }
  });
  test('jvp gives a tangent for each result', () => {
    const [y, t] = func.jvp(f, [x, x], [ones([3], { dtype: 'float64' }), zeros([3], { dtype: 'float64' })]);
    expectNear(t.product, [0.5, -1.2, 2]);
    expectNear(t.more[0], elements(y.more[0]));
  });
  test('linearize is jvp at a fixed point', () => {
    const [y, push] = func.linearize((a: Tensor) => a.sin().mul(a), [x]);
    expectNear(y, elements(x.sin().mul(x)));
    for (const v of [ones([3], { dtype: 'float64' }), x.mul(3)])
      expectNear(push(v), elements(func.jvp((a: Tensor) => a.sin().mul(a), [x], [v])[1]));
  });
  test('the forward part of vjp and linearize is kept once it is needed a second time', () => {
    const w = randn([8, 8], { dtype: 'float64' });
    const [, pull] = func.vjp((a: Tensor) => w.matmul(a).exp().sum(), [randn([8], { dtype: 'float64' })]);
    for (const k of [1, 2]) pull(f64(k))[0].dataSync();
    const kernels: string[] = [];
    const stop = onRun((_, { program }) => kernels.push(...program.kernels.map((k) => k.name)));
    pull(f64(3))[0].dataSync();
    stop();
    expect(kernels.length).toBeGreaterThan(0);
    expect(kernels.some((k) => k.includes('exp'))).toBe(false);
  });
  test('results can be differentiated further by backward()', () => {
    const a = f64([1, 2]).requiresGrad_();
    const [y, pull] = func.vjp((c: Tensor) => cube(c), [a]);
    pull(ones([2], { dtype: 'float64' }))[0]
      .sum()
      .add(y.sum())
      .backward();
    expectNear(a.grad!, [6 + 3, 12 + 12]);
  });
});

describe('vmap', () => {
  test('maps over the dimensions asked for, and puts them where asked', () => {
    const a = randn([4, 3], { dtype: 'float64' });
    const c = randn([3, 4], { dtype: 'float64' });
    const dots = func.vmap((u: Tensor, v: Tensor) => u.mul(v).sum(), { inDims: [0, 1] })(a, c);
    expectNear(dots, elements(a.mul(c.t()).sum(1)));
    const outer = func.vmap((u: Tensor) => u.mul(2), { inDims: 1, outDims: -1 })(a);
    expectNear(outer, elements(a.mul(2)));
    expect(outer.shape).toEqual([4, 3]);
  });
  test('takes trees of arguments and dimensions, and passes statics by', () => {
    const batch = { image: randn([2, 3], { dtype: 'float64' }), scale: f64(3) };
    const y = func.vmap((p: typeof batch, how: string) => (how === 'times' ? p.image.mul(p.scale) : p.image), {
      inDims: [{ image: 0, scale: null }, null],
    })(batch, 'times');
    expectNear(y, elements(batch.image.mul(3)));
  });
  test('repeats results that depend on nothing mapped, or gives them once', () => {
    const [each, once] = func.vmap((_: Tensor) => [f64([1, 2]), f64([3])] as const, { outDims: [0, null] })(ones([2, 1]));
    expect(each.shape).toEqual([2, 2]);
    expect(once.shape).toEqual([1]);
  });
  test('in chunks is the same', () => {
    const a = randn([7, 3], { dtype: 'float64' });
    const f = (u: Tensor): Tensor => u.sin().sum();
    expectNear(func.vmap(f, { chunkSize: 3 })(a), elements(func.vmap(f)(a)));
  });
  test('of grad gives gradients for each sample', () => {
    const w = randn([3], { dtype: 'float64' });
    const data = randn([5, 3], { dtype: 'float64' });
    const loss = (p: Tensor, row: Tensor): Tensor => p.mul(row).sum().sin();
    const all = func.vmap(func.grad(loss), { inDims: [null, 0] })(w, data);
    for (let i = 0; i < 5; i++) expectNear(all.select(0, i), elements(func.grad(loss)(w, data.select(0, i))));
  });
  test('under grad, of vmap, of grad', () => {
    const f = (a: Tensor): Tensor =>
      func
        .vmap(func.grad((c: Tensor) => cube(c).sin()))(a)
        .sum();
    const expected = [0.5, -1.2, 2].map((v) => 6 * v * Math.cos(v ** 3) - 9 * v ** 4 * Math.sin(v ** 3));
    expectNear(func.grad(f)(x), expected);
  });
  test('nests', () => {
    const a = randn([2, 3, 4], { dtype: 'float64' });
    const f = func.vmap(
      func.vmap((row: Tensor) => row.softmax(0)),
      { inDims: 1, outDims: 1 },
    );
    expectNear(f(a), elements(a.softmax(2)));
  });
  test('gradients flow to what it captures and to its arguments', () => {
    const w = f64([2, 3]).requiresGrad_();
    const a = f64([
      [1, 2],
      [3, 4],
    ]).requiresGrad_();
    func
      .vmap((row: Tensor) => row.mul(w).sum())(a)
      .sum()
      .backward();
    expectNear(w.grad!, [4, 6]);
    expectNear(a.grad!, [2, 3, 2, 3]);
  });
});

describe('randomness under vmap', () => {
  const noisy = (a: Tensor): Tensor => F.dropout(ones([64]), 0.5).add(a);
  const drawn = (a: Tensor): Tensor => rand([8]).add(a);
  test('is refused unless asked for', () => {
    for (const f of [noisy, drawn])
      expect(() => func.vmap(f)(zeros([3]))).toThrow(/vmap: called random operation while in randomness error mode/);
  });
  test.each([
    ['dropout', noisy],
    ['rand', drawn],
  ])('%s: same for all examples, or each its own', (_, f) => {
    const rows = (y: Tensor): string[] => (y.tolistSync() as number[][]).map((row) => row.join());
    expect(new Set(rows(func.vmap(f, { randomness: 'same' })(zeros([3])))).size).toBe(1);
    expect(new Set(rows(func.vmap(f, { randomness: 'different' })(zeros([3])))).size).toBe(3);
    const nested = func.vmap(func.vmap(f, { randomness: 'different' }), { randomness: 'different' });
    expect(new Set(rows(nested(zeros([3, 3])).flatten(0, 1))).size).toBe(9);
  });
  test('draws anew at each replay of compiled code', () => {
    const step = compile((a: Tensor) => func.vmap(drawn, { randomness: 'different' })(a));
    const [one, other] = [step(zeros([2])), step(zeros([2]))];
    expect(step.traces()).toBe(1);
    expect(elements(one)).not.toEqual(elements(other));
  });
  test('draws that were made outside are values like others', () => {
    const noise = rand([3]);
    expectNear(
      func
        .vmap((a: Tensor) => a.add(noise))(zeros([2]))
        .select(0, 1),
      elements(noise),
    );
  });
});

describe('Jacobians', () => {
  const f = (a: Tensor, c: Tensor): readonly [Tensor, Tensor] => [a.mul(c.sum()).sin(), a.sum().mul(c)];
  const c = f64([
    [1, 2],
    [3, 4],
  ]);
  test.each([
    ['jacrev', func.jacrev],
    ['jacfwd', func.jacfwd],
  ] as const)('%s gives a block for each result and argument', (_, transform) => {
    const [one, two] = transform(f, { argnums: [0, 1] })(x, c) as unknown as Tensor[][];
    expect([...one!, ...two!].map((t) => t.shape)).toEqual([
      [3, 3],
      [3, 2, 2],
      [2, 2, 3],
      [2, 2, 2, 2],
    ]);
    const s = 10;
    const cos = elements(x).map((v) => Math.cos(v * s));
    expectNear(one![0]!, [s * cos[0]!, 0, 0, 0, s * cos[1]!, 0, 0, 0, s * cos[2]!]);
    expectNear(
      one![1]!,
      elements(x).flatMap((v, i) => [1, 1, 1, 1].map(() => v * cos[i]!)),
    );
    expectNear(
      two![0]!,
      [1, 2, 3, 4].flatMap((v) => [v, v, v]),
    );
    expectNear(transform((a: Tensor) => f(a, c)[0], { chunkSize: 2 })(x), elements(one![0]!));
  });
  test('one batched program, however many rows', () => {
    const sizes = [64, 32, 64];
    const weights = sizes.slice(1).map((n, i) => randn([n, sizes[i]!], { dtype: 'float64' }));
    const mlp = (a: Tensor): Tensor => weights.reduce((h, w) => w.matmul(h).tanh(), a);
    const at = randn([64], { dtype: 'float64' });
    at.dataSync();
    for (const w of weights) w.dataSync();
    expect(runs(() => void func.jacrev(mlp)(at).dataSync())).toBeLessThanOrEqual(2);
    expect(runs(() => void func.jacfwd(mlp)(at).dataSync())).toBeLessThanOrEqual(2);
    expectNear(func.jacrev(mlp)(at), elements(func.jacfwd(mlp)(at)));
  });
  test('Hessians by four routes agree', () => {
    const g = (a: Tensor): Tensor => a.sin().mul(a.sum()).exp().sum().log();
    const expected = elements(func.hessian(g)(x));
    expectNear(func.jacrev(func.jacrev(g))(x), expected);
    expectNear(func.jacfwd(func.jacfwd(g))(x), expected);
    expectNear(func.jacrev(func.jacfwd(g))(x), expected);
    const columns = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ].map((e) => elements(func.hvp(g, [x], [f64(e)])[0]));
    expectNear(columns.flat(), expected);
  });
  test('of an empty argument is empty', () => {
    expect(func.jacrev((a: Tensor) => a.mul(2))(zeros([0], { dtype: 'float64' })).shape).toEqual([0, 0]);
  });
});

describe('inside of compile', () => {
  test('a transform is recorded once and replayed', () => {
    const step = compile((a: Tensor) => func.hessian((v: Tensor) => cube(v).sum())(a));
    for (const scale of [1, 2, 3]) expectNear(step(x.mul(scale)), [3 * scale, 0, 0, 0, -7.2 * scale, 0, 0, 0, 12 * scale]);
    expect(step.traces()).toBe(1);
  });
  test('captured state is read anew', () => {
    const w = f64([1, 1, 1]);
    const step = compile((a: Tensor) => func.grad((v: Tensor) => v.mul(w).sum())(a));
    expectNear(step(x), [1, 1, 1]);
    noGrad(() => void w.mul_(5));
    expectNear(step(x), [5, 5, 5]);
    expect(step.traces()).toBe(1);
  });
});
