// Meanings against values worked out by hand or taken from the papers, where definition and code could share a mistake.
import { describe, expect, it } from 'vitest';
import { b, lit, region } from '../../compiler/ir/builder.ts';
import type { Value } from '../../compiler/ir/node.ts';
import { evaluate, referenceOf } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import type { DType } from '../../runtime/dtype.ts';
import { IndexError, InternalError } from '../../runtime/errors.ts';
import { chainLength } from '../effort.ts';

type Given = readonly [dtype: DType, shape: readonly number[], data: readonly number[]];
const nan = Number.NaN;
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

/** What `f` gives for these arrays, each result as a plain list. */
function run(f: (...x: Value[]) => Value | readonly Value[], ...given: readonly Given[]): number[][] {
  const inputs = given.map(([dtype, shape]) => b.input({ dtype, shape }));
  const y = f(...inputs);
  const data: readonly Reference[] = given.map(([dtype, shape, values]) => referenceOf(dtype, shape, values));
  return evaluate({ inputs, outputs: Array.isArray(y) ? (y as readonly Value[]) : [y as Value] }, data).map((r) => [...r.data]);
}
const f64 = (data: readonly number[], ...shape: number[]): Given => ['f64', shape.length === 0 ? [data.length] : shape, data];
const i32 = (...data: number[]): Given => ['i32', [data.length], data];
const i64 = (...data: number[]): Given => ['i64', [data.length], data];
const u8 = (...data: number[]): Given => ['u8', [data.length], data];

describe('integers', () => {
  it('wrap at their size', () => {
    expect(run((x, y) => b.add(x!, y!), i32(2147483647), i32(1))).toEqual([[-2147483648]]);
    expect(run((x, y) => b.mul(x!, y!), i32(2147483647), i32(2147483647))).toEqual([[1]]);
    expect(run((x, y) => b.sub(x!, y!), u8(3), u8(5))).toEqual([[254]]);
    expect(run((x) => b.neg(x!), i32(-2147483648))).toEqual([[-2147483648]]);
    expect(run((x) => b.cumprod(x!, { axis: 0, reverse: false }), u8(20, 20))).toEqual([[20, 144]]);
  });
  it('divide to minus infinity, and leave a remainder with the sign of the divisor', () => {
    expect(run((x, y) => [b.floorDiv(x!, y!), b.rem(x!, y!), b.fmod(x!, y!)], i32(-7, 7, -7), i32(2, -2, -2))).toEqual([
      [-4, -4, 3],
      [1, -1, -1],
      [-1, 1, -1],
    ]);
  });
  it('have all their bits', () => {
    expect(run((x, y) => b.bitAnd(x!, y!), i64(2 ** 40 + 5), i64(2 ** 40 + 3))).toEqual([[2 ** 40 + 1]]);
    expect(run((x) => b.bitNot(x!), u8(1))).toEqual([[254]]);
    expect(run((x) => b.bitNot(x!), ['bool', [2], [0, 1]])).toEqual([[1, 0]]);
  });
  it('come from floats by dropping the fraction', () => {
    expect(run((x) => b.cast(x!, { to: 'i32' }), f64([2.9, -2.9, nan]))).toEqual([[2, -2, 0]]);
    expect(run((x) => b.cast(x!, { to: 'bool' }), f64([0, -0, 0.1, nan]))).toEqual([[0, 0, 1, 1]]);
  });
});

describe('movement', () => {
  it('puts padding around and between', () => {
    expect(run((x, fill) => b.pad(x!, fill!, { low: [1], high: [2], interior: [1] }), f64([1, 2, 3]), ['f64', [], [9]])).toEqual([
      [9, 1, 9, 2, 9, 3, 9, 9],
    ]);
  });
  it('names the source of each axis in a permute', () => {
    expect(run((x) => b.permute(x!, { order: [2, 0, 1] }), f64(upTo(6), 1, 2, 3))).toEqual([[1, 4, 2, 5, 3, 6]]);
  });
  it('slices with steps, flips and joins', () => {
    expect(run((x) => b.slice(x!, { start: [1], stop: [6], step: [2] }), f64(upTo(6)))).toEqual([[2, 4, 6]]);
    expect(run((x) => b.flip(x!, { axes: [1] }), f64(upTo(4), 2, 2))).toEqual([[2, 1, 4, 3]]);
    expect(run((x, y) => b.concat([x!, y!], { axis: 1 }), f64(upTo(2), 2, 1), f64([7, 8, 9, 10], 2, 2))).toEqual([[1, 7, 8, 2, 9, 10]]);
  });
});

