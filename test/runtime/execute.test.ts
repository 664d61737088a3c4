// Binding and running Programs: what is refused at load, at launch and inside a kernel, and what a failure leaves behind.
import { afterEach, describe, expect, test } from 'vitest';
import { parse } from '../../compiler/ir/parse.ts';
import { load } from '../../compiler/jit/executable.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { ArgumentError, DTypeError, FluxionError, IndexError, OutOfMemoryError, ProgramError, ShapeError } from '../../runtime/errors.ts';
import { bind } from '../../runtime/execute.ts';
import { faults } from '../../runtime/faults.ts';
import type { Launch, Program } from '../../runtime/program.ts';
import { jsTarget } from '../../runtime/target.ts';

const none = new Float64Array();
/** Two kernels with an intermediate between them: column sums, then what they divide. */
const program = compileGraph(
  parse(`graph @g(%x: f32[4,3], %lr: slot f32) -> (%z: f32[4,4], %d: f32[4,3]) {
    %s: f32[3] = sum(%x) {axes: [0]}
    %0: f32[4,3] = expand(%s) {shape: [4,3], at: [0]}
    %1: f32[4,3] = div(%x, %0)
    %l: f32[4,3] = expand(%lr) {shape: [4,3], at: [0,1]}
    %d: f32[4,3] = mul(%1, %l)
    %2: f32[4,3] = exp(%d)
    %z: f32[4,4] = dot(%2, %2) {batch: []x[], contract: [1]x[1]}
  }`),
  { ...jsTarget, maxOpsPerKernel: 2 },
);
const x = (): Float32Array => Float32Array.from({ length: 12 }, (_, i) => i + 1);
const half = Float64Array.of(0.5);

test('the program of these tests has launches and an arena', () => {
  expect(program.steps.length).toBeGreaterThan(1);
  expect(program.arenaBytes).toBeGreaterThan(0);
});

test('what the arena held before makes no difference', () => {
  const executable = load(program);
  const clean = executable.run([x()], half).map((a) => Array.from(a as Float32Array));
  executable.arena().fill(0xff);
  expect(executable.run([x()], half).map((a) => Array.from(a as Float32Array))).toEqual(clean);
  expect(clean.flat().every(Number.isFinite)).toBe(true);
});

test('outputs are fresh unless they are given', () => {
  const executable = load(program);
  const mine = new Float32Array(16);
  const [first] = executable.run([x()], half, [mine]);
  const [second] = executable.run([x()], half);
  expect(first).toBe(mine);
  expect(second).not.toBe(mine);
  expect(second).toEqual(mine);
});

test('slots are read at each run', () => {
  const executable = load(program);
  const d = (lr: number): number => executable.run([x()], Float64Array.of(lr))[1]![0] as number;
  expect(d(2)).toBe(4 * d(0.5));
});

describe('arguments that do not fit are refused by name', () => {
  const { run } = load(program);
  test.each([
    ['too few inputs', () => run([], half), ArgumentError, /main takes 1 inputs, got 0/],
    ['too few numbers', () => run([x()], none), ArgumentError, /main takes 1 numbers, got 0/],
    ['another array type', () => run([new Float64Array(12)], half), DTypeError, /x: f32 lies in a Float32Array, got a Float64Array/],
    ['another length', () => run([new Float32Array(11)], half), ShapeError, /x: \[4,3\] has 12 elements, got 11/],
    ['a given output of another length', () => run([x()], half, [new Float32Array(1)]), ShapeError, /z: \[4,4\] has 16 elements, got 1/],
  ] as const)('%s', (_, call, kind, message) => {
    expect(call).toThrow(kind);
    expect(call).toThrow(message);
  });
});

test('a float32 array is no place for raw float16 or float64 data of the same size', () => {
  expect(() => load(program).run([new Int32Array(12)], half)).toThrow(DTypeError);
});

test('an index out of range names op, value and limit', () => {
  const gather = compileGraph(
    parse('graph @g(%x: f32[3], %i: i64[2]) -> (%y: f32[2]) { %y: f32[2] = gather(%x, %i) {axis: 0, mode: checked} }'),
    jsTarget,
  );
  const take = (...i: bigint[]) => load(gather).run([Float32Array.of(1, 2, 3), BigInt64Array.from(i)], none)[0];
  expect(take(2n, 0n)).toEqual(Float32Array.of(3, 1));
  expect(() => take(0n, 3n)).toThrow(IndexError);
  expect(() => take(0n, 3n)).toThrow(/gather: index 3 is out of range for a dimension of 3 elements; use 0 to 2/);
  expect(() => take(-1n, 0n)).toThrow(/index -1/);
});

test('an integer division by zero is refused', () => {
  const divide = compileGraph(parse('graph @g(%x: i32[1], %y: i32[1]) -> (%z: i32[1]) { %z: i32[1] = floorDiv(%x, %y) }'), jsTarget);
  expect(() => load(divide).run([Int32Array.of(1), Int32Array.of(0)], none)).toThrow(ArgumentError);
});

test('an output that no memory can be had for is named', () => {
  const length = 2 ** 31 - 1;
  const huge: Program = {
    ...program,
    inputs: [],
    slots: [],
    kernels: [],
    steps: [],
    outputs: [{ name: 'logits', dtype: 'f64', shape: [length, 1000] }],
  };
  expect(() => load(huge).run([], none)).toThrow(OutOfMemoryError);
  expect(() => load(huge).run([], none)).toThrow(/output logits: f64\[2147483647,1000\]/);
});

