// The example that ARCHITECTURE.md follows through the system.
import { tensor } from 'fluxion';

const x = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
const w = tensor([0.5, -1, 0.5], { requiresGrad: true });
const loss = x.mul(w).sum(1).sub(1).square().mean();
loss.backward();
console.log(loss, w.grad);
