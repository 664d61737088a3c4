// Tensors on the device `webgpu`: moved there and back, computed with, awaited, and refused where nobody can wait.
import {
  compile,
  DeviceError,
  DTypeError,
  F,
  init,
  manualSeed,
  nn,
  noGrad,
  ones,
  optim,
  randn,
  setDefaultDevice,
  synchronize,
  tensor,
  zeros,
} from 'fluxion';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type DeviceName, getDefaultDevice } from '../../compiler/frontend/device.ts';
import { initWebGpu } from '../webgpu/adapter.ts';

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
