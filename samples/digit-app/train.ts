// Trains the page's network on the real MNIST and writes its weights: `npm run digit:train`, some minutes. The page has them already.
import { fileURLToPath } from 'node:url';
import { compile, DataLoader, F, fromTypedArray, manualSeed, noGrad, optim, randint, save, type Tensor } from 'fluxion';
import { MNIST } from '../mnist/data.ts';
import { startProgress } from '../mnist/progress.ts';
import { DigitNet } from './model.ts';
import { side } from './size.ts';

/** A drawn digit does not lie quite where MNIST has it, so each image is moved, by up to so many pixels each way. */
const reach = 2;
const epochs = 4;
const batchSize = 128;
const lr = 0.004;

/** MNIST as the page has it: ink between 0 and 1, moved a little while training. */
class Ink extends MNIST {
  readonly #reach: number;
  constructor({ train }: { readonly train: boolean }) {
    super({ train });
    this.#reach = train ? reach : 0;
  }

  override getBatch(indices: readonly number[]): [images: Tensor, labels: Tensor] {
    const n = indices.length;
    const ink = new Float32Array(n * side * side);
    const moves = randint(-this.#reach, this.#reach + 1, [n, 2]).dataSync();
    indices.forEach((index, i) => {
      const [down, right] = [Number(moves[2 * i]), Number(moves[2 * i + 1])];
      for (let y = Math.max(0, down); y < Math.min(side, side + down); y++)
        for (let x = Math.max(0, right); x < Math.min(side, side + right); x++)
          ink[(i * side + y) * side + x] = this.images[(index * side + y - down) * side + x - right]! / 255;
    });
    const labels = BigInt64Array.from(indices, (index) => BigInt(this.labels[index]!));
    return [fromTypedArray(ink, [n, 1, side, side]), fromTypedArray(labels, [n])];
  }
}

manualSeed(1);
const net = new DigitNet();
const train = new Ink({ train: true });
const test = new Ink({ train: false });
const loader = new DataLoader(train, { batchSize, shuffle: true });
const optimizer = new optim.Adam(net.parameters(), { lr });
const scheduler = new optim.OneCycleLR(optimizer, lr, { epochs, stepsPerEpoch: loader.length });

const step = compile((images: Tensor, labels: Tensor) => {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(net(images), labels);
  loss.backward();
  optimizer.step();
  return loss.detach();
});
const right = compile((images: Tensor, labels: Tensor) => noGrad(() => net(images).argmax(1).eq(labels).sum()));

for (let epoch = 1; epoch <= epochs; epoch++) {
  const progress = startProgress(`epoch ${epoch}/${epochs}`, train.length);
  let seen = 0;
  let total = 0;
  for (const [images, labels] of loader) {
    total += step(images, labels).itemSync() * images.shape[0]!;
    scheduler.step();
    seen += images.shape[0]!;
    progress.advance(seen, total / seen);
  }
  let hits = 0;
  for (const [images, labels] of new DataLoader(test, { batchSize: 500 })) hits += Number(right(images, labels).itemSync());
  progress.finish(`loss ${(total / seen).toFixed(4)}  test ${((100 * hits) / test.length).toFixed(2)} %`);
}
await save(fileURLToPath(new URL('weights.safetensors', import.meta.url)), net.stateDict());