describe('reductions', () => {
  it('let NaN win, and find the first of equals', () => {
    expect(run((x) => [b.amax(x!, { axes: [0] }), b.amin(x!, { axes: [0] })], f64([1, nan, 3]))).toEqual([[nan], [nan]]);
    expect(run((x) => [b.argmax(x!, { axis: 0 }), b.argmin(x!, { axis: 0 })], f64([1, 3, 3, 1]))).toEqual([[1], [0]]);
    expect(run((x) => [b.argmax(x!, { axis: 0 }), b.argmin(x!, { axis: 0 })], f64([1, nan, 3, nan]))).toEqual([[1], [1]]);
  });
  it('have a value over nothing where there is an identity', () => {
    expect(run((x) => [b.sum(x!, { axes: [0] }), b.prod(x!, { axes: [0] })], f64([], 0))).toEqual([[0], [1]]);
  });
  it('run from either end', () => {
    expect(run((x) => [b.cumsum(x!, { axis: 0, reverse: false }), b.cumsum(x!, { axis: 0, reverse: true })], f64([1, 2, 3]))).toEqual([
      [1, 3, 6],
      [6, 5, 3],
    ]);
  });
});

describe('contractions', () => {
  it('multiply matrices', () => {
    expect(run((x, y) => b.dot(x!, y!, { batch: [], contract: [[1, 0]] }), f64(upTo(4), 2, 2), f64([5, 6, 7, 8], 2, 2))).toEqual([
      [19, 22, 43, 50],
    ]);
  });
  it('put batch axes first, then what x and y have alone', () => {
    const [z] = run((x, y) => b.dot(x!, y!, { batch: [[1, 0]], contract: [] }), f64([1, 2, 3, 4], 2, 2), f64([10, 100], 2));
    expect(z).toEqual([10, 30, 200, 400]);
  });
  const line = { stride: [1], padding: [[0, 0]], dilation: [1], groups: 1 } as const;
  it('correlate, not convolve', () => {
    expect(run((x, w) => b.conv(x!, w!, line), f64([1, 2, 3, 4], 1, 1, 4), f64([1, 10], 1, 1, 2))).toEqual([[21, 32, 43]]);
    expect(
      run((x, w) => b.conv(x!, w!, { ...line, stride: [2], padding: [[1, 0]] }), f64([1, 2, 3, 4], 1, 1, 4), f64([1, 10], 1, 1, 2)),
    ).toEqual([[10, 32]]);
    expect(run((x, w) => b.conv(x!, w!, { ...line, dilation: [2] }), f64([1, 2, 3, 4], 1, 1, 4), f64([1, 10], 1, 1, 2))).toEqual([
      [31, 42],
    ]);
  });
  it('keep groups of channels apart', () => {
    expect(run((x, w) => b.conv(x!, w!, { ...line, groups: 2 }), f64([1, 2, 3, 4], 1, 2, 2), f64([10, 100], 2, 1, 1))).toEqual([
      [10, 20, 300, 400],
    ]);
  });
});

