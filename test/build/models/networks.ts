// Functions that share weights: a classifier for some sizes, a training step with Adam and dropout, and a structure of arguments.
import { aot, dim, F, manualSeed, nn, optim, spec, type Tensor, tensor } from 'fluxion';
import { normalised } from './normalised.ts';

manualSeed(3);
export const model = new nn.Sequential(new nn.Linear(4, 6), new nn.BatchNorm1d(6), new nn.Dropout(0.25), new nn.Linear(6, 3));
const optimizer = new optim.Adam(model.parameters(), { lr: 0.05 });
const forward = (x: Tensor): Tensor => model(normalised(x)) as Tensor;

/** Tells what rows are. */
export const classify = aot(
  (rows: Tensor) => {
    model.eval();
    const probabilities = F.softmax(forward(rows), 1);
    return { probabilities, best: probabilities.argmax(1), kind: 'rows' };
  },
  { inputs: { rows: spec([dim('batch', { sizes: [1, 5] }), 4]) }, targets: ['wasm', 'js'] },
);

/**
 * One step of training.
 * @param rows a batch
 * @param scale of the loss
 */
export const train = aot(
  (rows: Tensor, labels: Tensor, scale: number) => {
    model.train();
    optimizer.zeroGrad();
    const loss = F.crossEntropy(forward(rows), labels).mul(scale);
    loss.backward();
    optimizer.step();
    return loss;
  },
  { inputs: { rows: spec([5, 4]), labels: spec([5], { dtype: 'int64' }), scale: 'number' }, targets: ['js', 'wasm'] },
);

export const weighted = aot(
  ({ a, rest }: { a: Tensor; rest: Tensor[] }, by: number) => [a.mul(by).add(rest[0]!), rest[0]!.flatten().mul(tensor([1, 2, 3, 4]).sum())],
  { inputs: { of: { a: spec([dim('n', 1, 9), 2]), rest: [spec([dim('n', 1, 9), 2])] }, by: 'number' }, targets: ['wasm', 'js'] },
);
