// 64-bit integers made of two words agree with those of the host over their whole range.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from '../../../compiler/ir/parse.ts';
import { load } from '../../../compiler/jit/executable.ts';
import { compileGraph } from '../../../compiler/lower/compile.ts';
import { copy, copySync, hostBuffer } from '../../../runtime/buffer.ts';
import { jsTarget, webgpuTarget } from '../../../runtime/target.ts';
import { bindWebGpu } from '../../../runtime/webgpu/execute.ts';
import type { Machine } from '../../../runtime/webgpu/state.ts';
import { testMachine } from '../../webgpu/adapter.ts';

let m: Machine;
beforeAll(async () => {
  m = await testMachine();
});
afterAll(() => m.device.destroy());

const least = -(2n ** 63n);
const edges = [0n, 1n, -1n, 2n, 7n, -7n, 63n, 64n, 2n ** 31n, -(2n ** 31n), 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n + 1n, least, -least - 1n];
const pairs = edges.flatMap((x) => edges.map((y) => [x, y] as const));
const left = BigInt64Array.from(pairs, ([x]) => x);
const right = BigInt64Array.from(pairs, ([, y]) => y);
const n = pairs.length;

const agree = async (text: string, inputs: readonly BigInt64Array[]): Promise<void> => {
  const graph = parse(text);
  const none = new Float64Array();
  const buffers = () => inputs.map((x) => hostBuffer('i64', x.slice()));
  const [onHost] = load(compileGraph(graph, jsTarget)).execute(buffers(), none);
  const [onDevice] = bindWebGpu(compileGraph(graph, webgpuTarget), m).execute(buffers(), none);
  expect([...(await copy(onDevice!))]).toEqual([...copySync(onHost!)]);
};

test.each(['add', 'sub', 'mul', 'pow', 'min', 'max', 'bitAnd', 'bitOr', 'bitXor', 'shl', 'shr'])('%s', async (op) => {
  await agree(`graph @main(%x: i64[${n}], %y: i64[${n}]) -> (%z: i64[${n}]) {\n  %z: i64[${n}] = ${op}(%x, %y)\n}`, [left, right]);
});

test.each(['floorDiv', 'rem', 'fmod'])('%s, by all but zero', async (op) => {
  const by = right.map((y) => (y === 0n ? 3n : y));
  await agree(`graph @main(%x: i64[${n}], %y: i64[${n}]) -> (%z: i64[${n}]) {\n  %z: i64[${n}] = ${op}(%x, %y)\n}`, [left, by]);
});

test.each(['lt', 'le', 'eq', 'ne'])('%s', async (op) => {
  await agree(`graph @main(%x: i64[${n}], %y: i64[${n}]) -> (%z: bool[${n}]) {\n  %z: bool[${n}] = ${op}(%x, %y)\n}`, [left, right]);
});

test.each(['neg', 'abs', 'sign', 'bitNot'])('%s', async (op) => {
  await agree(`graph @main(%x: i64[${n}]) -> (%z: i64[${n}]) {\n  %z: i64[${n}] = ${op}(%x)\n}`, [left]);
});

test.each(['f32', 'i32', 'u8', 'bool'])('conversion to %s', async (to) => {
  await agree(`graph @main(%x: i64[${n}]) -> (%z: ${to}[${n}]) {\n  %z: ${to}[${n}] = cast(%x) {to: ${to}}\n}`, [left]);
});

test('conversion from float32 and back', async () => {
  const text = `graph @main(%x: i64[${n}]) -> (%z: i64[${n}]) {\n  %f: f32[${n}] = cast(%x) {to: f32}\n  %z: i64[${n}] = cast(%f) {to: i64}\n}`;
  await agree(text, [left]);
});
