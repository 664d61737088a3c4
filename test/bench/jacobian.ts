// A whole Jacobian as one batched Program, beside the loop of backward passes that gives it row by row.
import { autograd, func, manualSeed, randn, stack, type Tensor } from '../../compiler/index.ts';
import { microseconds } from './clock.ts';
import type { Case, Cost } from './costs.ts';

const size = 64;

/** An MLP of one hidden layer from `size` numbers to `size` numbers. */
function mlp(): (x: Tensor) => Tensor {
  const [w, v] = [randn([size, 128]).mul(0.1), randn([128, size]).mul(0.1)];
  for (const t of [w, v]) t.dataSync();
  return (x) => x.matmul(w).tanh().matmul(v);
}

/** One backward pass for each result. */
function byRows(f: (x: Tensor) => Tensor, at: Tensor): Tensor {
  const x = at.detach().clone().requiresGrad_();
  const y = f(x);
  return stack(y.unbind(0).map((part) => autograd.grad(part, [x], { retainGraph: true })[0]!));
}

export const jacobian: Case = () => {
  manualSeed(0);
  const f = mlp();
  const x = randn([size]);
  x.dataSync();
  const ways = { jacrev: () => func.jacrev(f)(x), jacfwd: () => func.jacfwd(f)(x), loop: () => byRows(f, x) };
  const time = (way: () => Tensor): number => microseconds(() => void way().dataSync());
  const loop = time(ways.loop);
  return [
    { what: `Jacobian of an MLP ${size}-128-${size}, a loop of backward passes`, value: loop / 1000, unit: 'ms' },
    ...(['jacrev', 'jacfwd'] as const).flatMap((name): Cost[] => {
      const batched = time(ways[name]);
      return [
        { what: `  ${name}, one batched Program`, value: batched / 1000, unit: 'ms' },
        { what: '  times faster than the loop', value: loop / batched, unit: 'x', aim: '> 1' },
      ];
    }),
  ];
};