describe('indexing and order', () => {
  const attrs = { axis: 0, mode: 'checked' } as const;
  it('adds up updates that meet, and keeps the last that is set', () => {
    const given = [f64([1, 2, 3]), i64(2, 0, 2), f64([10, 20, 30])] as const;
    expect(run((x, i, u) => [b.scatterAdd(x!, i!, u!, attrs), b.scatterSet(x!, i!, u!, attrs)], ...given)).toEqual([
      [21, 2, 43],
      [20, 2, 30],
    ]);
  });
  it.each([-1, 3])('refuses position %i of an axis of 3', (position) => {
    expect(() => run((x, i) => b.gather(x!, i!, attrs), f64([1, 2, 3]), i64(position))).toThrow(IndexError);
    expect(() => run((x, i) => b.gather(x!, i!, attrs), f64([1, 2, 3]), i64(position))).toThrow(
      `index ${position} is out of bounds for dimension 0 with size 3`,
    );
  });
  it('sorts NaN last, or first when descending, and keeps the order of equals', () => {
    const x = f64([3, nan, 1, 3, nan]);
    expect(run((v) => b.sort(v!, { axis: 0, descending: false }), x)).toEqual([
      [1, 3, 3, nan, nan],
      [2, 0, 3, 1, 4],
    ]);
    expect(run((v) => b.sort(v!, { axis: 0, descending: true }), x)).toEqual([
      [nan, nan, 3, 3, 1],
      [1, 4, 0, 3, 2],
    ]);
    expect(run((v) => b.topk(v!, { axis: 0, k: 3, largest: false }), x)).toEqual([
      [1, 3, 3],
      [2, 0, 3],
    ]);
  });
});

describe('random bits', () => {
  it('are the first word of Threefry-2x32-20, by its published vectors', () => {
    const [zeros] = run((key, stream) => b.randomBits(key!, stream!, { shape: [1] }), ['i32', [], [0]], ['i32', [], [0]]);
    expect(zeros![0]! >>> 0).toBe(0x6b200159);
  });
  it('count positions in row-major order', () => {
    const [flat, square] = run(
      (k, s) => [b.randomBits(k!, s!, { shape: [4] }), b.randomBits(k!, s!, { shape: [2, 2] })],
      ['i32', [], [7]],
      ['i32', [], [1]],
    );
    expect(square).toEqual(flat);
  });
});

describe('regions', () => {
  const scalar = { dtype: 'f64', shape: [] } as const;
  const number = (x: number): Given => ['f64', [], [x]];
  it('are chosen by cond: the first where it holds', () => {
    const branches = [region([scalar], ([x]) => [b.add(x!, x!)]), region([scalar], ([x]) => [b.neg(x!)])] as const;
    const of = (test: number) => run((t, x) => b.cond([t!, x!], {}, branches), ['bool', [], [test]], number(5));
    expect([of(1), of(0)]).toEqual([[[10]], [[-5]]]);
  });
  it('are repeated by whileLoop until the test fails', () => {
    const loop = [region([scalar], ([x]) => [b.lt(x!, lit(100, 'f64'))]), region([scalar], ([x]) => [b.mul(x!, lit(2, 'f64'))])] as const;
    expect(run((x) => b.whileLoop([x!], {}, loop), number(3))).toEqual([[192]]);
    expect(run((x) => b.whileLoop([x!], {}, loop), number(300))).toEqual([[300]]);
  });
  it('are threaded along an axis by scan, which stacks what is no carry', () => {
    const body = region([scalar, scalar], ([sum, x]) => [b.add(sum!, x!), b.mul(sum!, x!)]);
    expect(run((s, xs) => b.scan([s!, xs!], { carries: 1, length: 3, reverse: false }, [body]), number(1), f64([2, 3, 4]))).toEqual([
      [10],
      [2, 9, 24],
    ]);
  });
});

describe('the evaluator', () => {
  it('walks a long chain of nodes', () => {
    const x = b.input({ dtype: 'f64', shape: [] });
    const one = lit(1, 'f64');
    let y = x;
    for (let i = 0; i < chainLength; i++) y = b.add(y, one);
    expect([...evaluate({ inputs: [x], outputs: [y] }, [referenceOf('f64', [], [5])])[0]!.data]).toEqual([chainLength + 5]);
  });
  it('refuses data that do not fit the inputs, and leaves that nobody gave', () => {
    const x = b.input({ dtype: 'f64', shape: [2] });
    expect(() => evaluate({ inputs: [x], outputs: [x] }, [])).toThrow(InternalError);
    expect(() => evaluate({ inputs: [x], outputs: [x] }, [referenceOf('f64', [3], [1, 2, 3])])).toThrow(
      /an input f64\[2\] was given f64\[3\]/,
    );
    expect(() => evaluate({ inputs: [], outputs: [b.neg(x)] }, [])).toThrow(/an input that the graph does not list/);
  });
});
