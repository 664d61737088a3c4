// Running Programs on a WebGPU device: one submit each, failures that are told when somebody looks, and faults that never hang.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parse } from '../../../compiler/ir/parse.ts';
import { compileGraph } from '../../../compiler/lower/compile.ts';
import { evaluate, referenceOf } from '../../../compiler/ops/evaluate.ts';
import { type Buffer, copy, copySync, hostBuffer, release } from '../../../runtime/buffer.ts';
import { DeviceError, IndexError, OutOfMemoryError } from '../../../runtime/errors.ts';
import { webgpuTarget } from '../../../runtime/target.ts';
import { bindWebGpu } from '../../../runtime/webgpu/execute.ts';
import { arenaOf, openMachine } from '../../../runtime/webgpu/machine.ts';
import type { Machine } from '../../../runtime/webgpu/state.ts';
import { testMachine } from '../../webgpu/adapter.ts';
import { run } from '../../webgpu/run.ts';

let m: Machine;
beforeEach(async () => {
  m = await testMachine();
});
afterEach(() => m.device.destroy());

const load = (text: string) => bindWebGpu(compileGraph(parse(text), webgpuTarget), m);
const floats = (...values: number[]): Buffer => hostBuffer('f32', Float32Array.from(values));
const none = new Float64Array();

const double = `graph @main(%x: f32[3]) -> (%y: f32[3]) {
  %y: f32[3] = add(%x, %x)
}`;
const twoKernels = `
  graph @main(%x: f32[2,3], %a: slot f32) -> (%s: f32[2]) {
    %b: f32[2,3] = expand(%a) {shape: [2,3], at: [0,1]}
    %m: f32[2,3] = mul(%x, %b)
    %r: f32[2] = sum(%m) {axes: [1]}
    %e: f32[] = sum(%r) {axes: [0]}
    %f: f32[2] = expand(%e) {shape: [2], at: [0]}
    %s: f32[2] = div(%r, %f)
  }`;

test('a Program of several kernels is one submit', async () => {
  const { execute, program } = load(twoKernels);
  expect(program.steps.length).toBeGreaterThan(1);
  const submit = vi.spyOn(m.device.queue, 'submit');
  const [y] = execute([floats(1, 2, 3, 4, 5, 6)], Float64Array.of(0.5));
  expect(submit).toHaveBeenCalledTimes(1);
  submit.mockRestore();
  expect([...(await copy(y!))]).toEqual([Math.fround(6 / 21), Math.fround(15 / 21)]);
});

test('results stay on the device and feed the next run', async () => {
  const { execute } = load(double);
  let value = floats(1, 2, 3);
  const write = vi.spyOn(m.device.queue, 'writeBuffer');
  for (let i = 0; i < 10; i++) [value] = execute([value], none) as [Buffer];
  expect(write).toHaveBeenCalledTimes(1);
  write.mockRestore();
  expect([...(await copy(value))]).toEqual([1024, 2048, 3072]);
});

test('an output may take over the buffer of an input of the same run', async () => {
  const { execute } = load(double);
  const state = floats(1, 2, 3);
  execute([state], none, [state]);
  execute([state], none, [state]);
  expect([...(await copy(state))]).toEqual([4, 8, 12]);
});

test('bools and bytes keep their neighbours, whatever their number', async () => {
  const { execute } = load(`graph @main(%x: f32[7], %y: bool[7]) -> (%z: bool[7]) {
    %l: bool[7] = lt(%x, %x)
    %z: bool[7] = or(%l, %y)
  }`);
  const bits = Uint8Array.of(1, 0, 1, 1, 0, 0, 1);
  const [z] = execute([floats(1, 2, 3, 4, 5, 6, 7), hostBuffer('bool', bits)], none);
  expect([...(await copy(z!))]).toEqual([...bits]);
});

test.each([false, true])('a scan runs its body for every slice (reverse: %s)', async (reverse) => {
  const graph = parse(`
    graph @main(%h: f32[4], %xs: f32[6,4]) -> (%last: f32[4], %ys: f32[6,4]) {
      %last, %ys: f32[4], f32[6,4] = scan(%h, %xs) {carries: 1, length: 6, reverse: ${reverse}} body(%c: f32[4], %x: f32[4]) -> (%n, %y) {
        %m: f32[4] = mul(%c, %x)
        %n: f32[4] = add(%m, %x)
        %y: f32[4] = sub(%n, %c)
      }
    }`);
  const data = [
    referenceOf('f32', [4], [1, 2, -1, 0.5]),
    referenceOf(
      'f32',
      [6, 4],
      Array.from({ length: 24 }, (_, i) => ((i * 7) % 5) / 4 - 0.5),
    ),
  ];
  const expected = evaluate(graph, data);
  const actual = await run(m, graph, data);
  for (const [i, { data: values }] of actual.entries()) expect([...values]).toEqual([...expected[i]!.data].map(Math.fround));
});

