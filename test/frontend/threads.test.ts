// The number of threads changes no bit of any result.
import { F, getDefaultDevice, getNumThreads, manualSeed, nn, randn, setDefaultDevice, setNumThreads, type Tensor } from 'fluxion';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { wasmMachine } from '../../compiler/jit/machine.ts';
import { isReady } from '../../runtime/wasm/threads.ts';
import { isThorough } from '../effort.ts';

const before = { device: getDefaultDevice(), threads: getNumThreads() };
beforeAll(() => setDefaultDevice('wasm'));
afterAll(() => {
  setDefaultDevice(before.device);
  setNumThreads(before.threads);
});

/** Results, each of enough work to be shared, with odd sizes so that shares are uneven. */
function results(): Tensor[] {
  manualSeed(7);
  const x = randn([301, 257], { requiresGrad: true });
  const w = randn([257, 193], { requiresGrad: true });
  const norm = new nn.LayerNorm(257);
  const image = randn([4, 3, 33, 31]);
  const conv = new nn.Conv2d(3, 5, 3, { padding: 1 });
  const loss = F.gelu(norm.forward(x)).matmul(w).softmax(1).log().mean();
  loss.backward();
  return [
    loss,
    x.grad!,
    w.grad!,
    norm.weight!.grad!,
    x.mul(2).tanh().sum(),
    x.sum(0),
    x.argmax(1),
    x.max(),
    x.t().contiguous(),
    x.cumsum(1),
    x.sort(1).values,
    conv.forward(image),
    x.softmax(0),
  ].map((t) => t.detach());
}

const bits = (ts: readonly Tensor[]): Uint8Array[] => ts.map((t) => new Uint8Array(t.dataSync().buffer));

test('any number of threads gives the same bits', async () => {
  setNumThreads(1);
  // What is looked at is stored from the second time on, by other kernels with other roundings: all are compared with the third time.
  for (let warm = 0; warm < 2; warm++) bits(results());
  const expected = bits(results());
  for (const threads of isThorough ? [2, 3, 8] : [3]) {
    setNumThreads(threads);
    bits(results());
    const machine = wasmMachine();
    while (!isReady(machine.threads.pool!)) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(machine.threads.pool!.threads).toBe(threads);
    for (const [i, found] of bits(results()).entries()) expect(Buffer.compare(found, expected[i]!), `result ${i}`).toBe(0);
  }
});
