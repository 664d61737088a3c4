// Running Programs on a WebGPU device: one submit each, failures that are told when somebody looks, and faults that never hang.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parse } from '../../../compiler/ir/parse.ts';
import { compileGraph } from '../../../compiler/lower/compile.ts';
import { evaluate, referenceOf } from '../../../compiler/ops/evaluate.ts';
import { type Buffer, copy, copySync, hostBuffer, release } from '../../../runtime/buffer.ts';
import { DeviceError, DeviceLostError, IndexError, LinAlgError, OutOfMemoryError } from '../../../runtime/errors.ts';
import { webgpuTarget } from '../../../runtime/target.ts';
import { bindWebGpu } from '../../../runtime/webgpu/execute.ts';
import { arenaOf, idle, openMachine, replaceDevice } from '../../../runtime/webgpu/machine.ts';
import type { Machine } from '../../../runtime/webgpu/state.ts';
import { testDevice, testMachine } from '../../webgpu/adapter.ts';
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
  // Its shaders are compiled when the first run is over.
  await copy(execute([floats(1, 2, 3, 4, 5, 6)], Float64Array.of(1))[0]!);
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

test('branches and loops run on the device as data have it, one in the other', async () => {
  // Collatz: how many steps lead from x to 1.
  const graph = parse(`graph @main(%x: i32[], %n: i32[]) -> (%a, %b) {
    %a, %b: i32[], i32[] = whileLoop(%x, %n) test(%p: i32[], %q: i32[]) -> (%t) {
      %one: i32[] = literal() {value: i32 1}
      %t: bool[] = ne(%p, %one)
    } body(%p: i32[], %q: i32[]) -> (%r, %s) {
      %one: i32[] = literal() {value: i32 1}
      %two: i32[] = literal() {value: i32 2}
      %zero: i32[] = literal() {value: i32 0}
      %m: i32[] = rem(%p, %two)
      %even: bool[] = eq(%m, %zero)
      %r: i32[] = cond(%even, %p) then(%y: i32[]) -> (%h) {
        %w: i32[] = literal() {value: i32 2}
        %h: i32[] = floorDiv(%y, %w)
      } else(%y: i32[]) -> (%h) {
        %u: i32[] = literal() {value: i32 1}
        %w: i32[] = literal() {value: i32 3}
        %k: i32[] = mul(%y, %w)
        %h: i32[] = add(%k, %u)
      }
      %s: i32[] = add(%q, %one)
    }
  }`);
  for (const [x, steps] of [
    [1, 0],
    [6, 8],
    [27, 111],
  ] as const) {
    const results = await run(m, graph, [referenceOf('i32', [], [x]), referenceOf('i32', [], [0])]);
    expect(results.map((r) => [...r.data])).toEqual([[1], [steps]]);
  }
});

test('what comes behind a loop waits for it', async () => {
  const loop = load(`graph @main(%x: f32[3]) -> (%y) {
    %y: f32[3] = whileLoop(%x) test(%p: f32[3]) -> (%t) {
      %s: f32[] = sum(%p) {axes: [0]}
      %most: f32[] = literal() {value: f32 1000}
      %t: bool[] = lt(%s, %most)
    } body(%p: f32[3]) -> (%q) {
      %q: f32[3] = add(%p, %p)
    }
  }`);
  const twice = load(double);
  const [y] = loop.execute([floats(1, 2, 3)], none);
  const [z] = twice.execute([y!], none);
  release(y!);
  expect([...(await copy(z!))]).toEqual([512, 1024, 1536]);
});

test('a matrix that the host refuses is told when somebody looks, once', async () => {
  const { execute } = load(`graph @main(%x: f32[2,2]) -> (%y: f32[2,2]) {\n  %y: f32[2,2] = cholesky(%x)\n}`);
  const [wrong] = execute([floats(-1, 0, 0, 1)], none);
  await expect(copy(wrong!)).rejects.toThrow(LinAlgError);
  const [right] = execute([floats(4, 0, 0, 9)], none);
  expect([...(await copy(right!))]).toEqual([2, 0, 0, 3]);
});

test('a program that never yields is not held up by shaders that are compiled', async () => {
  const { execute } = load(double);
  const submit = vi.spyOn(m.device.queue, 'submit');
  let value = floats(1, 0, -1);
  for (let i = 0; i < 100; i++) [value] = execute([value], none) as [Buffer];
  expect(submit.mock.calls.length).toBeGreaterThan(30);
  submit.mockRestore();
  expect((await copy(value))[0]).toBe(Math.fround(2 ** 100));
});

test('bind groups are made once for each set of buffers', async () => {
  const { execute } = load(double);
  const [a, b] = [floats(1, 2, 3), floats(0, 0, 0)];
  await copy(execute([a], none, [b])[0]!);
  const create = vi.spyOn(m.device, 'createBindGroup');
  for (let i = 0; i < 10; i++) {
    execute([b], none, [a]);
    execute([a], none, [b]);
  }
  expect(create.mock.calls.length).toBeLessThanOrEqual(6);
  create.mockRestore();
  expect([...(await copy(b))]).toEqual([2 ** 21, 2 ** 22, 3 * 2 ** 21]);
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

/** What may be awaited, each on a device that is destroyed while it is. */
const awaited: readonly (readonly [string, (machine: Machine) => Promise<unknown>])[] = [
  ['a read', (machine) => copy(bindWebGpu(compileGraph(parse(double), webgpuTarget), machine).execute([floats(1, 2, 3)], none)[0]!)],
  ['a wait for all', (machine) => idle(machine)],
  ['a shader', (machine) => bindWebGpu(compileGraph(parse(twoKernels), webgpuTarget), machine) && idle(machine)],
];

test.each(awaited)('a device that is lost during %s is told by a typed error, and so is the next', async (_, wait) => {
  for (let round = 0; round < 2; round++) {
    const pending = wait(m);
    m.device.destroy();
    await expect(pending).rejects.toThrow(DeviceLostError);
    expect(m.broken).toMatchObject({ code: 'DEVICE_LOST', reason: 'destroyed' });
    await expect((async () => wait(m))()).rejects.toThrow(DeviceLostError);
    replaceDevice(m, await testDevice());
  }
});

test('on the device that takes the place of a lost one, what the host has is used again, and what it has not is told', async () => {
  const { execute } = load(double);
  const x = floats(1, 2, 3);
  const [y] = execute([x], none);
  await copy(y!);
  m.device.destroy();
  await m.device.lost;
  replaceDevice(m, await testDevice());
  await expect(copy(y!)).rejects.toThrow('the elements of y: f32[3] of add lay on a device that was lost');
  expect(() => execute([y!], none)).toThrow(DeviceLostError);
  expect([...(await copy(execute([x], none)[0]!))]).toEqual([2, 4, 6]);
  expect(m.liveBytes).toBeLessThanOrEqual(64);
});

test('where there is no adapter the error says what to install', async () => {
  const opening = openMachine({ requestAdapter: async () => null } as unknown as GPU);
  await expect(opening).rejects.toThrow(DeviceError);
  await expect(openMachine(undefined)).rejects.toThrow("install the package 'webgpu'");
});
