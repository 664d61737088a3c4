// What becomes of buffers: compiled steps write into those that nobody can see any more, tensors go from device to device, state survives.
import {
  compile,
  DeviceError,
  fromTypedArray,
  getDefaultDevice,
  getNumThreads,
  manualSeed,
  nn,
  noGrad,
  ones,
  optim,
  setDefaultDevice,
  setNumThreads,
  tensor,
  zeros,
} from 'fluxion';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realise } from '../../compiler/frontend/boundary.ts';
import type { DeviceName } from '../../compiler/frontend/device.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { faults } from '../../runtime/faults.ts';

const before = getDefaultDevice();
afterEach(() => setDefaultDevice(before));

const bufferOf = (t: Tensor): object => realise(t.storage.value);
const large = 64 * 64;

describe.each(['js', 'wasm'] as const)('on %s', (device: DeviceName) => {
  beforeEach(() => setDefaultDevice(device));

  test('a state that has the elements of another under a new shape goes its own way', () => {
    const [a, b] = [zeros([4]), zeros([2, 2])];
    const both = compile((v: Tensor) => {
      const t = v.add(1);
      a.copy_(t);
      b.copy_(t.reshape([2, 2]));
    });
    for (let i = 0; i < 6; i++) both(tensor([i, i, i, i]));
    a.add_(1);
    expect([a.tolistSync(), b.tolistSync()]).toEqual([
      [7, 7, 7, 7],
      [
        [6, 6],
        [6, 6],
      ],
    ]);
  });

  /** A step whose gradient is twice its argument. */
  function gradientStep(): { w: Tensor; step: (x: Tensor) => void } {
    const w = ones([64, 64], { requiresGrad: true });
    const sgd = new optim.SGD([w], { lr: 0.5 });
    const step = compile((x: Tensor) => {
      sgd.zeroGrad();
      w.mul(x).mul(2).sum().backward();
      sgd.step();
    });
    return { w, step };
  }
  const filled = (value: number): Tensor => fromTypedArray(new Float32Array(large).fill(value), [64, 64]);

  test('gradients that nobody looks at take two buffers in turn', () => {
    const { w, step } = gradientStep();
    const seen = new Set<object>();
    for (let i = 0; i < 12; i++) {
      step(filled(i));
      if (i > 2) seen.add(bufferOf(w.gradient!));
    }
    expect(seen.size).toBe(2);
    expect(w.grad!.tolistSync()).toEqual(filled(22).tolistSync());
  });

  test('a gradient that somebody holds keeps its elements', () => {
    const { w, step } = gradientStep();
    const held: Tensor[] = [];
    for (let i = 0; i < 8; i++) {
      step(filled(i));
      if (i % 2 === 1) held.push(w.grad!);
    }
    expect(held.map((g) => g.sum().itemSync())).toEqual([2, 6, 10, 14].map((i) => i * large));
  });

  test('a gradient that is returned is nobody else’s to write', () => {
    const w = ones([64, 64], { requiresGrad: true });
    const step = compile((x: Tensor) => {
      w.grad = null;
      w.mul(x).mul(2).sum().backward();
      return w.grad!;
    });
    const held = Array.from({ length: 6 }, (_, i) => step(filled(i)));
    expect(held.map((g) => g.sum().itemSync())).toEqual([0, 2, 4, 6, 8, 10].map((i) => i * large));
  });

  test('a step that fails leaves the gradient and the parameters of the last one', () => {
    const { w, step } = gradientStep();
    for (let i = 0; i < 5; i++) step(filled(i));
    const [parameters, gradient] = [noGrad(() => w.sum().itemSync()), bufferOf(w.gradient!)];
    faults.at = (point) => {
      if (point === 'launch') throw new DeviceError('it broke');
    };
    try {
      expect(() => step(filled(9))).toThrow(DeviceError);
    } finally {
      faults.at = undefined;
    }
    expect(noGrad(() => w.sum().itemSync())).toBe(parameters);
    expect(bufferOf(w.gradient!)).toBe(gradient);
    expect(w.grad!.sum().itemSync()).toBe(8 * large);
  });

  test('an array that was read is the reader’s', () => {
    const x = ones([large]).add(1);
    (x.dataSync() as Float32Array).fill(7);
    expect(x.sum().itemSync()).toBe(2 * large);
  });
});

test('tensors and state go from device to device, compiled or not', async () => {
  async function losses(devices: readonly DeviceName[], isCompiled: boolean): Promise<number[]> {
    manualSeed(3);
    const model = new nn.Linear(64, 64);
    const adam = new optim.Adam(model.parameters());
    const x = ones([64, 64]).mul(0.5);
    const eager = (): Tensor => {
      adam.zeroGrad();
      const loss = model.forward(x).square().mean();
      loss.backward();
      adam.step();
      return loss.detach();
    };
    const step = isCompiled ? compile(eager) : eager;
    const seen: number[] = [];
    for (const device of devices) {
      setDefaultDevice(device);
      seen.push(await step().item());
    }
    return seen;
  }
  const expected = await losses(['js', 'js', 'js', 'js', 'js', 'js', 'js'], false);
  for (const isCompiled of [false, true]) {
    const mixed = await losses(['wasm', 'wasm', 'js', 'js', 'js', 'wasm', 'wasm'], isCompiled);
    for (const [i, loss] of mixed.entries()) expect(loss).toBeCloseTo(expected[i]!, 5);
  }
});

test('a compiled function is recorded once for each device', () => {
  const double = compile((x: Tensor) => x.mul(2));
  for (const device of ['js', 'wasm', 'js', 'wasm'] as const) {
    setDefaultDevice(device);
    expect(double(tensor([1, 2])).tolistSync()).toEqual([2, 4]);
  }
  expect(double.traces()).toBe(2);
});

test('the default device is told by name', () => {
  expect(() => setDefaultDevice('gpu' as DeviceName)).toThrow(/there is no device 'gpu'; use js or wasm/);
  setDefaultDevice('wasm');
  expect(getDefaultDevice()).toBe('wasm');
});

test('the number of threads is a positive integer', () => {
  const threads = getNumThreads();
  expect(threads).toBeGreaterThan(0);
  for (const bad of [0, -1, 1.5, Number.NaN, 1e9]) expect(() => setNumThreads(bad)).toThrow(/no number of threads; use 1 to 256/);
  setNumThreads(3);
  expect(getNumThreads()).toBe(3);
  setNumThreads(threads);
});
