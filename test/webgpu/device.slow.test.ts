// Tensors on the device `webgpu`: moved there and back, computed with, awaited, and refused where nobody can wait.
import {
  compile,
  DeviceError,
  DeviceLostError,
  DTypeError,
  F,
  fromGPUBuffer,
  gpuBuffer,
  gpuMemory,
  init,
  manualSeed,
  nn,
  noGrad,
  ones,
  optim,
  randn,
  recover,
  setDefaultDevice,
  synchronize,
  tensor,
  zeros,
} from 'fluxion';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { type DeviceName, getDefaultDevice } from '../../compiler/frontend/device.ts';
import { webgpuMachine } from '../../compiler/jit/gpu.ts';
import { initWebGpu } from './adapter.ts';

let before: DeviceName;
beforeAll(async () => {
  before = getDefaultDevice();
  await initWebGpu();
});
afterEach(() => setDefaultDevice(before));

test('a tensor goes to the GPU, is computed with there, and comes back', async () => {
  const x = tensor([1, 2, 3]).to('webgpu');
  const y = x.mul(2).add(1);
  expect([x.device, y.device]).toEqual(['webgpu', 'webgpu']);
  expect(await y.tolist()).toEqual([3, 5, 7]);
  expect(await y.sum().item()).toBe(15);
  const back = y.to('cpu');
  expect(back.device).toBe('cpu');
  await synchronize();
  expect(back.add(1).tolistSync()).toEqual([4, 6, 8]);
});

test('tensors are made on the default device', async () => {
  setDefaultDevice('webgpu');
  const x = ones([2, 2]).add(
    tensor([
      [1, 2],
      [3, 4],
    ]),
  );
  expect(x.device).toBe('webgpu');
  expect(await x.tolist()).toEqual([
    [2, 3],
    [4, 5],
  ]);
});

test('looking without waiting is refused with the way out', () => {
  const x = tensor([1, 2, 3]).to('webgpu');
  for (const look of [() => x.dataSync(), () => x.tolistSync(), () => x.sum().itemSync(), () => Number(x.sum()), () => JSON.stringify(x)]) {
    expect(look).toThrow(DeviceError);
    expect(look).toThrow('await data(), item() or tolist()');
  }
});

test('printing shows what is known without waiting', () => {
  const x = ones([2, 3]).to('webgpu');
  expect(String(x)).toBe('tensor([2, 3], dtype=float32, device=webgpu, await data() for the elements)');
});

test('elements under way are not there before they are awaited', async () => {
  const back = tensor([1, 2]).to('webgpu').add(1).to('cpu');
  expect(() => back.tolistSync()).toThrow('on their way from webgpu');
  expect([...(await back.data())]).toEqual([2, 3]);
  expect(back.tolistSync()).toEqual([2, 3]);
});

test('operands on two devices are refused by name', () => {
  const x = ones([3]).to('webgpu');
  expect(() => x.add(ones([3]))).toThrow('add: expected all tensors to be on the same device, but found them on webgpu and on cpu');
  expect(() => x.add(ones([3]))).toThrow(DeviceError);
});

test('work on both devices may alternate', async () => {
  const [x, y] = [ones([3]), ones([3]).to('webgpu')];
  const a = x.add(1);
  const c = y.add(2);
  const e = a.mul(2);
  const f = c.mul(3);
  expect(e.tolistSync()).toEqual([4, 4, 4]);
  expect(await f.tolist()).toEqual([9, 9, 9]);
});

test('float64 is refused, int64 is exact', async () => {
  expect(() => tensor([1, 2]).to('float64').to('webgpu')).toThrow(DTypeError);
  expect(() => tensor([1, 2]).to('webgpu').to('float64')).toThrow("has no float64; convert with to('float32')");
  setDefaultDevice('webgpu');
  expect(() => zeros([2], { dtype: 'float64' })).toThrow('this device has no float64');
  const big = tensor(BigInt64Array.of(2n ** 53n + 1n, -5n));
  expect([...(await big.mul(3).data())]).toEqual([3n * (2n ** 53n + 1n), -15n]);
});

