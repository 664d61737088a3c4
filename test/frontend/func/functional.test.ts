// autograd.functional: forms of what is given back, vectors that may be left out, strictness, and createGraph.
import { describe, expect, test } from 'vitest';
import * as functional from '../../../compiler/frontend/autograd/functional.ts';
import { noGrad, ones, type Tensor } from '../../../compiler/index.ts';
import { elements, expectNear, f64 } from './near.ts';

const x = f64([1, 2]);
const y = f64([3, 4, 5]);
const sumOfCubes = (a: Tensor): Tensor => a.pow(3).sum();

describe('jacobian', () => {
  test('is a tensor for one input and output, and nested lists for lists', () => {
    expectNear(functional.jacobian((a) => a!.mul(a!), x) as Tensor, [2, 0, 0, 4]);
    const blocks = functional.jacobian((a, c) => [a!.sum(), c!.mul(a!.sum())], [x, y]) as unknown as Tensor[][];
    expect(blocks.map((row) => row.map((t) => t.shape))).toEqual([
      [[2], [3]],
      [
        [3, 2],
        [3, 3],
      ],
    ]);
    expectNear(blocks[0]![1]!, [0, 0, 0]);
    const column = functional.jacobian((a) => [a!.sum()], x) as unknown as Tensor[];
    expectNear(column[0]!, [1, 1]);
  });
  test('by columns where asked for', () => {
    const f = (a: Tensor): Tensor => a.exp().mul(a.sum());
    expectNear(
      functional.jacobian(f, x, { vectorize: true, strategy: 'forward-mode' }) as Tensor,
      elements(functional.jacobian(f, x) as Tensor),
    );
  });
  test('is cut off from the inputs unless createGraph', () => {
    const a = f64([1, 2]).requiresGrad_();
    const cut = functional.jacobian((c) => c!.pow(3), a) as Tensor;
    expect(cut.requiresGrad).toBe(false);
    (functional.jacobian((c) => c!.pow(3), a, { createGraph: true }) as Tensor).sum().backward();
    expectNear(a.grad!, [6, 12]);
    expectNear(noGrad(() => functional.jacobian((c) => c!.pow(3), a)) as Tensor, [3, 0, 0, 12]);
  });
});

describe('hessian and products with it', () => {
  test('agree', () => {
    const f = (a: Tensor): Tensor => a.sin().mul(a.sum()).exp().sum();
    const h = functional.hessian(f, x) as Tensor;
    expectNear(functional.hessian(f, x, { outerJacobianStrategy: 'forward-mode' }) as Tensor, elements(h));
    const v = f64([0.3, -0.7]);
    const expected = elements(h.matmul(v));
    for (const product of [functional.hvp, functional.vhp]) {
      const [value, hv] = product(f, x, v);
      expectNear(value, elements(f(x)));
      expectNear(hv as Tensor, expected);
    }
  });
  test('have a block for each pair of inputs', () => {
    const blocks = functional.hessian((a, c) => a!.sum().mul(c!.pow(2).sum()), [x, y]) as unknown as Tensor[][];
    expect(blocks.map((row) => row.map((t) => t.shape))).toEqual([
      [
        [2, 2],
        [2, 3],
      ],
      [
        [3, 2],
        [3, 3],
      ],
    ]);
    expectNear(blocks[0]![1]!, [6, 8, 10, 6, 8, 10]);
    const [, [one, other]] = functional.hvp(
      (a, c) => a!.sum().mul(c!.sum()),
      [x, y],
      [ones([2]).double(), ones([3]).double()],
    ) as unknown as [Tensor, [Tensor, Tensor]];
    expectNear(one, [3, 3]);
    expectNear(other, [2, 2, 2]);
  });
});

describe('vjp and jvp', () => {
  test('the vector may be left out for a single element', () => {
    const [value, ct] = functional.vjp(sumOfCubes, x);
    expectNear(value as Tensor, [9]);
    expectNear(ct as Tensor, [3, 12]);
    const [values, t] = functional.jvp((a) => [a!.mul(x), a!], f64(2));
    expectNear((values as Tensor[])[0]!, [2, 4]);
    expectNear((t as Tensor[])[0]!, [1, 2]);
  });
});

test.each([
  [
    'a Hessian of a vector',
    () => functional.hessian((a) => a!.mul(2), x),
    /the tensor returned by the function given to hessian should contain a single element/,
  ],
  ['a Hessian of a list', () => functional.hessian((a) => [a!.sum()], x), /should return a single tensor/],
  [
    'a missing vector',
    () => functional.vjp((a) => a!.mul(2), x),
    /the vector v can only be left out if the user-provided function returns a single tensor with a single element/,
  ],
  [
    'a missing direction',
    () => functional.jvp((a) => a!.mul(2), x),
    /can only be left out if the input to the user-provided function is a single tensor with a single element/,
  ],
  ['a vector of another size', () => functional.vjp((a) => a!.mul(2), x, f64([1])), /v has invalid size: should be \[2\] but got \[1\]/],
  ['too many vectors', () => functional.jvp((a) => a!.mul(2), x, [x, x]), /v is a list of invalid length: should be 1 but got 2/],
  [
    'strict and independent of all',
    () => functional.jacobian(() => ones([2]), x, { strict: true }),
    /output 0 of the user-provided function does not require gradients; the outputs must be computed in a differentiable manner from the input when running in strict mode/,
  ],
  [
    'strict and independent of one',
    () => functional.jacobian((a) => a!.mul(2), [x, y], { strict: true }),
    /output 0 of the user-provided function is independent of input 1; this is not allowed in strict mode/,
  ],
  [
    'a strict Hessian of a linear function',
    () => functional.hessian((a) => a!.sum(), x, { strict: true }),
    /the gradient|does not require gradients/,
  ],
  [
    'strict and vectorize',
    () => functional.jacobian(sumOfCubes, x, { strict: true, vectorize: true }),
    /strict and vectorize are not supported together/,
  ],
  [
    'forward mode without vectorize',
    () => functional.jacobian(sumOfCubes, x, { strategy: 'forward-mode' }),
    /only supported with vectorize: true/,
  ],
  ['inputs that are no tensors', () => functional.jacobian(sumOfCubes, [3] as never), /the inputs must be a tensor or a list of tensors/],
  [
    'outputs that are no tensors',
    () => functional.jacobian(() => 3 as never, x),
    /the outputs of the user-provided function must be a tensor or a list of tensors/,
  ],
] as const)('refuses %s', (_, run, text) => {
  expect(run).toThrow(text);
});

test('without strict, what is independent has zeros', () => {
  expectNear(functional.jacobian(() => ones([2]), x) as Tensor, [0, 0, 0, 0]);
});
