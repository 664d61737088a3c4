// The first steps of the PyTorch tutorial on automatic differentiation: one layer, its loss, and the gradients of both parameters.
import { F, manualSeed, ones, randn, zeros } from 'fluxion';

manualSeed(0);
const x = ones([5]); // input
const y = zeros([3]); // expected output
const w = randn([5, 3], { requiresGrad: true });
const b = randn([3], { requiresGrad: true });

const z = x.matmul(w).add(b);
const loss = F.binaryCrossEntropyWithLogits(z, y);
loss.backward();

console.log(w.grad);
console.log(b.grad);
