// Ten thousand steps in a loop that never yields leave linear memory and host memory where they were after the first two hundred.
import { compile, F, getDefaultDevice, manualSeed, nn, optim, randn, setDefaultDevice } from 'fluxion';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { wasmMachine } from '../../compiler/jit/machine.ts';

const before = getDefaultDevice();
beforeEach(() => setDefaultDevice('wasm'));
afterEach(() => setDefaultDevice(before));

test.each([true, false])(
  'on wasm, compiled: %s',
  (isCompiled) => {
    manualSeed(0);
    const model = new nn.Sequential(new nn.Linear(64, 64), new nn.ReLU(), new nn.Linear(64, 64));
    const adam = new optim.Adam(model.parameters());
    const eager = (x: Tensor, y: Tensor): Tensor => {
      adam.zeroGrad();
      const loss = F.mseLoss(model.forward(x), y);
      loss.backward();
      adam.step();
      return loss.detach();
    };
    const step = isCompiled ? compile(eager) : eager;
    const [x, y] = [randn([32, 64]), randn([32, 64])];
    const { heap } = wasmMachine().residency.linear;
    const first = step(x, y).itemSync();
    let top = 0;
    let hostBytes = 0;
    for (let i = 1; i <= 10_000; i++) {
      step(x, y);
      if (i === 200) top = heap.top;
      if (i % 100 === 0) hostBytes = Math.max(hostBytes, process.memoryUsage().arrayBuffers);
    }
    expect(heap.top).toBe(top);
    expect(hostBytes).toBeLessThan(256 << 20);
    expect(step(x, y).itemSync()).toBeLessThan(first / 10);
  },
  90_000,
);