test('init and setDefaultDevice name what is not there', async () => {
  await expect(init('gpu' as never)).rejects.toThrow("there is no device 'gpu'");
  expect(() => tensor([1]).to('cuda' as never)).toThrow();
});

test('a compiled function cannot wait', async () => {
  const x = tensor([1, 2]).to('webgpu');
  const f = compile((t: typeof x) => (t.sum().gt(0).itemSync() ? t.add(1) : t));
  expect(() => f(x)).toThrow('a compiled function does not wait');
});

/** Five steps of a small classifier: its losses, awaited in the end. */
async function losses(device: 'cpu' | 'webgpu', compiled: boolean): Promise<number[]> {
  manualSeed(0);
  const model = new nn.Sequential(new nn.Linear(20, 16), new nn.ReLU(), new nn.Linear(16, 5)).to(device);
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.05 });
  const x = randn([12, 20]).to(device);
  const y = tensor(BigInt64Array.from({ length: 12 }, (_, i) => BigInt(i % 5))).to(device);
  const plain = (images: typeof x, labels: typeof y) => {
    optimizer.zeroGrad();
    const logits = model(images);
    const loss = F.crossEntropy(logits, labels);
    loss.backward();
    optimizer.step();
    return { loss: loss.detach(), correct: noGrad(() => logits.argmax(1).eq(labels).sum()) };
  };
  const step = compiled ? compile(plain) : plain;
  const results = Array.from({ length: 5 }, () => step(x, y));
  return Promise.all(results.flatMap(({ loss, correct }) => [loss.item(), correct.item()]));
}

test.each([false, true])('training gives the losses of the CPU (compiled: %s)', async (compiled) => {
  const expected = await losses('cpu', compiled);
  const actual = await losses('webgpu', compiled);
  for (const [i, loss] of actual.entries()) expect(Math.abs(loss - expected[i]!)).toBeLessThanOrEqual(2e-5);
  expect(actual[8]).toBeLessThan(actual[0]!);
});

