// Gradients where clamp, maximum and minimum meet a tie, in both modes: the subgradient of least norm over all tensors that take part, as PyTorch gives it.
import { expect, test } from 'vitest';
import { fmax, fmin, func, maximum, minimum, type Tensor, tensor } from '../../../compiler/index.ts';
import { elements, f64 } from './near.ts';

type F = (...xs: Tensor[]) => Tensor;
const clamp: F = (x, low, high) => x!.clamp(low, high);
const atMost: F = (x, high) => x!.clamp(undefined, high);
const within: F = (x) => x!.clamp(1, 2);

const ties: readonly (readonly [what: string, f: F, xs: readonly (readonly number[])[], gradients: readonly (readonly number[])[]])[] = [
  [
    'clamp between tensors: at one bound, at both, outside, and between bounds that cross',
    clamp,
    [
      [1, 2, 3, 2, 5, 0],
      [1, 1, 1, 2, 1, 3],
      [2, 2, 2, 2, 3, 1],
    ],
    [
      [0.5, 0.5, 0, 1, 0, 0],
      [0.5, 0, 0, 0, 0, 0],
      [0, 0.5, 1, 0, 1, 1],
    ],
  ],
  [
    'clamp between bounds that cross or meet',
    clamp,
    [
      [1, 1, 3, 3],
      [3, 1, 3, 1],
      [1, 1, 3, 3],
    ],
    [
      [0, 1, 1, 0.5],
      [0, 0, 0, 0],
      [1, 0, 0, 0.5],
    ],
  ],
  [
    'clamp from below',
    clamp,
    [
      [1, 2, 0],
      [1, 1, 1],
    ],
    [
      [0.5, 1, 0],
      [0.5, 0, 1],
    ],
  ],
  [
    'clamp from above',
    atMost,
    [
      [1, 2, 0],
      [1, 1, 1],
    ],
    [
      [0.5, 0, 1],
      [0.5, 1, 0],
    ],
  ],
  ['clamp between numbers, which are fixed', within, [[1, 2, 1.5]], [[0, 0, 1]]],
  ...[maximum, fmax].map(
    (f) =>
      [
        f === maximum ? 'maximum' : 'fmax',
        f as F,
        [
          [1, 2],
          [1, 3],
        ],
        [
          [0.5, 0],
          [0.5, 1],
        ],
      ] as const,
  ),
  ...[minimum, fmin].map(
    (f) =>
      [
        f === minimum ? 'minimum' : 'fmin',
        f as F,
        [
          [1, 2],
          [1, 3],
        ],
        [
          [0.5, 1],
          [0.5, 0],
        ],
      ] as const,
  ),
];

test.each(ties)('%s', (_, f, data, gradients) => {
  const leaves = data.map((x) => tensor([...x], { dtype: 'float64', requiresGrad: true }));
  f(...leaves)
    .sum()
    .backward();
  expect(leaves.map((x) => elements(x.grad!))).toEqual(gradients);
  const xs = data.map((x) => f64([...x]));
  const along = (i: number): Tensor[] => data.map((x, j) => f64(x.map(() => (i === j ? 1 : 0))));
  expect(data.map((_, i) => elements(func.jvp(f, xs as [], along(i) as [])[1]))).toEqual(gradients);
  // Each piece is linear, so that nothing is left to differentiate.
  const argnums = data.map((_, i) => i);
  for (const row of func.hessian((...all: Tensor[]) => f(...all).sum(), { argnums })(...xs) as unknown as Tensor[][])
    for (const block of row) expect(elements(block).every((v) => v === 0)).toBe(true);
});
