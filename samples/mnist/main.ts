// Trains a network on the real MNIST: `npm start`, or `npm start -- --model cnn --epochs 1`.
import {
  compile,
  DataLoader,
  F,
  FluxionError,
  init,
  manualSeed,
  noGrad,
  optim,
  setDefaultDevice,
  stack,
  type Tensor,
  zeros,
} from 'fluxion';
import { MNIST } from './data.ts';
import { models } from './model.ts';
import { type Options, readOptions, usage } from './options.ts';
import { startProgress } from './progress.ts';

/** Steps between two looks at the loss: a GPU runs ahead of the program until somebody looks. */
const stepsPerLook = 50;

async function main({ device, model: name, epochs, batchSize, lr, seed, limit }: Options): Promise<void> {
  await init(device);
  setDefaultDevice(device);
  manualSeed(seed);
  const model = models[name]();
  const train = new MNIST({ train: true, limit });
  const test = new MNIST({ train: false, limit });
  const trainLoader = new DataLoader(train, { batchSize, shuffle: true });
  const testLoader = new DataLoader(test, { batchSize: 500 });
  const optimizer = new optim.Adam(model.parameters(), { lr });
  const scheduler = new optim.OneCycleLR(optimizer, lr, { epochs, stepsPerEpoch: trainLoader.length });

  // Compiled: recorded at the first batch of each size, replayed for the others. Sums of losses and of right guesses stay on the device.
  const trainStep = compile((images: Tensor, labels: Tensor, sums: Tensor) => {
    optimizer.zeroGrad();
    const logits = model(images);
    const loss = F.crossEntropy(logits, labels);
    loss.backward();
    optimizer.step();
    return sums.add(stack([loss.detach().mul(labels.numel()), correct(logits, labels)]));
  });
  const testStep = compile((images: Tensor, labels: Tensor, right: Tensor) => noGrad(() => right.add(correct(model(images), labels))));

  async function evaluate(): Promise<number> {
    model.eval();
    let right = zeros([]);
    for (const [images, labels] of testLoader) right = testStep(images, labels, right);
    return (await right.item()) / test.length;
  }

  console.log(`${name}: ${model.parameters().reduce((n, p) => n + p.numel(), 0)} parameters, ${train.length} training images`);
  let accuracy = 0;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    model.train();
    const progress = startProgress(`epoch ${epoch}/${epochs}`, train.length);
    let seen = 0;
    let steps = 0;
    let sums = zeros([2]);
    for (const [images, labels] of trainLoader) {
      sums = trainStep(images, labels, sums);
      scheduler.step();
      seen += labels.numel();
      if (++steps % stepsPerLook === 0) progress.advance(seen, Number((await sums.data())[0]) / seen);
    }
    const [totalLoss, right] = (await sums.data()) as Float32Array;
    accuracy = await evaluate();
    progress.finish(`loss ${(totalLoss! / seen).toFixed(4)}  accuracy ${percent(right! / seen)}  test ${percent(accuracy)}`);
  }
  console.log(`test accuracy ${percent(accuracy)}`);
}

/** How many of the labels are guessed right. */
const correct = (logits: Tensor, labels: Tensor): Tensor => logits.argmax(1).eq(labels).sum().to('float32');

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) console.log(usage);
  else await main(options);
} catch (error) {
  if (!(error instanceof FluxionError)) throw error;
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
}
