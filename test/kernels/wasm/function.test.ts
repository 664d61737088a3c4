// Function bodies as text and as what they compute: trees, locals, constants, control flow, checks.
import { expect, test } from 'vitest';
import { buildModule } from '../../../kernels/wasm/binary.ts';
import { disassemble } from '../../../kernels/wasm/disassemble.ts';
import type { FunctionBuilder, Node, Type } from '../../../kernels/wasm/function.ts';

type Body = (f: FunctionBuilder) => void;
function binaryOf(params: readonly Type[], results: readonly Type[], body: Body): Uint8Array<ArrayBuffer> {
  const m = buildModule();
  m.importMemory('env', 'memory', { min: 1, max: 4, shared: false });
  m.exportFunction('f', m.function('f', params, results, body));
  return m.finish().binary;
}

/** The lines of the function alone. */
function textOf(params: readonly Type[], results: readonly Type[], body: Body): string {
  const binary = binaryOf(params, results, body);
  expect(WebAssembly.validate(binary)).toBe(true);
  const text = disassemble(binary);
  return text.slice(text.indexOf('(func $f '), text.lastIndexOf('  )'));
}

function run(
  params: readonly Type[],
  results: readonly Type[],
  body: Body,
  args: readonly number[] = [],
): { result: unknown; memory: DataView } {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 4 });
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(binaryOf(params, results, body)), { env: { memory } }).exports as {
    f(...args: number[]): unknown;
  };
  return { result: f(...args), memory: new DataView(memory.buffer) };
}

const sumOfSquares: Body = (f) => {
  const sum = f.local('f32', 'sum');
  const i = f.local('i32', 'i');
  f.loop((again) => {
    const x = f.bind(f.load('f32.load', f.get(i), 64), 'x');
    f.set(sum, f.op('f32.add', f.get(sum), f.op('f32.mul', x, x)));
    f.set(i, f.op('i32.add', f.get(i), f.i32(4)));
    f.brIf(again, f.op('i32.lt_u', f.get(i), f.param(0)));
  });
  f.return_(f.get(sum));
};

test('a loop is printed with the names of its locals, and what is read right after it is set is a tee', () => {
  expect(textOf(['i32'], ['f32'], sumOfSquares)).toBe(`(func $f (param $0 i32) (result f32)
    (local $sum f32) (local $i i32) (local $x f32)
    loop
      local.get $i
      f32.load offset=64
      local.set $x
      local.get $sum
      local.get $x
      local.get $x
      f32.mul
      f32.add
      local.set $sum
      local.get $i
      i32.const 4
      i32.add
      local.tee $i
      local.get $0
      i32.lt_u
      br_if 0
    end
    local.get $sum
    return
    unreachable
`);
});

test('what a vector constant is set to stands on entry, once for equal ones', () => {
  const text = textOf(['v128'], ['v128'], (f) => {
    const one = f.constant({ f32x4: 1 });
    f.return_(
      f.op(
        'f32x4.add',
        f.op('f32x4.add', f.param(0), one),
        f.op('f32x4.mul', f.constant({ f32x4: [1, 1, 1, 1] }), f.constant({ i32x4: 7 })),
      ),
    );
  });
  expect(text).toBe(`(func $f (param $0 v128) (result v128)
    (local $1 v128) (local $2 v128)
    v128.const f32x4 1 ...
    local.set $1
    v128.const i32x4 7 ...
    local.set $2
    local.get $0
    local.get $1
    f32x4.add
    local.get $1
    local.get $2
    f32x4.mul
    f32x4.add
    return
    unreachable
`);
});

test('bind copies what may still change, and nothing else', () => {
  let sameParam = false;
  let sameConstant = false;
  let sameBound = false;
  const { result } = run(
    ['i32'],
    ['i32'],
    (f) => {
      sameParam = f.bind(f.param(0)).immediate === f.param(0).immediate;
      const seven = f.i32(7);
      sameConstant = f.bind(seven) === seven;
      const v = f.local('i32');
      f.set(v, f.param(0));
      const before = f.bind(f.get(v));
      sameBound = f.bind(before) === before;
      f.set(v, f.i32(100));
      f.return_(f.op('i32.add', before, f.get(v)));
    },
    [5],
  );
  expect([result, sameParam, sameConstant, sameBound]).toEqual([105, true, true, true]);
});

