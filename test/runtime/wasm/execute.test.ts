// Programs of WebAssembly over buffers: what is copied when, what stays in linear memory, and what a failure leaves behind.
import { expect, test } from 'vitest';
import { type Buffer, copySync, hostBuffer, readSync, release } from '../../../runtime/buffer.ts';
import {
  ArgumentError,
  DTypeError,
  IndexError,
  InternalError,
  OutOfMemoryError,
  ProgramError,
  ShapeError,
} from '../../../runtime/errors.ts';
import type { Executable } from '../../../runtime/executable.ts';
import { faults } from '../../../runtime/faults.ts';
import { argumentBlock } from '../../../runtime/program.ts';
import { bindWasm, type Machine, makeMachine } from '../../../runtime/wasm/execute.ts';
import { openMemory } from '../../../runtime/wasm/memory.ts';
import { isThorough } from '../../effort.ts';
import { element, f32, failing, loop, scaling, wasmProgram } from './programs.ts';

const machineOf = (pages = 1024, isShared = true): Machine => makeMachine(openMemory(pages, isShared), () => undefined);
const floats = (n: number, value = (i: number): number => i % 100): Buffer =>
  hostBuffer(
    'f32',
    Float32Array.from({ length: n }, (_, i) => value(i)),
  );
const by = (factor: number): Float64Array => Float64Array.of(factor);
const apply = (executable: Executable, x: Buffer, factor = 2): Buffer => executable.execute([x], by(factor))[0]!;

const large = 10_000;

test.each([true, false])('small and large arrays go in and come out (shared memory: %s)', (isShared) => {
  const machine = machineOf(1024, isShared);
  for (const n of [0, 1, 7, 1024, 1025, large]) {
    const x = Float32Array.from({ length: n }, (_, i) => i);
    const [y] = bindWasm(scaling(n), machine).run([x], by(3));
    expect(y).toEqual(x.map((v) => v * 3));
    const into = new Float32Array(n);
    expect(bindWasm(scaling(n), machine).run([x], by(4), [into])[0]).toBe(into);
    expect(into).toEqual(x.map((v) => v * 4));
  }
  expect(machine.residency.bytes).toBe(0);
});

test('a large result stays in linear memory, a small one does not', () => {
  const machine = machineOf();
  const y = apply(bindWasm(scaling(large), machine), floats(large));
  expect(y.host).toBeUndefined();
  const z = apply(bindWasm(scaling(large), machine), y, 10);
  expect(readSync(z)[7]).toBe(140);
  const small = apply(bindWasm(scaling(8), machine), floats(8));
  expect(small.block).toBeUndefined();
  expect(small.host).toEqual(Float32Array.of(0, 2, 4, 6, 8, 10, 12, 14));
});

test('an input is copied once', () => {
  const executable = bindWasm(scaling(large), machineOf());
  const array = new Float32Array(large).fill(1);
  const x = hostBuffer('f32', array);
  apply(executable, x);
  array.fill(5);
  expect(readSync(apply(executable, x))[large - 1]).toBe(2);
});

test('a given buffer is written in place, and what the host had of it is forgotten', () => {
  const executable = bindWasm(scaling(large), machineOf());
  const x = floats(large);
  const y = apply(executable, x);
  expect(readSync(y)[3]).toBe(6);
  const { block } = y;
  expect(executable.execute([x], by(5), [y])[0]).toBe(y);
  expect(y.block).toBe(block);
  expect(readSync(y)[3]).toBe(15);
});

test('what is read belongs to the reader', () => {
  const y = apply(bindWasm(scaling(large), machineOf()), floats(large));
  (copySync(y) as Float32Array).fill(0);
  expect(readSync(y)[3]).toBe(6);
  (copySync(y) as Float32Array).fill(0);
  expect(readSync(y)[3]).toBe(6);
});

test('past the bound the blocks out of use longest make room, and lose nothing', () => {
  const machine = machineOf();
  machine.residency.bound = 4 * 40_000 + 20_000;
  const executable = bindWasm(scaling(large), machine);
  const x = floats(large);
  const results = Array.from({ length: 12 }, (_, k) => apply(executable, x, k));
  expect(machine.residency.bytes).toBeLessThanOrEqual(machine.residency.bound);
  results.forEach((y, k) => {
    expect(copySync(y)[7]).toBe(7 * k);
    expect(readSync(apply(executable, y, 2))[7]).toBe(14 * k);
  });
});

test('the blocks of the current run stay, whatever the bound', () => {
  const machine = machineOf();
  machine.residency.bound = 0;
  const x = floats(large);
  const y = apply(bindWasm(scaling(large), machine), x);
  expect([readSync(y)[7], readSync(x)[7]]).toEqual([14, 7]);
});