describe('faults', () => {
  afterEach(() => {
    faults.at = undefined;
  });

  test('a launch that fails leaves inputs as they were, and the next run is right', () => {
    const executable = load(program);
    const expected = executable.run([x()], half);
    for (let n = 0; n < program.steps.length; n++) {
      const input = x();
      faults.at = (point, i) => {
        if (point === 'launch' && i === n) throw new FluxionError('injected');
      };
      expect(() => executable.run([input], half)).toThrow('injected');
      expect(input).toEqual(x());
      faults.at = undefined;
      expect(executable.run([x()], half)).toEqual(expected);
    }
  });

  test('an allocation that fails stops the run before its first launch', () => {
    const seen: string[] = [];
    faults.at = (point, n) => {
      seen.push(`${point} ${n}`);
      if (point === 'alloc' && n === 1) throw new OutOfMemoryError('injected');
    };
    expect(() => load(program).run([x()], half)).toThrow(OutOfMemoryError);
    expect(seen).toEqual(['alloc 0', 'alloc 1']);
  });

  test('a program that is bound without the seam does not ask it', () => {
    faults.at = () => {
      throw new FluxionError('asked');
    };
    const identity = compileGraph(parse('graph @g(%x: f32[2]) -> (%y: f32[2]) { %y: f32[2] = neg(%x) }'), jsTarget);
    const negate = (from: unknown, to: unknown): void => {
      for (let i = 0; i < 2; i++) (to as Float32Array)[i] = -(from as Float32Array)[i]!;
    };
    expect(bind(identity, [negate]).run([Float32Array.of(1, 2)], none)).toEqual([Float32Array.of(-1, -2)]);
  });
});

const nested = (depth: number): object[] => (depth === 0 ? [] : [{ kind: 'repeat', times: 1, reverse: false, body: nested(depth - 1) }]);

describe('inconsistent programs are refused at load', () => {
  const last = program.steps.at(-1) as Launch;
  const withLast = (launch: object): Program => ({ ...program, steps: [...program.steps.slice(0, -1), { ...last, ...launch }] });
  test.each([
    ['another version', { ...program, version: 7 }, /version 7, this runtime reads version 4/],
    ['no such kernel', withLast({ kernel: 99 }), /wants kernel 99/],
    ['missing buffers', withLast({ buffers: [] }), /0 buffers, it takes/],
    ['no such input', withLast({ buffers: last.buffers.map(() => ({ space: 'input', index: 5 })) }), /reads input 5 of 1/],
    [
      'beyond the arena',
      withLast({ buffers: last.buffers.map(() => ({ space: 'arena', offset: 1 << 20, length: 4, dtype: 'f32' })) }),
      /of an arena of/,
    ],
    [
      'a crooked offset',
      withLast({ buffers: last.buffers.map(() => ({ space: 'arena', offset: 4, length: 1, dtype: 'f32' })) }),
      /not a multiple of 64/,
    ],
    ['an unknown step', { ...program, steps: [{ kind: 'jump' }] }, /a step is of no known kind/],
    [
      'a loop without a number of turns',
      { ...program, steps: [{ kind: 'repeat', times: -1, reverse: false, body: [] }] },
      /repeated -1 times/,
    ],
    [
      'a loop that looks at nothing',
      { ...program, steps: [{ kind: 'while', test: [], holds: { space: 'input', index: 9 }, body: [] }] },
      /a loop reads input 9/,
    ],
    [
      'rows by a loop that is not there',
      withLast({ buffers: last.buffers.map((ref) => ({ ...ref, rows: [{ loop: 0, length: 1 }] })) }),
      /rows by a loop that is not around it/,
    ],
    [
      'rows beyond the end',
      {
        ...program,
        steps: [
          {
            kind: 'repeat',
            times: 1000,
            reverse: false,
            body: [{ ...last, buffers: last.buffers.map(() => ({ space: 'input', index: 0, rows: [{ loop: 0, length: 1 }] })) }],
          },
        ],
      },
      /reads input 0 of 1/,
    ],
    ['steps without end', { ...program, steps: nested(100) }, /nest more than 64 deep/],
    ['an unknown dtype', { ...program, inputs: [{ name: 'x', dtype: 'f8', shape: [12] }] }, /inputs\[0\] has no dtype/],
    ['a negative size', { ...program, inputs: [{ name: 'x', dtype: 'f32', shape: [-12] }] }, /inputs\[0\] has no shape/],
    [
      'an alias of nothing',
      { ...program, outputs: [{ ...program.outputs[0]!, alias: { space: 'output', index: 3 } }, ...program.outputs.slice(1)] },
      /which is not there/,
    ],
    ['no program', null, /no program/],
  ] as const)('%s', (_, broken, message) => {
    const attempt = (): unknown =>
      bind(
        broken as Program,
        program.kernels.map(() => () => {}),
      );
    expect(attempt).toThrow(ProgramError);
    expect(attempt).toThrow(message);
  });

  test('kernels without functions', () => {
    expect(() => bind(program, [])).toThrow(/0 functions for \d+ kernels/);
  });

  test('source that does not compile', () => {
    expect(() => load({ ...program, kernels: program.kernels.map((k) => ({ ...k, source: 'for (' })) })).toThrow(ProgramError);
  });

  test('a program for another target', () => {
    // Where another test has made the device ready, it lacks its shaders.
    expect(() => load({ ...program, target: 'webgpu' })).toThrow(/await init\('webgpu'\)|has no shaders/);
  });
});

test('a finished run keeps none of its arguments alive', async () => {
  const executable = load(program);
  const held = new WeakRef(x());
  executable.run([held.deref()!], half);
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // A WeakRef that was read keeps its target until the turn ends.
  await new Promise((resolve) => setTimeout(resolve, 0));
  collect();
  expect(held.deref()).toBeUndefined();
});