test('locals bound in a scope are used again, but for the one of its result', () => {
  const text = textOf(['i32'], ['i32'], (f) => {
    const square = (x: Node): Node =>
      f.scope(() => {
        const y = f.bind(f.op('i32.mul', x, x));
        return f.bind(f.op('i32.add', y, y));
      });
    f.return_(f.op('i32.sub', square(f.param(0)), square(f.op('i32.add', f.param(0), f.i32(1)))));
  });
  expect(text.match(/\(local /g)).toHaveLength(3);
  const { result } = run(
    ['i32'],
    ['i32'],
    (f) => {
      const twice = f.scope(() => f.bind(f.op('i32.add', f.bind(f.op('i32.mul', f.param(0), f.i32(3))), f.i32(1))));
      f.return_(
        f.op(
          'i32.add',
          twice,
          f.scope(() => f.bind(f.op('i32.mul', f.param(0), f.i32(100)))),
        ),
      );
    },
    [2],
  );
  expect(result).toBe(207);
});

test('a chain of 100 000 instructions is written without recursion', () => {
  const { result } = run(['i32'], ['i32'], (f) => {
    let sum = f.param(0);
    for (let k = 0; k < 100_000; k++) sum = f.op('i32.add', sum, f.i32(k & 3));
    f.return_(sum);
  });
  expect(result).toBe(150_000);
});

test('branches leave the block that their label names', () => {
  const classify: Body = (f) => {
    const result = f.local('i32');
    f.block((done) => {
      f.block((two) => {
        f.block((one) => f.block((zero) => f.brTable(f.param(0), [zero, one], two)));
        f.set(result, f.op('i32.add', f.get(result), f.i32(1)));
        f.br(done);
      });
      f.set(result, f.i32(20));
    });
    f.if(
      f.op('i32.eqz', f.get(result)),
      () => f.return_(f.i32(-1)),
      () => f.return_(f.get(result)),
    );
  };
  expect([0, 1, 2, 3].map((k) => run(['i32'], ['i32'], classify, [k]).result)).toEqual([1, 1, 20, 20]);
});

test('constants of every type come out as they went in', () => {
  const { memory } = run([], [], (f) => {
    for (const [k, x] of [0, 63, 64, -64, -65, 127, 128, 2147483647, -2147483648].entries()) f.store('i32.store', f.i32(4 * k), f.i32(x));
    for (const [k, x] of [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 64n, -65n].entries()) f.store('i64.store', f.i32(0), f.i64(x), 64 + 8 * k);
    f.store('f32.store', f.i32(128), f.f32(0.1));
    f.store('f64.store', f.i32(136), f.f64(-0.1));
    f.store('v128.store', f.i32(144), f.constant({ i64x2: [1n, -2n] }));
    f.store('v128.store', f.i32(160), f.constant({ f64x2: 0.1 }));
    f.store('f32.store', f.i32(176), f.f32Bits(0x7fc12345));
  });
  const i32s = Array.from({ length: 9 }, (_, k) => memory.getInt32(4 * k, true));
  expect(i32s).toEqual([0, 63, 64, -64, -65, 127, 128, 2147483647, -2147483648]);
  const i64s = Array.from({ length: 6 }, (_, k) => memory.getBigInt64(64 + 8 * k, true));
  expect(i64s).toEqual([0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 64n, -65n]);
  expect([memory.getFloat32(128, true), memory.getFloat64(136, true)]).toEqual([Math.fround(0.1), -0.1]);
  expect([memory.getBigInt64(144, true), memory.getBigInt64(152, true)]).toEqual([1n, -2n]);
  expect([memory.getFloat64(160, true), memory.getFloat64(168, true)]).toEqual([0.1, 0.1]);
  expect(memory.getUint32(176, true)).toBe(0x7fc12345);
});

test('lanes are taken, put, shuffled, loaded and stored one by one', () => {
  const { memory } = run([], [], (f) => {
    const v = f.bind(f.replaceLane('f32x4', 2, f.constant({ f32x4: [1, 2, 3, 4] }), f.f32(9)));
    f.store(
      'v128.store',
      f.i32(0),
      f.shuffle(v, f.constant({ f32x4: [5, 6, 7, 8] }), [8, 9, 10, 11, 16, 17, 18, 19, 0, 1, 2, 3, 28, 29, 30, 31]),
    );
    f.store('f32.store', f.i32(16), f.extractLane('f32x4', 2, v));
    f.storeLane('v128.store32_lane', f.i32(16), v, 1, 4);
    f.store('v128.store', f.i32(32), f.loadLane('v128.load32_lane', f.i32(0), v, 3, 12));
    f.store('i32.store', f.i32(24), f.extractLane('i8x16_s', 3, f.constant({ i32x4: -1 })));
    f.store('i32.store', f.i32(28), f.extractLane('i8x16_u', 3, f.constant({ i32x4: -1 })));
  });
  const floats = (at: number, count: number): number[] => Array.from({ length: count }, (_, k) => memory.getFloat32(at + 4 * k, true));
  expect(floats(0, 6)).toEqual([9, 5, 1, 8, 9, 2]);
  expect(floats(32, 4)).toEqual([1, 2, 9, 8]);
  expect([memory.getInt32(24, true), memory.getInt32(28, true)]).toEqual([-1, 255]);
});

test('atomics and bulk memory run in their order', () => {
  const { result, memory } = run([], ['i32'], (f) => {
    f.atomic('i32.atomic.store', [f.i32(0), f.i32(5)]);
    const before = f.atomic('i32.atomic.rmw.add', [f.i32(0), f.i32(2)])!;
    const seen = f.atomic('i32.atomic.rmw.cmpxchg', [f.i32(0), f.i32(7), f.i32(70)])!;
    f.atomic('atomic.fence', []);
    f.memoryFill(f.i32(100), f.i32(3), f.i32(8));
    f.memoryCopy(f.i32(200), f.i32(96), f.i32(8));
    f.return_(f.op('i32.add', f.op('i32.mul', before, f.i32(1000)), f.op('i32.add', seen, f.atomic('i32.atomic.load', [f.i32(0)])!)));
  });
  expect(result).toBe(5077);
  expect([memory.getUint32(200, true), memory.getUint32(204, true)]).toEqual([0, 0x03030303]);
});

test('several results come back in their order', () => {
  const m = buildModule();
  const both = m.function('both', ['i32'], ['i32', 'f64'], (f) => f.return_(f.op('i32.add', f.param(0), f.i32(1)), f.f64(0.5)));
  const sum = m.function('sum', ['i32'], ['f64'], (f) => {
    const [n, x] = f.callValues(both, [f.param(0)]);
    f.return_(f.op('f64.add', f.op('f64.convert_i32_s', n!), x!));
  });
  m.exportFunction('sum', sum);
  const exports = new WebAssembly.Instance(new WebAssembly.Module(m.finish().binary)).exports as { sum(x: number): number };
  expect(exports.sum(41)).toBe(42.5);
});

test('a wrong operand is an internal error that says where', () => {
  const building = (body: Body) => () => binaryOf(['i32'], [], body);
  expect(building((f) => f.op('i32.add', f.param(0), f.f32(1)))).toThrow('f: i32.add wants i32, not f32');
  expect(building((f) => f.op('i32.add', f.param(0)))).toThrow('f: i32.add wants 2 operands, not 1');
  expect(building((f) => f.op('f32x4.extract_lane', f.constant({ f32x4: 1 })))).toThrow(
    'f: f32x4.extract_lane wants another immediate: lane',
  );
  expect(building((f) => f.set(f.local('f64'), f.param(0)))).toThrow('f: local.set wants f64, not i32');
  expect(building((f) => f.return_(f.param(0)))).toThrow('f: returns 1 values, not 0');
  expect(building((f) => f.param(1))).toThrow('f: there is no parameter 1');
});
