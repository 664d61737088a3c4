// In a page or a worker of its own: steps of training whose kernels are large enough to be shared, told by a digest of all their bits.
import { F, init, manualSeed, nn, noGrad, optim, randint, randn, setDefaultDevice, setNumThreads, type Tensor } from 'fluxion';
import { wasmMachine } from '../../../compiler/jit/machine.ts';
import { isReady } from '../../../runtime/wasm/threads.ts';

/** FNV-1a over the bytes of all tensors. */
function digest(tensors: readonly Tensor[]): string {
  let hash = 0x811c9dc5;
  for (const t of tensors) {
    const array = t.dataSync();
    for (const byte of new Uint8Array(array.buffer, array.byteOffset, array.byteLength)) hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash >>> 0).toString(16);
}

/** A few steps of a network with products, a convolution, long sums and transcendentals; with the given number of threads. */
export async function train(threads: number): Promise<{ readonly digest: string; readonly helpers: number }> {
  setDefaultDevice('wasm');
  setNumThreads(threads);
  // From here on the loop never yields, as many do.
  await init('wasm');
  manualSeed(0);
  const conv = new nn.Conv2d(1, 8, 3);
  const hidden = new nn.Linear(8 * 26 * 26, 64);
  const output = new nn.Linear(64, 10);
  const parameters = [conv, hidden, output].flatMap((m) => [...m.parameters()]);
  const optimizer = new optim.Adam(parameters, { lr: 0.01 });
  const losses: Tensor[] = [];
  for (let step = 0; step < 4; step++) {
    const images = randn([64, 1, 28, 28]);
    const labels = randint(0, 10, [64]);
    optimizer.zeroGrad();
    const loss = F.crossEntropy(output(F.gelu(hidden(F.tanh(conv(images)).flatten(1)))), labels);
    loss.backward();
    optimizer.step();
    losses.push(loss.detach());
    loss.itemSync();
  }
  return { digest: noGrad(() => digest([...losses, ...parameters])), helpers: helpers() };
}

/** How many threads a large kernel would be shared by now. */
function helpers(): number {
  const { threads } = wasmMachine();
  return threads.pool !== undefined && isReady(threads.pool) ? threads.pool.threads : 1;
}

/** The same in a worker of the page, where waiting may block. */
export function trainInWorker(threads: number): Promise<unknown> {
  const code = `import { train } from ${JSON.stringify(import.meta.url)}; postMessage(await train(${threads}));`;
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), { type: 'module' });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  });
}

/** Ends the other thread without its knowledge, trains, and trains again. */
export async function trainThroughDeath(): Promise<unknown> {
  await train(2);
  const { pool } = wasmMachine().threads;
  for (const worker of pool!.workers) worker.terminate();
  // Chromium lets a worker that does not yield go on for two seconds.
  await new Promise((resolve) => setTimeout(resolve, 2_200));
  const error = await train(2).then(
    () => 'none',
    (e: Error) => e.name,
  );
  return { error, ...(await train(2)) };
}
