// Programs as compileGraph leaves them: what crosses the border, where values lie, and what kernels are said to do.
import { describe, expect, test } from 'vitest';
import { b, lit } from '../../compiler/ir/builder.ts';
import type { Graph, Value } from '../../compiler/ir/node.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { load } from '../../compiler/jit/executable.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { OutOfMemoryError } from '../../runtime/errors.ts';
import { launchesOf } from '../../runtime/program.ts';
import { jsTarget, wasmTarget } from '../../runtime/target.ts';
import { chainLength } from '../effort.ts';

const compiled = (text: string, target = jsTarget) => compileGraph(parse(text), target);

describe('outputs', () => {
  test('an input, or a reshape of one, is an alias and costs no kernel', () => {
    const program = compiled('graph @g(%x: f32[2,3]) -> (%x, %y: f32[6]) { %y: f32[6] = reshape(%x) {shape: [6]} }');
    expect(program.kernels).toEqual([]);
    expect(program.outputs.map((o) => o.alias)).toEqual([
      { space: 'input', index: 0 },
      { space: 'input', index: 0 },
    ]);
    const x = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect(load(program).run([x], new Float64Array())).toEqual([x, x]);
  });

  test('the same value twice is stored once', () => {
    const program = compiled(
      'graph @g(%x: f32[3]) -> (%y: f32[3], %y, %z: f32[1,3]) { %y: f32[3] = exp(%x) %z: f32[1,3] = reshape(%y) {shape: [1,3]} }',
    );
    expect(launchesOf(program.steps)).toHaveLength(1);
    expect(program.outputs.map((o) => o.alias)).toEqual([undefined, { space: 'output', index: 0 }, { space: 'output', index: 0 }]);
  });

  test('constants and numbers are stored', () => {
    const slot = b.slot({ dtype: 'f32' });
    const graph: Graph = {
      inputs: [slot],
      outputs: [lit(2, 'i64'), slot, b.reshape(slot, { shape: [1] }), b.iota({ dtype: 'i32', shape: [3], axis: 0 })],
    };
    expect(load(compileGraph(graph, jsTarget)).run([], Float64Array.of(0.5))).toEqual([
      BigInt64Array.of(2n),
      Float32Array.of(0.5),
      Float32Array.of(0.5),
      Int32Array.of(0, 1, 2),
    ]);
  });

  test('shapes without elements run', () => {
    const program = compiled(
      'graph @g(%x: f32[0,3]) -> (%y: f32[0,3], %s: f32[3], %m: f32[]) { %y: f32[0,3] = exp(%x) %s: f32[3] = sum(%x) {axes: [0]} %m: f32[] = prod(%x) {axes: [0,1]} }',
    );
    expect(load(program).run([new Float32Array()], new Float64Array())).toEqual([
      new Float32Array(),
      new Float32Array(3),
      Float32Array.of(1),
    ]);
  });
});

describe('the arena', () => {
  const separate = { ...jsTarget, maxOpsPerKernel: 1 };
  const chain = (length: number): Graph => {
    const x = b.input({ dtype: 'f32', shape: [16] });
    let v: Value = x;
    for (let i = 0; i < length; i++) v = b.sin(v);
    return { inputs: [x], outputs: [v] };
  };

  test('a chain of kernels works in one buffer', () => {
    const program = compileGraph(chain(10), separate);
    expect(launchesOf(program.steps).length).toBeGreaterThan(3);
    expect(program.arenaBytes).toBe(64);
  });

  test('equal kernels are one', () => {
    expect(compileGraph(chain(10), separate).kernels).toHaveLength(1);
  });
});

