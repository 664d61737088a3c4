// A model file in which nothing can be built; test/build/check.test.ts says why.
import { aot, dim, nn, optim, rand, spec, type Tensor, tensor } from 'fluxion';

const inputs = { x: spec([8, 4]) };
const fc = new nn.Linear(4, 3);
const optimizer = new optim.SGD(fc.parameters(), { lr: 0.1 });
const schedule = new optim.StepLR(optimizer, 1);
let calls = 0;

export const misshapen = aot((x: Tensor) => fc(x).matmul(x), { inputs });
export const observes = aot((x: Tensor) => (x.sum().itemSync() > 0 ? x : x.neg()), { inputs });
export const printsOut = aot((x: Tensor) => x.mul(x.toString().length), { inputs });
export const draws = aot((x: Tensor) => x.add(rand([4])), { inputs });
export const gambles = aot(
  (x: Tensor) => {
    const y = x.neg();
    return y.mul(Math.random());
  },
  { inputs },
);
export const counts = aot((x: Tensor) => x.reshape([++calls % 2 === 0 ? 32 : -1, 1]).sum(calls % 2), { inputs });
export const captures = aot((x: Tensor) => x.mul(tensor([Math.random()])), { inputs });
export const swapped = aot((x: Tensor, n: number) => x.mul(n), { inputs: { n: 'number', x: inputs.x } });
export const mistaken = aot((x: Tensor, n: number) => x.mul(n), { inputs: { x: inputs.x, n: spec([]) } });
export const computes = aot((x: Tensor, n: number) => x.mul(n + 1), { inputs: { x: inputs.x, n: 'number' } });
export const opaque = aot((x: Tensor) => new Map([['y', x]]), { inputs });
export const overwrites = aot((x: Tensor) => x.add_(1), { inputs });
export const accumulates = aot(
  (x: Tensor) => {
    fc(x).sum().backward();
    return fc.weight.grad!;
  },
  { inputs },
);
export const schedules = aot(
  (x: Tensor) => {
    optimizer.zeroGrad();
    fc(x).sum().backward();
    optimizer.step();
    schedule.step();
  },
  { inputs },
);
export const waits = aot(async (x: Tensor) => x, { inputs });
export const uneven = aot((x: Tensor) => x.reshape([1, -1]).expand([x.shape[0]! ** 2, -1]), {
  inputs: { x: spec([dim('n', { sizes: [1, 2, 3] })]) },
});
export default aot((x: Tensor) => x.neg(), { inputs });