test('what is out of use makes room before untouched memory is taken, be it a copy or the only one', () => {
  const machine = machineOf();
  const executable = bindWasm(scaling(large), machine);
  const top: number[] = [];
  const first = apply(executable, floats(large));
  for (let step = 0; step < 400; step++) {
    apply(executable, floats(large));
    top.push(machine.residency.linear.heap.top);
  }
  expect(top[399]).toBe(top[100]);
  expect(readSync(first)[7]).toBe(14);
});

test('memory given back is used again', () => {
  const machine = machineOf();
  const executable = bindWasm(scaling(large), machine);
  const x = floats(large);
  const y = apply(executable, x);
  const { used, top } = machine.residency.linear.heap;
  release(y);
  expect(machine.residency.linear.heap.used).toBeLessThan(used);
  const again = apply(executable, x);
  expect(machine.residency.linear.heap.top).toBe(top);
  expect(readSync(again)[7]).toBe(14);
});

test.runIf(isThorough)('ten thousand steps leave linear memory as it was after the first two hundred', () => {
  const machine = machineOf();
  const executable = bindWasm(scaling(large), machine);
  let state = floats(large);
  let after200 = 0;
  for (let step = 0; step < 10_000; step++) {
    state = apply(executable, state, 1);
    if (step === 200) after200 = machine.residency.linear.heap.top;
  }
  expect(machine.residency.linear.heap.top).toBe(after200);
  expect(readSync(state)[7]).toBe(7);
});

test('an output that is an input, or another output, is the same buffer', () => {
  const program = scaling(large);
  const twice = {
    ...program,
    outputs: [
      program.outputs[0]!,
      { ...f32('as input', 100, 100), alias: { space: 'input', index: 0 } as const },
      { ...f32('as output', 100, 100), alias: { space: 'output', index: 0 } as const },
    ],
  };
  const x = floats(large);
  const executable = bindWasm(twice, machineOf());
  const [y, sameAsX, sameAsY] = executable.execute([x], by(2));
  expect(sameAsX).toBe(x);
  expect(sameAsY).toBe(y);
  const arrays = executable.run([readSync(x)], by(2));
  expect(arrays[1]).toBe(readSync(x));
  expect(arrays[2]).toBe(arrays[0]);
});

test('what kernels report becomes the error that says it', () => {
  const machine = machineOf();
  const failures = [{ op: 'gather', below: 10 }, { op: 'division by zero' }];
  const { heap } = machine.residency.linear;
  for (const [at, kind, message] of [
    [0, IndexError, /^gather: index 12 is out of range for a dimension of 10 elements; use 0 to 9/],
    [1, ArgumentError, /^division by zero/],
  ] as const) {
    const executable = bindWasm(failing(failures, at), machine);
    const { used } = heap;
    const run = (): unknown => executable.execute([], by(12));
    expect(run).toThrow(kind);
    expect(run).toThrow(message);
    expect(heap.used).toBe(used);
  }
});

test('a failure leaves inputs as they were, and the next run is right', () => {
  const machine = machineOf();
  const executable = bindWasm(scaling(large), machine);
  const x = apply(executable, floats(large));
  try {
    for (const point of ['alloc', 'launch'] as const) {
      faults.at = (p) => {
        if (p === point) throw new OutOfMemoryError('no more');
      };
      const faulty = bindWasm(
        { ...scaling(large), steps: [{ kind: 'launch', kernel: 0, buffers: [] }], kernels: [kernel] },
        machine,
        faults,
      );
      const { used } = machine.residency.linear.heap;
      expect(() => apply(faulty, x)).toThrow(OutOfMemoryError);
      expect(machine.residency.linear.heap.used).toBe(used);
    }
  } finally {
    faults.at = undefined;
  }
  expect(readSync(apply(executable, x))[7]).toBe(28);
});
const kernel = { name: 'scale', source: '', params: ['slots', 'fail'], flops: 0, bytesRead: 0, bytesWritten: 0, origin: [] };

test.each([true, false])(
  'where memory is at its end the error says who wanted how much, twice, and smaller runs go on (shared: %s)',
  (isShared) => {
    const machine = machineOf(64, isShared);
    const small = bindWasm(scaling(large), machine);
    const x = apply(small, floats(large));
    const big = bindWasm(scaling(600_000), machine);
    for (let attempt = 0; attempt < 2; attempt++) {
      const run = (): unknown => apply(big, floats(600_000));
      expect(run).toThrow(OutOfMemoryError);
      expect(run).toThrow(/y: f32\[600000\] wants 2400000 bytes, and \d+ of the 4194304 .*device 'js'/);
      expect(readSync(apply(small, x))[7]).toBe(28);
    }
    const { used } = machine.residency.linear.heap;
    expect(() => bindWasm(scaling(8, { arenaBytes: 2 ** 40 }), machine).run([new Float32Array(8)], by(1))).toThrow(
      /the arena of main wants 1099511627776 bytes/,
    );
    expect(machine.residency.linear.heap.used).toBeLessThan(used + 4096);
  },
);

