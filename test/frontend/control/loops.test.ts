// Loops in one graph against the same loops in JavaScript: values, gradients, transforms, and what is refused.
import { describe, expect, test } from 'vitest';
import {
  ArgumentError,
  AutogradError,
  compile,
  DTypeError,
  F,
  foriLoop,
  func,
  manualSeed,
  map,
  ones,
  rand,
  randn,
  ShapeError,
  scan,
  type Tensor,
  tensor,
  whileLoop,
  zeros,
} from '../../../compiler/index.ts';

const values = (t: Tensor): number[] => Array.from(t.dataSync() as Float32Array);
const near = (a: Tensor, b: Tensor): void => {
  expect(a.shape).toEqual(b.shape);
  const expected = values(b);
  values(a).forEach((v, i) => void expect(v).toBeCloseTo(expected[i]!, 4));
};

/** One step of a network: the state, and something for every step. */
const cell =
  (w: Tensor) =>
  (h: Tensor, x: Tensor): [Tensor, Tensor] => {
    const next = h.matmul(w).add(x).tanh();
    return [next, next.mul(x)];
  };
function byHand(w: Tensor, h: Tensor, xs: Tensor, reverse: boolean): [Tensor, Tensor] {
  const ys: Tensor[] = [];
  let state = h;
  for (let k = 0; k < xs.shape[0]!; k++) {
    const i = reverse ? xs.shape[0]! - 1 - k : k;
    [state, ys[i]] = cell(w)(state, xs.select(0, i)) as [Tensor, Tensor];
  }
  return [state, ys.reduce((all, y) => all.add(y.square().sum()), zeros([]))];
}

describe('scan', () => {
  test.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('gives what the loop gives, and its gradients: reverse %j, checkpoint %j', (reverse, checkpoint) => {
    manualSeed(1);
    const [w, h, xs] = [
      [3, 3],
      [2, 3],
      [5, 2, 3],
    ].map((shape) => randn(shape, { requiresGrad: true })) as [Tensor, Tensor, Tensor];
    const gradients = (run: () => Tensor): Tensor[] => {
      for (const t of [w, h, xs]) t.grad = null;
      run().backward();
      return [w, h, xs].map((t) => t.grad!.clone());
    };
    const found = gradients(() => {
      const [last, ys] = scan(cell(w), h, xs, { reverse, checkpoint });
      return last.sum().add(ys.square().sum());
    });
    const expected = gradients(() => {
      const [last, squares] = byHand(w, h, xs, reverse);
      return last.sum().add(squares);
    });
    for (const [i, g] of found.entries()) near(g, expected[i]!);
  });

  test('takes trees, numbers as what is carried, and no xs', () => {
    const [total, none] = scan(
      (sum: Tensor, { a, b }: { a: Tensor; b: readonly Tensor[] }) => [sum.add(a.mul(b[0]!)), null],
      0.5 as unknown as Tensor,
      {
        a: tensor([1, 2, 3], { dtype: 'float32' }),
        b: [tensor([4, 5, 6], { dtype: 'float32' })],
      },
    );
    expect([total.itemSync(), none]).toEqual([32.5, null]);
    const [, powers] = scan((c: Tensor) => [c.mul(2), c], ones([]), null, { length: 4 });
    expect(values(powers)).toEqual([1, 2, 4, 8]);
    const [, empty] = scan((c: Tensor) => [c.mul(2), c], ones([2]), null, { length: 0 });
    expect(empty.shape).toEqual([0, 2]);
  });

  test('within a scan, and in a branch of one, goes row by row', () => {
    const sums = (x: Tensor): Tensor => scan((s: Tensor, v: Tensor) => [s.add(v), s.add(v)], zeros([]), x)[1];
    const [, all] = scan(
      (c: null, row: Tensor) => [c, sums(row)],
      [] as unknown as null,
      tensor(
        [
          [1, 2],
          [3, 4],
        ],
        { dtype: 'float32' },
      ),
    );
    expect(values(all)).toEqual([1, 3, 3, 7]);
  });

  test('composes with vmap, jvp and a second derivative', () => {
    const power = (x: Tensor): Tensor => scan((c: Tensor) => [c.mul(x), null], ones([]), null, { length: 3 })[0];
    expect(values(func.vmap(power)(tensor([1, 2, 3], { dtype: 'float32' })))).toEqual([1, 8, 27]);
    expect(
      func
        .grad(func.grad(power))(tensor(2, { dtype: 'float32' }))
        .itemSync(),
    ).toBe(12);
    expect((func.jvp(power, [tensor(2, { dtype: 'float32' })], [ones([])])[1] as Tensor).itemSync()).toBe(12);
  });

  test('drops other elements in every turn, and the same ones in the backward pass', () => {
    const x = ones([4, 50], { requiresGrad: true });
    const dropped = map((row: Tensor) => F.dropout(row, 0.5), x);
    dropped.sum().backward();
    expect(values(x.grad!)).toEqual(values(dropped));
    const rows = dropped.unbind(0).map((row) => values(row).join());
    expect(new Set(rows).size).toBe(4);
  });

  test('in a compiled step trains what it captures', () => {
    manualSeed(0);
    const w = randn([3, 3], { requiresGrad: true });
    const step = compile((xs: Tensor) => {
      w.grad = null;
      const [last] = scan(cell(w), zeros([2, 3]), xs);
      const loss = last.sum();
      loss.backward();
      return loss.detach();
    });
    const xs = randn([4, 2, 3]);
    for (let i = 0; i < 3; i++) step(xs);
    const compiled = w.grad!.clone();
    w.grad = null;
    byHand(w, zeros([2, 3]), xs, false)[0]
      .sum()
      .backward();
    near(compiled, w.grad!);
  });
});

