// A training step with everything that goes on from call to call: momentum, a slow copy of a network, a sum, and results of every kind.
import { aot, F, manualSeed, nn, noGrad, optim, spec, type Tensor, zeros } from 'fluxion';

manualSeed(0);
export const online = new nn.Linear(3, 2);
export const slow = new nn.Linear(3, 2);
noGrad(() => void slow.loadStateDict(online.stateDict()));
const optimizer = new optim.SGD(online.parameters(), { lr: 0.1, momentum: 0.9, dampening: 0.5 });
const dropout = new nn.Dropout(0.5);
export const seen = zeros([3]);

export const step = aot(
  (x: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.mseLoss(online(dropout(x)), slow(x).add(1).detach());
    loss.backward();
    optimizer.step();
    noGrad(() => {
      const fast = [...online.parameters()];
      for (const [i, p] of [...slow.parameters()].entries()) p.mul_(0.9).add_(fast[i]!, { alpha: 0.1 });
    });
    seen.add_(x.sum(0));
    return { loss, after: slow(x), seen, given: x, weight: online.weight, view: x.reshape([3, 4]) };
  },
  { inputs: { x: spec([4, 3]) }, targets: ['wasm', 'js'] },
);
