// Every op of the table on WebGPU, in Node.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Machine } from '../../runtime/webgpu/state.ts';
import { testMachine } from '../webgpu/adapter.ts';
import { compiledOps } from './suite.ts';
import { verdictOnWebGpu } from './webgpu.ts';

let machine: Machine;
beforeAll(async () => {
  machine = await testMachine();
});
afterAll(() => machine.device.destroy());

for (const op of compiledOps)
  test(`${op} agrees with its meaning`, async () => {
    const { samples, wrong } = await verdictOnWebGpu(machine, op);
    expect(samples).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });
