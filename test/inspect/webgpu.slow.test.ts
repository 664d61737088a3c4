// Inspection of Programs for WebGPU: their WGSL, and profiles by the clock of the device.
import { compile, ones, setDefaultDevice, synchronize } from 'fluxion';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type DeviceName, getDefaultDevice } from '../../compiler/frontend/device.ts';
import {
  describePrograms,
  examine,
  inspectedGraph,
  measureGpuLimits,
  startProfile,
  timingOf,
  watch,
} from '../../compiler/inspect/index.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { webgpuTarget } from '../../runtime/target.ts';
import { initWebGpu } from '../webgpu/adapter.ts';

let before: DeviceName;
beforeAll(async () => {
  before = getDefaultDevice();
  await initWebGpu();
});
afterEach(() => setDefaultDevice(before));

test('the WGSL of each kernel stands behind its loop nest', () => {
  const graph = parse('graph @relu(%x: f32[4]) -> (%y: f32[4]) {\n  %z: f32[4] = neg(%x)\n  %y: f32[4] = exp(%z)\n}');
  const text = describePrograms([inspectedGraph('relu', graph, webgpuTarget)]);
  expect(text).toContain('//   par i: 4 {');
  expect(text).toContain('@compute @workgroup_size(64)');
  expect(text).toContain('fn neg_exp_4(');
});

test('launches are timed by the device, and limits as well', async () => {
  setDefaultDevice('webgpu');
  const profiler = startProfile();
  try {
    const limits = await measureGpuLimits(profiler);
    expect(limits!.flopsPerMs).toBeGreaterThan(0);
    const watched = watch();
    const f = compile((x: ReturnType<typeof ones>) => x.matmul(x).sum(0));
    for (let i = 0; i < 3; i++) await f(ones([16, 16])).data();
    await synchronize();
    watched.stop();
    const timing = timingOf(watched.programs(), profiler.runs(), limits!);
    const program = timing.programs.find(({ kernels }) => kernels.length > 0)!;
    expect(program.runs).toBeGreaterThanOrEqual(2);
    for (const { ms } of program.kernels) expect(ms).toBeGreaterThanOrEqual(0);
  } finally {
    profiler.stop();
  }
});

test('the doctor tries the device', async () => {
  const found = (await examine()).find((f) => f.what === 'device webgpu');
  expect(found).toMatchObject({ state: 'ok', detail: "computes; await init('webgpu') opens it" });
});
