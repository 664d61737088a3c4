// Epochs of loaders with Web Workers, in a page. What was loaded, or went wrong, is told as plain data; the workers are counted.
import { DataLoader, FluxionError, Generator, manualSeed, type Tensor } from 'fluxion';
import type * as Datasets from './datasets.ts';

/** At an address of its own, where workers find it as well. */
const datasets = (await import(new URL('./datasets.js', import.meta.url).href)) as typeof Datasets;
const { digits, failing, keep, shards } = datasets;

const started: string[] = [];
let living = 0;
/** Texts of workers that the page still holds. */
const texts = new Set<string>();
const { createObjectURL, revokeObjectURL } = URL;
Object.assign(URL, {
  createObjectURL: (blob: Blob) => {
    const url = createObjectURL(blob);
    texts.add(url);
    return url;
  },
  revokeObjectURL: (url: string) => {
    texts.delete(url);
    revokeObjectURL(url);
  },
});
globalThis.Worker = class extends Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    super(...args);
    started.push(String(args[0]));
    living++;
  }
  override terminate(): void {
    living--;
    super.terminate();
  }
};

type Told = {
  readonly batches: unknown[];
  readonly error?: { readonly name: string; readonly message: string; readonly isTyped: boolean };
};

async function tell(loader: AsyncIterable<unknown>): Promise<Told> {
  const batches: unknown[] = [];
  try {
    for await (const batch of loader) batches.push(plain(batch));
  } catch (error) {
    const { name, message } = error as Error;
    return { batches, error: { name, message, isTyped: error instanceof FluxionError } };
  }
  return { batches };
}
const plain = (batch: unknown): unknown =>
  Array.isArray(batch) ? batch.map((x) => (typeof x === 'object' ? (x as Tensor).tolistSync() : x)) : batch;

/** Two epochs, shuffled by one generator. */
export async function epochs(numWorkers: number, persistentWorkers = false): Promise<unknown> {
  manualSeed(0);
  started.length = 0;
  const options = { batchSize: 4, shuffle: true, numWorkers, ...(numWorkers > 0 && { persistentWorkers }) };
  const loader = new DataLoader(digits(10), { ...options, generator: new Generator().manualSeed(7) });
  const told = [await tell(loader), await tell(loader)];
  await loader.close();
  return { told, started: started.length, living: living + texts.size };
}

/** The order of PyTorch for seed 0. */
export function order(): Promise<Told> {
  manualSeed(0);
  const numbers = failing(10, 'throws', new Int32Array(1));
  return tell(new DataLoader(numbers, { batchSize: 4, shuffle: true, numWorkers: 2, collateFn: keep }));
}

export const sharded = (): Promise<Told> => tell(new DataLoader(shards(10), { batchSize: 2, numWorkers: 2, collateFn: keep }));

/** An epoch that fails at sample 5 in the given way, and one more after it was mended. */
export async function failures(how: Datasets.Fault, timeout = 0): Promise<unknown> {
  manualSeed(0);
  const broken = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  const loader = new DataLoader(failing(8, how, broken), { batchSize: 2, numWorkers: 2, timeout, collateFn: keep });
  const first = await tell(loader);
  broken[0] = 0;
  return { first, second: await tell(loader), living: living + texts.size };
}

/** Leaves the loop after the first batch. */
export async function left(): Promise<unknown> {
  manualSeed(0);
  for await (const _ of new DataLoader(digits(100), { batchSize: 2, numWorkers: 2 })) break;
  return living + texts.size;
}