describe('loops', () => {
  test('whileLoop goes on for as long as the data say', () => {
    const collatz = (n: number): number =>
      whileLoop<[Tensor, Tensor]>(
        ([x]) => x.gt(1),
        ([x, turns]) => [x.div(2).where(x.remainder(2).eq(0), x.mul(3).add(1)), turns.add(1)],
        [tensor(n, { dtype: 'float32' }), zeros([])],
      )[1].itemSync() as number;
    expect([1, 6, 27].map(collatz)).toEqual([0, 8, 111]);
  });

  test('values that change places in every turn do', () => {
    const [a, b] = foriLoop(0, 3, (_, [p, q]) => [q, p] as [Tensor, Tensor], [ones([2]), zeros([2])] as [Tensor, Tensor]);
    expect([values(a), values(b)]).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });

  test('foriLoop counts between numbers and between tensors', () => {
    const sum = (lo: number | Tensor, hi: number | Tensor): unknown => foriLoop(lo, hi, (i, c: Tensor) => c.add(i), zeros([])).itemSync();
    expect([sum(2, 5), sum(tensor(2), 5), sum(0, tensor(4)), sum(5, 2)]).toEqual([9, 9, 6, 0]);
    const x = tensor(3, { dtype: 'float32', requiresGrad: true });
    foriLoop(0, 4, (_, c: Tensor) => c.mul(x), ones([])).backward();
    expect(x.grad!.itemSync()).toBe(4 * 27);
  });

  test('whileLoop has forward mode, a batch that goes on until all are done, and no reverse mode', () => {
    const root = (x: Tensor): Tensor =>
      whileLoop(
        (c: Tensor) => c.lt(10),
        (c) => c.mul(x),
        x,
      );
    expect(values(func.vmap(root)(tensor([2, 3, 11], { dtype: 'float32' })))).toEqual([16, 27, 11]);
    expect((func.jvp(root, [tensor(2, { dtype: 'float32' })], [ones([])])[1] as Tensor).itemSync()).toBe(32);
    const x = tensor(2, { dtype: 'float32', requiresGrad: true });
    expect(() => root(x).backward()).toThrow(AutogradError);
    expect(() => root(x).backward()).toThrow(/whileLoop: has no reverse-mode derivative.*use scan/);
  });
});

describe('a loop is refused', () => {
  const x = ones([3]);
  test.each([
    [
      'what is carried changes its dtype',
      DTypeError,
      () => scan((c: Tensor) => [c.to('float64'), null], zeros([]), x),
      /carry is float32\[\] and becomes float64\[\]; begin with/,
    ],
    [
      'what is carried changes its shape',
      ShapeError,
      () => foriLoop(0, 2, (_, c) => c.unsqueeze(0), zeros([])),
      /carry is float32\[\] and becomes float32\[1\]/,
    ],
    [
      'the structure changes',
      ArgumentError,
      () =>
        whileLoop(
          (c: unknown) => (c as Tensor).lt(1),
          (c) => [c],
          zeros([]) as unknown,
        ),
      /carry is tensor and becomes \[tensor\]/,
    ],
    [
      'the body gives no pair',
      ArgumentError,
      () => scan(((c: Tensor) => c) as never, zeros([]), x),
      /return \[carry, y\]; return \[carry, null\]/,
    ],
    [
      'a value is observed',
      AutogradError,
      () => scan((c: Tensor, v: Tensor) => [v.itemSync() > 0 ? c : c.neg(), null], zeros([]), x),
      /scan: .*item\(\)/,
    ],
    [
      'numbers are drawn',
      ArgumentError,
      () => scan((c: Tensor) => [c.add(rand([])), null], zeros([]), x),
      /the same in every turn.*give scan or map the numbers as xs/,
    ],
    [
      'the test is no tensor',
      ArgumentError,
      () =>
        whileLoop(
          () => true as never,
          (c) => c,
          zeros([]),
        ),
      /bool tensor, got boolean; compare tensors/,
    ],
    [
      'lengths differ',
      ShapeError,
      () => scan((c: Tensor) => [c, null], zeros([]), [x, ones([4])]),
      /all xs to have 3 slices, got \[3, 4\]/,
    ],
    ['there is no length', ArgumentError, () => scan((c: Tensor) => [c, null], zeros([]), null), /without xs the length must be given/],
    ['xs have no dimension', ShapeError, () => map((v: Tensor) => v, zeros([])), /a dimension to go along/],
    ['bounds are no integers', ArgumentError, () => foriLoop(0, 1.5, (_, c) => c, x), /integers as bounds, got 1.5/],
  ])('where %s', (_, kind, attempt, message) => {
    expect(attempt).toThrow(kind);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(/loops\.test\.ts:\d+/);
  });
});
