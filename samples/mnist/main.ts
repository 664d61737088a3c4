// Trains a network on the real MNIST: `npm start`, or `npm start -- --model cnn --epochs 1`.
import { compile, DataLoader, F, FluxionError, manualSeed, noGrad, optim, setDefaultDevice, type Tensor } from 'fluxion';
import { MNIST } from './data.ts';
import { models } from './model.ts';
import { type Options, readOptions, usage } from './options.ts';
import { startProgress } from './progress.ts';

function main({ device, model: name, epochs, batchSize, lr, seed, limit }: Options): void {
  setDefaultDevice(device);
  manualSeed(seed);
  const model = models[name]();
  const train = new MNIST({ train: true, limit });
  const test = new MNIST({ train: false, limit });
  const trainLoader = new DataLoader(train, { batchSize, shuffle: true });
  const testLoader = new DataLoader(test, { batchSize: 500 });
  const optimizer = new optim.Adam(model.parameters(), { lr });
  const scheduler = new optim.OneCycleLR(optimizer, lr, { epochs, stepsPerEpoch: trainLoader.length });

  // Compiled: recorded at the first batch of each size, replayed for the others.
  const trainStep = compile((images: Tensor, labels: Tensor) => {
    optimizer.zeroGrad();
    const logits = model(images);
    const loss = F.crossEntropy(logits, labels);
    loss.backward();
    optimizer.step();
    return { loss: loss.detach(), correct: correct(logits, labels) };
  });
  const testStep = compile((images: Tensor, labels: Tensor) => noGrad(() => correct(model(images), labels)));

  function evaluate(): number {
    model.eval();
    let right = 0;
    for (const [images, labels] of testLoader) right += testStep(images, labels).itemSync();
    return right / test.length;
  }

  console.log(`${name}: ${model.parameters().reduce((n, p) => n + p.numel(), 0)} parameters, ${train.length} training images`);
  let accuracy = 0;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    model.train();
    const progress = startProgress(`epoch ${epoch}/${epochs}`, train.length);
    let seen = 0;
    let right = 0;
    let totalLoss = 0;
    for (const [images, labels] of trainLoader) {
      const step = trainStep(images, labels);
      scheduler.step();
      seen += labels.numel();
      right += step.correct.itemSync();
      totalLoss += step.loss.itemSync() * labels.numel();
      progress.advance(seen, totalLoss / seen);
    }
    accuracy = evaluate();
    progress.finish(`loss ${(totalLoss / seen).toFixed(4)}  accuracy ${percent(right / seen)}  test ${percent(accuracy)}`);
  }
  console.log(`test accuracy ${percent(accuracy)}`);
}

/** How many of the labels are guessed right. */
const correct = (logits: Tensor, labels: Tensor): Tensor => logits.argmax(1).eq(labels).sum();

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) console.log(usage);
  else main(options);
} catch (error) {
  if (!(error instanceof FluxionError)) throw error;
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
}