describe('what is counted', () => {
  const counts = (text: string) => compiled(text).kernels.map((k) => [k.flops, k.bytesRead, k.bytesWritten]);

  test('a slice reads its own elements', () => {
    expect(
      counts(
        'graph @g(%x: f32[10,10]) -> (%y: f32[2,10]) { %0: f32[2,10] = slice(%x) {start: [3,0], stop: [5,10], step: [1,1]} %y: f32[2,10] = neg(%0) }',
      ),
    ).toEqual([[20, 80, 80]]);
  });

  test('a gather reads no more than it gives', () => {
    expect(counts('graph @g(%x: f32[1000], %i: i64[3]) -> (%y: f32[3]) { %y: f32[3] = gather(%x, %i) {axis: 0, mode: checked} }')).toEqual([
      [0, 12 + 24, 12],
    ]);
  });

  test('an operand that is read twice counts once', () => {
    expect(
      counts('graph @g(%x: f32[4,4]) -> (%y: f32[4,4]) { %0: f32[4,4] = permute(%x) {order: [1,0]} %y: f32[4,4] = add(%x, %0) }'),
    ).toEqual([[16, 64, 64]]);
  });

  test('softmax over the first axis moves each element twice', () => {
    const text = `graph @softmax(%x: f32[10,10]) -> (%y: f32[10,10]) {
      %m: f32[10] = amax(%x) {axes: [0]}
      %0: f32[10,10] = expand(%m) {shape: [10,10], at: [0]}
      %1: f32[10,10] = sub(%x, %0)
      %e: f32[10,10] = exp(%1)
      %s: f32[10] = sum(%e) {axes: [0]}
      %2: f32[10,10] = expand(%s) {shape: [10,10], at: [0]}
      %y: f32[10,10] = div(%e, %2)
    }`;
    expect(counts(text)).toEqual([[500, 400, 400]]);
  });

  test('a product is two operations a term', () => {
    expect(
      counts('graph @g(%x: f32[3,4], %y: f32[4,5]) -> (%z: f32[3,5]) { %z: f32[3,5] = dot(%x, %y) {batch: []x[], contract: [1]x[0]} }'),
    ).toEqual([[120, 128, 60]]);
  });
});

test('a product of rows that lie the other way round', () => {
  const text = `graph @g(%0: f32[7,5], %1: f32[5,20]) -> (%3) {
    %2: f32[7,5] = flip(%0) {axes: [0,1]}
    %3: f32[7,20] = dot(%2, %1) {batch: []x[], contract: [1]x[0]} }`;
  const inputs = [Float32Array.from({ length: 35 }, (_, i) => i), new Float32Array(100).fill(1)];
  const [sums] = load(compiled(text, wasmTarget('mul+add'))).run(inputs, new Float64Array(0));
  expect([0, 1, 20, 120, 139].map((i) => sums![i])).toEqual([160, 160, 135, 10, 10]);
});

test('kernels say which ops and lines they came from', () => {
  const program = compiled(
    'graph @g(%x: f32[4]) -> (%y: f32[4]) { %0: f32[4] = exp(%x) loc("model.ts:14") %y: f32[4] = neg(%0) loc("model.ts:15") }',
  );
  expect(program.kernels[0]!.origin).toEqual(['exp model.ts:14', 'neg model.ts:15']);
  expect(program.kernels[0]!.source).toContain('// exp model.ts:14');
});

test('the same graph gives the same program', () => {
  const text = 'graph @g(%x: f32[8,8]) -> (%y: f32[8]) { %0: f32[8,8] = exp(%x) %y: f32[8] = sum(%0) {axes: [1]} }';
  expect(JSON.stringify(compiled(text))).toBe(JSON.stringify(compiled(text)));
});

test('a result with more elements than an array holds is named', () => {
  const x = b.input({ dtype: 'f32', shape: [65536] });
  const big = b.expand(b.exp(x), { shape: [65536, 65536], at: [0] });
  big.node.name = 'outer';
  expect(() => compileGraph({ inputs: [x], outputs: [big] }, jsTarget)).toThrow(OutOfMemoryError);
  expect(() => compileGraph({ inputs: [x], outputs: [big] }, jsTarget)).toThrow(/f32\[65536,65536\] has 4294967296 elements/);
});

test('a long chain of ops compiles', { timeout: 60_000 }, () => {
  const x = b.input({ dtype: 'f64', shape: [2] });
  let v: Value = x;
  for (let i = 0; i < chainLength; i++) v = i % 2 === 0 ? b.sin(v) : b.neg(v);
  const [y] = load(compileGraph({ inputs: [x], outputs: [v] }, jsTarget)).run([Float64Array.of(0.5, -1)], new Float64Array());
  let expected = 0.5;
  for (let i = 0; i < chainLength; i++) expected = i % 2 === 0 ? Math.sin(expected) : -expected;
  expect(y![0]).toBe(expected);
});