test('a step of training is one submit, whether or not it is compiled', async () => {
  setDefaultDevice('webgpu');
  const { device } = webgpuMachine();
  const model = new nn.Linear(8, 4);
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
  const x = randn([16, 8]);
  const plain = (images: typeof x) => {
    optimizer.zeroGrad();
    const loss = model(images).square().mean();
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
  for (const step of [plain, compile(plain)]) {
    for (let i = 0; i < 3; i++) await step(x).item();
    const [submit, create] = [vi.spyOn(device.queue, 'submit'), vi.spyOn(device, 'createBuffer')];
    let loss = step(x);
    for (let i = 1; i < 50; i++) loss = step(x);
    expect(submit).toHaveBeenCalledTimes(50);
    // State goes round between two buffers: nothing but the losses is new.
    if (step !== plain) expect(create.mock.calls.length).toBeLessThanOrEqual(60);
    submit.mockRestore();
    create.mockRestore();
    expect(await loss.item()).toBeGreaterThan(0);
  }
});

test('thousands of steps leave the memory of the device where it was', async () => {
  setDefaultDevice('webgpu');
  const w = randn([64], { requiresGrad: true });
  const optimizer = new optim.Adam([w]);
  const step = compile(() => {
    optimizer.zeroGrad();
    const loss = w.square().sum();
    loss.backward();
    optimizer.step();
    return loss.detach();
  });
  for (let i = 0; i < 50; i++) step();
  await synchronize();
  const before = gpuMemory();
  for (let i = 0; i < 500; i++) {
    const loss = step();
    if (i % 50 === 49) await loss.item();
    loss.dispose();
  }
  const after = gpuMemory();
  expect(after.live).toBeLessThanOrEqual(before.live);
  expect(after.live + after.idle).toBeLessThanOrEqual(before.live + before.idle + 4096);
});

test('what tensors have on the device is listed with the ops and lines that made it', async () => {
  const x = ones([1000]).to('webgpu');
  const kept = [1, 2, 3].map((k) => x.mul(k));
  for (const t of kept) await t.item().catch(() => t.data());
  const holder = gpuMemory().holders.find(({ what }) => what.includes('f32[1000] of mul device.slow.test.ts'));
  expect(holder).toMatchObject({ count: 3, bytes: 12_000 });
  for (const t of kept) t.dispose();
  expect(gpuMemory().holders.find(({ what }) => what.includes('f32[1000] of mul device.slow.test.ts'))).toBeUndefined();
});

test('memory that nobody reaches comes back past a mark', async () => {
  setDefaultDevice('webgpu');
  const m = webgpuMachine();
  const mark = m.sweepFrom;
  const x = ones([1 << 19]);
  expect(await x.sum().item()).toBe(2 ** 19);
  m.sweepFrom = m.liveBytes + (16 << 20);
  const most = m.sweepFrom + (64 << 20);
  for (let i = 0; i < 60; i++) {
    await x.add(i).narrow(0, 0, 1).item();
    m.sweepFrom = Math.min(m.sweepFrom, most - (32 << 20));
  }
  expect(m.liveBytes).toBeLessThan(most);
  m.sweepFrom = mark;
});

test('a buffer of the caller is a tensor, and a tensor is a buffer for passes of the caller', async () => {
  const { device } = webgpuMachine();
  // STORAGE | COPY_SRC | COPY_DST
  const mine = device.createBuffer({ size: 16, usage: 0x80 | 0x4 | 0x8 });
  device.queue.writeBuffer(mine, 0, Float32Array.of(1, 2, 3, 4));
  const x = fromGPUBuffer(mine, [2, 2]);
  const y = x.matmul(x);
  expect(await y.tolist()).toEqual([
    [7, 10],
    [15, 22],
  ]);
  const target = device.createBuffer({ size: 16, usage: 0x1 | 0x8 });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(await gpuBuffer(y.add(1)), 0, target, 0, 16);
  device.queue.submit([encoder.finish()]);
  await target.mapAsync(1);
  expect([...new Float32Array(target.getMappedRange())]).toEqual([8, 11, 16, 23]);
  x.dispose();
  target.destroy();
  // Disposing the tensor left the buffer to its owner.
  device.queue.writeBuffer(mine, 0, Float32Array.of(5, 5, 5, 5));
  expect(await fromGPUBuffer(mine, [4]).tolist()).toEqual([5, 5, 5, 5]);
  expect(() => fromGPUBuffer(mine, [5])).toThrow('shape [5] takes 20 bytes, and the buffer has 16');
  await expect(gpuBuffer(ones([1]))).rejects.toThrow('the tensor is on the CPU');
});

test('training goes on from the last state of the host after the device was lost, twice', async () => {
  manualSeed(1);
  const model = new nn.Linear(4, 2).to('webgpu');
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
  const x = randn([8, 4]);
  const train = async (): Promise<number> => {
    const loss = model(x.to('webgpu')).square().mean();
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    return loss.item();
  };
  await train();
  const state = Object.entries(model.stateDict()).map(([name, t]) => [name, t.to('cpu')] as const);
  await synchronize();
  const expected = await train();
  for (let round = 0; round < 2; round++) {
    const pending = train();
    webgpuMachine().device.destroy();
    await expect(pending).rejects.toThrow(DeviceLostError);
    expect(() => model(x.to('webgpu'))).not.toThrow();
    await recover();
    await expect(Promise.resolve(model.weight.data())).rejects.toThrow('lay on a device that was lost');
    model.loadStateDict(state);
    optimizer.zeroGrad();
    expect(await train()).toBe(expected);
  }
});

test('a convolutional network has the gradients of the CPU', async () => {
  const gradients = async (device: 'cpu' | 'webgpu'): Promise<number[]> => {
    manualSeed(3);
    const conv = new nn.Conv2d(1, 2, 3, { padding: 1 }).to(device);
    const x = randn([2, 1, 8, 8]).to(device);
    F.maxPool2d(F.relu(conv(x)), 2)
      .square()
      .sum()
      .backward();
    return [...((await conv.weight.grad!.data()) as Float32Array), ...((await conv.bias!.grad!.data()) as Float32Array)];
  };
  const expected = await gradients('cpu');
  for (const [i, g] of (await gradients('webgpu')).entries())
    expect(Math.abs(g - expected[i]!)).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(expected[i]!)));
});
