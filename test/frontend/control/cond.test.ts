// Branches on data: the branch that is wanted runs, gradients follow it, and what does not fit is refused at the user's line.
import { describe, expect, test } from 'vitest';
import {
  ArgumentError,
  AutogradError,
  compile,
  cond,
  DTypeError,
  func,
  ones,
  ShapeError,
  type Tensor,
  tensor,
} from '../../../compiler/index.ts';
import { parse } from '../../../compiler/ir/parse.ts';
import { load } from '../../../compiler/jit/executable.ts';
import { compileGraph } from '../../../compiler/lower/compile.ts';
import { jsTarget } from '../../../runtime/target.ts';

const values = (t: Tensor): number[] => Array.from(t.dataSync() as Float32Array);
const isLarge = (x: Tensor): Tensor => x.sum().gt(3);

describe('cond', () => {
  test.each([
    [
      [1, 2, 3],
      [1, 4, 9],
      [2, 4, 6],
    ],
    [
      [1, 1, 1],
      [-1, -1, -1],
      [-1, -1, -1],
    ],
  ])('of %j gives the branch that the data choose, and its gradient', (data, result, gradient) => {
    const x = tensor(data, { requiresGrad: true, dtype: 'float32' });
    const y = cond(
      isLarge(x),
      (a: Tensor) => a.mul(x),
      (a: Tensor) => a.neg(),
      [x],
    );
    y.sum().backward();
    expect(values(y)).toEqual(result);
    expect(values(x.grad!)).toEqual(gradient);
  });

  test('takes and gives trees, and numbers among the operands', () => {
    const { a, b } = cond(
      tensor(true),
      (x: { n: Tensor }, k) => ({ a: x.n.mul(k), b: [x.n] }),
      (x, k) => ({ a: x.n.add(k), b: [x.n.neg()] }),
      [{ n: ones([2]) }, 4 as unknown as Tensor] as const,
    );
    expect([values(a), values(b[0]!)]).toEqual([
      [4, 4],
      [1, 1],
    ]);
  });

  test('in a compiled function is one trace for both branches', () => {
    const f = compile((x: Tensor) =>
      cond(
        isLarge(x),
        () => x.mul(2),
        () => x.sub(1),
      ),
    );
    const found = [
      [9, 1],
      [0, 1],
      [3, 1],
      [1, 1],
    ].map((data) => values(f(tensor(data, { dtype: 'float32' }))));
    expect(found).toEqual([
      [18, 2],
      [-1, 0],
      [6, 2],
      [0, 0],
    ]);
    expect(f.explain().specialisations).toHaveLength(1);
  });

  test('under vmap chooses for each example, under grad and jvp goes through the branch', () => {
    const f = (x: Tensor): Tensor =>
      cond(
        isLarge(x),
        () => x.mul(x),
        () => x,
      );
    expect(
      values(
        func.vmap(f)(
          tensor(
            [
              [3, 1],
              [1, 1],
            ],
            { dtype: 'float32' },
          ),
        ),
      ),
    ).toEqual([9, 1, 1, 1]);
    expect(values(func.grad((x: Tensor) => f(x).sum())(tensor([3, 1], { dtype: 'float32' })))).toEqual([6, 2]);
    expect(values(func.jvp(f, [tensor([3, 1], { dtype: 'float32' })], [ones([2])])[1] as Tensor)).toEqual([6, 2]);
  });

  test('with a boolean of JavaScript runs one function and no other', () => {
    const never = (): Tensor => {
      throw new Error('not wanted');
    };
    expect(values(cond(true, () => ones([1]), never))).toEqual([1]);
  });
});

describe('a branch is refused', () => {
  const x = ones([3]);
  const large = isLarge(x);
  test.each([
    [
      'other shapes',
      ShapeError,
      () =>
        cond(
          large,
          () => x,
          () => x.sum(),
        ),
      /result is float32\[3\] of the first and float32\[\] of the second; make both/,
    ],
    [
      'other dtypes',
      DTypeError,
      () =>
        cond(
          large,
          () => x,
          () => x.to('int32'),
        ),
      /float32\[3\] of the first and int32\[3\] of the second/,
    ],
    [
      'another structure',
      ArgumentError,
      () =>
        cond<[], unknown>(
          large,
          () => x,
          () => [x],
        ),
      /tensor of the first and \[tensor\] of the second/,
    ],
    [
      'a predicate of several elements',
      ShapeError,
      () =>
        cond(
          x.gt(0),
          () => x,
          () => x,
        ),
      /no dimensions, got shape \[3\]; reduce it by any\(\) or all\(\)/,
    ],
    [
      'a predicate that is no bool',
      DTypeError,
      () =>
        cond(
          x.sum(),
          () => x,
          () => x,
        ),
      /to be bool, got float32; compare it/,
    ],
    [
      'a result that is no tensor',
      ArgumentError,
      () =>
        cond(
          large,
          () => 'a' as unknown,
          () => 'b',
        ),
      /cond: expected the function to return only tensors/,
    ],
    [
      'an observed value',
      AutogradError,
      () =>
        cond(
          large,
          (a: Tensor) => (a.sum().itemSync() > 0 ? a : a.neg()),
          (a: Tensor) => a,
          [x],
        ),
      /cond: .*item\(\)/,
    ],
  ])('with %s', (_, kind, attempt, message) => {
    expect(attempt).toThrow(kind);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(/cond\.test\.ts:\d+/);
  });
});

test('the branch that is not taken does not run', () => {
  const program = compileGraph(
    parse(`graph @g(%p: bool[], %i: i32[1], %x: f32[2]) -> (%y: f32[1]) {
      %y: f32[1] = cond(%p, %i, %x) then(%j: i32[1], %a: f32[2]) -> (%c) { %c: f32[1] = gather(%a, %j) {axis: 0, mode: checked} }
        else(%k: i32[1], %b: f32[2]) -> (%d) { %d: f32[1] = slice(%b) {start: [0], stop: [1], step: [1]} }
    }`),
    jsTarget,
  );
  const run = (p: number): unknown => load(program).run([Uint8Array.of(p), Int32Array.of(7), Float32Array.of(1, 2)], new Float64Array());
  expect(run(0)).toEqual([Float32Array.of(1)]);
  expect(() => run(1)).toThrow(/index 7 is out of range/);
});