test.runIf(isThorough)('memory that cannot be shared grows under buffers that are in it', () => {
  const machine = machineOf(65536, false);
  const small = bindWasm(scaling(large), machine);
  const x = apply(small, floats(large));
  const many = 9_000_000;
  expect(readSync(apply(bindWasm(scaling(many), machine), floats(many)))[99]).toBe(198);
  expect(readSync(apply(small, x))[7]).toBe(28);
});

test('programs use one arena in turn, the greatest wanted so far', () => {
  const machine = machineOf();
  const stored = wasmProgram({
    arenaBytes: 8192,
    outputs: [f32('y', 2)],
    body: ({ f, args, output }) => {
      const arena = f.bind(f.load('i32.load', args, argumentBlock.arena));
      f.store('f32.store', output(0), f.load('f32.load', arena), 0);
      f.store('f32.store', arena, f.f32(7));
      f.store('f32.store', output(0), f.load('f32.load', arena), 4);
    },
  });
  const one = bindWasm(stored, machine);
  const other = bindWasm({ ...stored, arenaBytes: 4096 }, machine);
  one.arena().fill(0);
  expect([...one.run([], by(0))[0]!]).toEqual([0, 7]);
  expect([...other.run([], by(0))[0]!]).toEqual([7, 7]);
  expect(other.arena().byteOffset).toBe(one.arena().byteOffset);
  expect(other.arena()).toHaveLength(4096);
  const more = bindWasm({ ...stored, arenaBytes: 1 << 20 }, machine);
  expect(more.arena()).toHaveLength(1 << 20);
  expect(one.arena().byteOffset).toBe(more.arena().byteOffset);
});

test('constants lie in memory from the start', () => {
  const values = Float32Array.from({ length: 100 }, (_, i) => i / 2);
  const base64 = btoa(String.fromCharCode(...new Uint8Array(values.buffer)));
  const sum = wasmProgram({
    outputs: [f32('y')],
    constants: [{ dtype: 'f32', length: 100, base64 }],
    body: ({ f, constant, output }) => {
      const total = f.local('f32');
      const from = f.bind(constant(0));
      loop(f, f.i32(0), f.i32(100), (i) => f.set(total, f.op('f32.add', f.get(total), f.load('f32.load', element(f, from, i)))));
      f.store('f32.store', output(0), f.get(total));
    },
  });
  const executable = bindWasm(sum, machineOf());
  for (let run = 0; run < 2; run++) expect(executable.run([], by(0))[0]![0]).toBe(2475);
});

test('functions of Math and of the host are called by name, and an unknown name is refused', () => {
  const calls: number[][] = [];
  const calling = wasmProgram({
    imports: { twice_f32: 2 },
    body: ({ f, imported }) => f.call(imported('twice_f32'), [f.i32(3), f.i32(4)]),
  });
  const machine = makeMachine(openMemory(64), (name) => (name === 'twice_f32' ? (...args) => void calls.push(args) : undefined));
  bindWasm(calling, machine).run([], by(0));
  expect(calls).toEqual([[3, 4]]);
  expect(() => bindWasm(calling, machineOf())).toThrow(ProgramError);
  expect(() => bindWasm(calling, machineOf())).toThrow(/calls 'twice_f32'/);
});

test('arguments are checked before anything is copied', () => {
  const machine = machineOf();
  const executable = bindWasm(scaling(large), machine);
  expect(() => executable.execute([], by(1))).toThrow(ArgumentError);
  expect(() => executable.execute([floats(large)], new Float64Array(0))).toThrow(ArgumentError);
  expect(() => executable.execute([floats(8)], by(1))).toThrow(ShapeError);
  expect(() => executable.execute([hostBuffer('i32', new Int32Array(large))], by(1))).toThrow(DTypeError);
  expect(() => executable.execute([floats(large)], by(1), [floats(8)])).toThrow(ShapeError);
  expect(() => executable.run([new Float64Array(large)], by(1))).toThrow(DTypeError);
  expect(machine.residency.bytes).toBe(0);
});

test('a module that the engine refuses or stops is an error of ours', () => {
  const machine = machineOf();
  const broken = scaling(8);
  expect(() => bindWasm({ ...broken, module: { ...broken.module!, base64: btoa('nothing') } }, machine)).toThrow(ProgramError);
  const { module, ...without } = broken;
  expect(module).toBeDefined();
  expect(() => bindWasm(without, machine)).toThrow(ProgramError);
  const trapping = wasmProgram({ body: ({ f }) => f.unreachable() });
  expect(() => bindWasm(trapping, machine).run([], by(0))).toThrow(InternalError);
});
