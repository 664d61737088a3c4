// What the garbage collector finds dead gives its memory back when the program yields.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { type Buffer, hostBuffer, readSync } from '../../../runtime/buffer.ts';
import { bindWasm, type Machine, makeMachine } from '../../../runtime/wasm/execute.ts';
import { openMemory } from '../../../runtime/wasm/memory.ts';
import { scaling } from './programs.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
setFlagsFromString('--no-expose-gc');

/** Collects until `isDone`, for some seconds at most. */
async function collected(isDone: () => boolean): Promise<boolean> {
  for (let attempt = 0; attempt < 100 && !isDone(); attempt++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return isDone();
}

const n = 10_000;
const machineOf = (): Machine => makeMachine(openMemory(1024), () => undefined);
const ones = (): Buffer => hostBuffer('f32', new Float32Array(n).fill(1));

test('blocks of buffers that nobody holds are freed, others are not', async () => {
  const { residency, ...rest } = machineOf();
  const executable = bindWasm(scaling(n), { residency, ...rest });
  const double = (x: Buffer): Buffer => executable.execute([x], Float64Array.of(2))[0]!;
  const held = double(ones());
  const one = residency.bytes / 2;
  for (let i = 0; i < 20; i++) double(ones());
  expect(residency.bytes).toBe(42 * one);
  expect(await collected(() => residency.bytes === one)).toBe(true);
  expect(readSync(held)[n - 1]).toBe(2);
});

test('a Program that nobody can run any more gives its memory back', async () => {
  const machine = machineOf();
  const { heap } = machine.residency.linear;
  const constant = { dtype: 'f32', length: 3000, base64: btoa('\0'.repeat(12_000)) } as const;
  const run = bindWasm(scaling(8, { constants: [constant] }), machine).run;
  const { used } = heap;
  for (let i = 0; i < 10; i++) bindWasm(scaling(8, { constants: [constant] }), machine);
  expect(heap.used).toBe(11 * used);
  expect(await collected(() => heap.used === used)).toBe(true);
  expect(run([new Float32Array(8).fill(3)], Float64Array.of(2))[0]![7]).toBe(6);
});
