// Wrong answers that other libraries have given: each is right here.
import { describe, expect, it } from 'vitest';
import { ArgumentError, compile, F, full, IndexError, ones, type Tensor, tensor, zeros } from '../../compiler/index.ts';

const list = (t: Tensor): unknown => t.tolistSync();
const f32 = Math.fround;

describe('a comparison where JavaScript wants a boolean', () => {
  it('is answered by the value, inside compiled code as well', () => {
    const f = compile((x: Tensor) => ((x.sum() as never) > 0 ? x.mul(2) : x.mul(-1)));
    expect(list(f(tensor([1, 2])))).toEqual([2, 4]);
    expect(list(f(tensor([-1, -2])))).toEqual([1, 2]);
    expect(() => (tensor([1, 2]) as never) > 0).toThrow(ArgumentError);
  });
});

describe('what is cached by structure', () => {
  it('tells infinities, NaN and zeros apart', () => {
    const f = (n: number): unknown => list(tensor([1, -1]).mul(n));
    expect([f(Infinity), f(-Infinity), f(Number.NaN), f(0), f(-0)]).toEqual([
      [Infinity, -Infinity],
      [-Infinity, Infinity],
      [Number.NaN, Number.NaN],
      [0, -0],
      [-0, 0],
    ]);
  });
  it('tells dtypes of equal numbers apart', () => {
    const add = (t: Tensor): string => t.add(1).dtype;
    expect([add(tensor([1])), add(tensor([1n])), add(tensor([1], { dtype: 'int32' })), add(tensor([true]))]).toEqual([
      'float32',
      'int64',
      'int32',
      'int64',
    ]);
  });
  it('tells static arguments of compiled functions apart', () => {
    const f = compile((x: Tensor, option: unknown) =>
      x.mul(
        option === Infinity ? 2 : option === -Infinity ? 3 : Object.is(option, -0) ? 4 : Number.isNaN(option) ? 5 : option === null ? 6 : 7,
      ),
    );
    const x = tensor([1]);
    expect([Infinity, -Infinity, -0, Number.NaN, null, 0].map((o) => f(x, o).itemSync())).toEqual([2, 3, 4, 5, 6, 7]);
  });
});

describe('rewriting', () => {
  it('keeps promotions', () => {
    const x = tensor([3, 5], { dtype: 'int32' }).mul(1.0000001).mul(1);
    expect(x.dtype).toBe('float32');
    expect(tensor([3], { dtype: 'int32' }).to('float32').add(0).dtype).toBe('float32');
  });
  it('does not reassociate', () => {
    expect(tensor([1]).add(1e8).sub(1e8).itemSync()).toBe(0);
    expect(tensor([1e30]).mul(1e30).div(1e30).itemSync()).toBe(Infinity);
  });
  it('knows that inf * 0 and inf - inf are NaN', () => {
    expect(list(tensor([Infinity, -Infinity, NaN]).mul(0))).toEqual([NaN, NaN, NaN]);
    const x = tensor([Infinity]);
    expect(list(x.sub(x))).toEqual([NaN]);
  });
  it('keeps the sign of zero', () => {
    expect(list(tensor([0, -0]).neg())).toEqual([-0, 0]);
    expect(list(tensor([-0]).add(0))).toEqual([0]);
    expect(list(tensor([-0]).mul(1))).toEqual([-0]);
  });
});

describe('arithmetic', () => {
  it('divides as IEEE says, not by a reciprocal', () => {
    const [x, y] = [
      Float32Array.from({ length: 4000 }, (_, i) => (i % 97) + 1),
      Float32Array.from({ length: 4000 }, (_, i) => (i % 89) + 1),
    ];
    expect(tensor(x).div(tensor(y)).dataSync()).toEqual(Float32Array.from(x, (v, i) => f32(v / y[i]!)));
    expect(tensor([41]).div(41).itemSync()).toBe(1);
  });
  it('raises 0 to the power of 0', () => {
    expect(list(tensor([0, 2, NaN]).pow(0))).toEqual([1, 1, 1]);
    expect(list(tensor([1, 1]).pow(tensor([NaN, Infinity])))).toEqual([1, 1]);
  });
  it('sums many numbers with a small error', () => {
    const n = 1 << 20;
    const total = full([n], 0.1).sum().itemSync();
    expect(Math.abs(total / (f32(0.1) * n) - 1)).toBeLessThan(1e-6);
    expect(full([n], 0.1).mean().itemSync()).toBeCloseTo(0.1, 7);
  });
  it('is accurate near the edges of its functions', () => {
    const close = (t: Tensor, expected: number): void => expect(Math.abs(t.itemSync() / expected - 1)).toBeLessThan(3e-7);
    close(tensor([0.99999]).log(), Math.log(f32(0.99999)));
    close(tensor([88.4]).exp(), Math.exp(f32(88.4)));
    close(tensor([1e-6]).tanh(), Math.tanh(f32(1e-6)));
    close(tensor([1e7]).sin(), Math.sin(1e7));
    close(tensor([1e-7]).expm1(), Math.expm1(f32(1e-7)));
    close(tensor([1e-7]).log1p(), Math.log1p(f32(1e-7)));
    expect(tensor([0.1], { dtype: 'float64' }).exp().itemSync()).toBe(Math.exp(0.1));
  });
});

describe('indices out of range', () => {
  it('are refused, and read no other element', () => {
    expect(() =>
      tensor([1, 2])
        .index(tensor([2n]))
        .dataSync(),
    ).toThrow(IndexError);
    expect(() => F.embedding(tensor([5n]), ones([3, 2])).dataSync()).toThrow(IndexError);
    expect(() => tensor([1, 2]).index(5)).toThrow(IndexError);
  });
});

describe('gradients of indexed ops', () => {
  it('exist, eagerly and compiled', () => {
    const step = (x: Tensor, w: Tensor): Tensor =>
      F.embedding(tensor([1n, 1n]), w)
        .sum()
        .add(
          x
            .scatterAdd(0, tensor([0n]), ones([1]))
            .pow(2)
            .sum(),
        );
    const gradients = (run: () => Tensor, ...leaves: Tensor[]): unknown => {
      run().backward();
      return leaves.map((t) => list(t.grad!));
    };
    const fresh = (): [Tensor, Tensor] => [tensor([1, 2], { requiresGrad: true }), zeros([3, 2], { requiresGrad: true })];
    const [x, w] = fresh();
    const eager = gradients(() => step(x, w), x, w);
    expect(eager).toEqual([
      [4, 4],
      [
        [0, 0],
        [2, 2],
        [0, 0],
      ],
    ]);
    const [y, v] = fresh();
    compile(() => {
      y.grad = null;
      v.grad = null;
      step(y, v).backward();
    })();
    expect([list(y.grad!), list(v.grad!)]).toEqual(eager);
  });
});
