// Adam over 4 M parameters: in one tensor, in sixty, and when its moments have decayed into subnormal numbers.
import { nn, optim, type Tensor } from '../../../compiler/index.ts';
import { adamUpdate } from '../peers/jax-adam.ts';
import { bytesOf, elements, type Input, normal, type StepRow } from '../row.ts';

const options = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8 } as const;

/** Adam with moments that are given, as a loaded checkpoint gives them; 1000 steps have been made, so corrections are near 1. */
function adam(parameters: readonly Tensor[], gradients: readonly Tensor[], moments: readonly Tensor[]): optim.Adam {
  const optimiser = new optim.Adam(parameters, options);
  const count = parameters.length;
  const state = Object.fromEntries(parameters.map((_, i) => [i, { step: 1000, expAvg: moments[i]!, expAvgSq: moments[count + i]! }]));
  optimiser.loadStateDict({ ...optimiser.stateDict(), state });
  for (const [i, p] of parameters.entries()) p.grad = gradients[i]!;
  return optimiser;
}

/** Inputs: parameters, first moments, second moments, gradients. */
const update = (
  work: string,
  shapes: readonly (readonly number[])[],
  fill: { moment: Input['fill']; gradient: Input['fill'] },
): StepRow => {
  const count = shapes.length;
  const total = shapes.reduce((n, s) => n + elements(s), 0);
  const ofAll = (f: Input['fill']): Input[] => shapes.map((shape) => ({ shape, fill: f }));
  return {
    kind: 'step',
    work,
    inputs: [...shapes.map((s) => normal(s)), ...ofAll(fill.moment), ...ofAll(fill.moment), ...ofAll(fill.gradient)],
    state: 3 * count,
    least: { read: bytesOf([4, total]), written: bytesOf([3, total]), divided: total },
    bound: 'memory',
    against512: 0.65,
    fluxion: (...xs) => {
      const parameters = xs.slice(0, count).map((x) => new nn.Parameter(x));
      const optimiser = adam(parameters, xs.slice(3 * count), xs.slice(count, 3 * count));
      return () => {
        optimiser.step();
        return parameters.slice(0, 1).map((p) => p.detach());
      };
    },
    jax: (j) => adamUpdate(j, count),
    torch: 'adam',
    xla: 'adam',
  };
};

const decayed = { moment: { value: 1e-40 }, gradient: { value: 0 } } as const;
const ordinary = { moment: { value: 1e-4 }, gradient: { scale: 0.01 } } as const;
/** Sizes as a network has them: matrices and vectors in turn. */
const sixty = (matrix: number): number[][] => Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? [matrix, matrix] : [matrix]));

const family = (rows: number, columns: number, matrix: number): StepRow[] => [
  update(`Adam over ${rows}x${columns} in one tensor`, [[rows, columns]], ordinary),
  update(`Adam over 60 tensors, 30 of ${matrix}x${matrix}`, sixty(matrix), ordinary),
  update(`Adam over ${rows}x${columns} with subnormal moments`, [[rows, columns]], decayed),
];
export const optimizers = family(4096, 1024, 373);
export const tinyOptimizers = family(3, 4, 3);