const gathers = `graph @main(%x: f32[4,2], %i: i32[3,2]) -> (%y: f32[3,2]) {
  %y: f32[3,2] = gather(%x, %i) {axis: 0, mode: checked}
}`;

test('an index out of range is told when elements are awaited, and once only', async () => {
  const { execute } = load(gathers);
  const x = floats(0, 1, 2, 3, 4, 5, 6, 7);
  const [wrong] = execute([x, hostBuffer('i32', Int32Array.of(0, 4, 1, 1, 1, 1))], none);
  const [right] = execute([x, hostBuffer('i32', Int32Array.of(3, 3, 0, 0, 1, 1))], none);
  await expect(copy(wrong!)).rejects.toThrow(IndexError);
  expect([...(await copy(right!))]).toEqual([6, 7, 0, 1, 2, 3]);
});

test('elements cannot be read at once', () => {
  const { execute } = load(gathers);
  const [y] = execute([floats(0, 1, 2, 3, 4, 5, 6, 7), hostBuffer('i32', Int32Array.of(0, 1, 2, 0, 1, 2))], none);
  expect(() => copySync(y!)).toThrow(DeviceError);
  expect(() => copySync(y!)).toThrow('await data() or item()');
});

test('memory that is given back serves again', async () => {
  const { execute } = load(double);
  const x = floats(1, 2, 3);
  const create = vi.spyOn(m.device, 'createBuffer');
  for (let i = 0; i < 20; i++) release(execute([x], none)[0]!);
  // The input, the arena, and one output that is used again and again.
  expect(create.mock.calls.length).toBeLessThanOrEqual(3);
  create.mockRestore();
});

test('a buffer beyond what the adapter allows is refused before the device hears of it', () => {
  expect(() => arenaOf(m, 2 ** 40)).toThrow(OutOfMemoryError);
});

test('what the device refuses behind a call is told by the next', async () => {
  const { execute } = load(double);
  m.device.createBuffer({ size: 16, usage: 0 });
  await m.device.queue.onSubmittedWorkDone();
  expect(() => execute([floats(1, 2, 3)], none)).toThrow(/WebGPU refused a call/);
});

test('more operands than a stage binds are joined in several dispatches', async () => {
  const names = Array.from({ length: 20 }, (_, i) => `%x${i}`);
  const inputs = names.map((n) => `${n}: f32[2]`).join(', ');
  const { execute } = load(`graph @main(${inputs}) -> (%y: f32[40]) {\n  %y: f32[40] = concat(${names.join(', ')}) {axis: 0}\n}`);
  const [y] = execute(
    names.map((_, i) => floats(i, -i)),
    none,
  );
  expect([...(await copy(y!))]).toEqual(names.flatMap((_, i) => [i, -i]));
});

test('a shader that binds more than the adapter allows is refused by name', () => {
  const program = compileGraph(parse(double), webgpuTarget);
  const modules = program.shaders!.modules.map((shader) => ({
    ...shader,
    entries: shader.entries.map((entry) => ({ ...entry, bindings: Array.from({ length: 40 }, (_, i) => i) })),
  }));
  const crowded = { ...program, shaders: { ...program.shaders!, modules } };
  expect(() => bindWebGpu(crowded, m)).toThrow(/add_3 binds 38 buffers, and this adapter allows \d+/);
});

test('a lost device is told by every call, and nothing hangs', async () => {
  const { execute } = load(gathers);
  const inputs = [floats(0, 1, 2, 3, 4, 5, 6, 7), hostBuffer('i32', Int32Array.of(0, 1, 2, 0, 1, 2))];
  const [y] = execute(inputs, none);
  const pending = copy(y!);
  m.device.destroy();
  await expect(pending).rejects.toThrow(DeviceError);
  await m.device.lost;
  await expect(copy(y!)).rejects.toThrow(/device was lost/);
  expect(() => execute(inputs, none)).toThrow(/device was lost/);
  expect(() => load(gathers)).toThrow(/device was lost/);
});

test('where there is no adapter the error says what to install', async () => {
  const opening = openMachine({ requestAdapter: async () => null } as unknown as GPU);
  await expect(opening).rejects.toThrow(DeviceError);
  await expect(openMachine(undefined)).rejects.toThrow("install the package 'webgpu'");
});
