// The worker of the page: it has the data and the network, trains, and says which digit it sees, while the page stays free to draw.
import {
  compile,
  DataError,
  DataLoader,
  type DeviceName,
  F,
  fromTypedArray,
  getNumThreads,
  init,
  manualSeed,
  noGrad,
  optim,
  setDefaultDevice,
  type Tensor,
} from 'fluxion';
import { serve } from 'fluxion/worker';
import { Digits, readIdx, side } from '../mnist/digits.ts';
import { models } from '../mnist/model.ts';

export type Plan = {
  readonly device: DeviceName;
  readonly model: keyof typeof models;
  readonly epochs: number;
  /** The folder of the files of MNIST, as a URL. */
  readonly data: string;
  /** Images to learn from in an epoch, and to be judged by after it, at most. */
  readonly limit?: number;
};

/** How the training goes: told about ten times a second, and after each epoch with the share of unseen digits that are read right. */
export type Progress = {
  readonly epoch: number;
  /** Images since the training began, and how many there will have been. */
  readonly seen: number;
  readonly total: number;
  /** Seconds spent in training, without telling and testing. */
  readonly seconds: number;
  /** Mean over the steps since the last report. */
  readonly loss: number;
  readonly accuracy: number | undefined;
  readonly threads: number;
};

const batchSize = 64;
const highestRate = 0.004;
/** Milliseconds between two reports, roughly; what the page asks meanwhile waits so long. */
const interval = 80;

type Network = ReturnType<(typeof models)[Plan['model']]>;
let network: Network | undefined;
/** Ten probabilities for a batch of one; compiled with the network. */
let guess: ((image: Tensor) => Tensor) | undefined;

async function setUp({ device, model }: Pick<Plan, 'device' | 'model'>): Promise<Network> {
  await init(device);
  setDefaultDevice(device);
  manualSeed(0);
  const made = models[model]();
  network = made;
  guess = compile((image: Tensor) => noGrad(() => F.softmax(made(image), 1)));
  return made;
}

async function load(base: string, which: Which): Promise<Digits> {
  const read = async (name: string, item: readonly number[]): Promise<Uint8Array> => {
    const response = await fetch(new URL(name, base));
    if (!response.ok) throw new DataError(`${name}: ${response.status} ${response.statusText}`);
    return readIdx(new Uint8Array(await response.arrayBuffer()), item, name);
  };
  const [images, labels] = await Promise.all([read(`${which}-images-idx3-ubyte`, [side, side]), read(`${which}-labels-idx1-ubyte`, [])]);
  return new Digits(images, labels);
}

type Which = 'train' | 't10k';
/** Kept for the next training. */
const loaded = new Map<Which, Promise<Digits>>();
async function digits({ data, limit }: Plan, which: Which): Promise<Digits> {
  const known = loaded.get(which) ?? load(data, which);
  loaded.set(which, known);
  try {
    const { images, labels } = await known;
    return new Digits(images, labels, limit);
  } catch (error) {
    loaded.delete(which);
    throw error;
  }
}

/** Trains a new network; each value is asked for, so leaving the loop stops it. */
async function* train(plan: Plan): AsyncGenerator<Progress, void, undefined> {
  const [known, unknown] = await Promise.all([digits(plan, 'train'), digits(plan, 't10k')]);
  const { epochs } = plan;
  const model = await setUp(plan);
  const loader = new DataLoader(known, { batchSize, shuffle: true, dropLast: true });
  const optimizer = new optim.Adam(model.parameters(), { lr: highestRate });
  const scheduler = new optim.OneCycleLR(optimizer, highestRate, { epochs, stepsPerEpoch: loader.length });
  const step = compile((images: Tensor, labels: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model(images), labels);
    loss.backward();
    optimizer.step();
    return loss.detach();
  });
  const total = epochs * loader.length * batchSize;
  let seen = 0;
  let seconds = 0;
  const losses: Tensor[] = [];
  let loss = Number.NaN;
  const report = async (epoch: number, accuracy?: number): Promise<Progress> => {
    const values = (await Promise.all(losses.splice(0).map((t) => t.item()))) as number[];
    if (values.length > 0) loss = values.reduce((a, b) => a + b, 0) / values.length;
    return { epoch, seen, total, seconds, loss, accuracy, threads: getNumThreads() };
  };
  // Steps between two reports: a GPU is handed so many at a time.
  let stride = 1;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    model.train();
    let begin = performance.now();
    const look = async (): Promise<void> => {
      await losses.at(-1)?.item();
      const elapsed = performance.now() - begin;
      seconds += elapsed / 1000;
      stride = Math.max(1, Math.min(2 * stride, Math.round((stride * interval) / elapsed)));
    };
    for (const [images, labels] of loader) {
      losses.push(step(images, labels));
      scheduler.step();
      seen += batchSize;
      if (losses.length < stride) continue;
      await look();
      yield await report(epoch);
      begin = performance.now();
    }
    await look();
    yield await report(epoch, await judged(model, unknown));
  }
}

/** The share of digits that the network reads right. */
async function judged(model: Network, unknown: Digits): Promise<number> {
  model.eval();
  const right = compile((images: Tensor, labels: Tensor) => noGrad(() => model(images).argmax(1).eq(labels).sum()));
  let count = 0;
  for (const [images, labels] of new DataLoader(unknown, { batchSize: 500 })) count += Number(await right(images, labels).item());
  return count / unknown.length;
}

/** Ten probabilities for a picture of 28 x 28 normalised pixels. Before any training they are guesses. */
async function recognise(picture: Float32Array): Promise<readonly number[]> {
  if (network === undefined) await setUp({ device: 'wasm', model: 'mlp' });
  const image = fromTypedArray(picture, [1, 1, side, side]);
  return Array.from((await guess!(image).data()) as Float32Array);
}

const functions = { train, recognise };
export type Trainer = typeof functions;
serve(functions);
