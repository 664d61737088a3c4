// Modules as text: what stands around functions, constants as people write them, and binaries that are none.
import { expect, test } from 'vitest';
import { buildModule } from '../../../kernels/wasm/binary.ts';
import { disassemble } from '../../../kernels/wasm/disassemble.ts';

test('imports, exports, calls, blocks and constants have a readable form', () => {
  const m = buildModule();
  m.importMemory('env', 'memory', { min: 1, max: 4, shared: true });
  const host = m.addImport('env', 'sin', ['f64'], ['f64']);
  const step = m.declare('step', ['i32'], []);
  m.exportFunction('run', step);
  m.define(step, (f) => {
    const x = f.callValue(host, [f.f64(0.1)]);
    f.if(
      f.param(0),
      () => f.store('f64.store', f.i32(8), x, 16),
      () => f.store('f32.store', f.i32(-8), f.f32(0.1)),
    );
    f.block((exit) => f.loop((again) => f.brTable(f.param(0), [again], exit)));
    f.storeLane('v128.store32_lane', f.i32(0), f.constant({ f32x4: [0, 1.5, 0.1, -2] }), 3, 4);
    f.store('i64.store', f.i32(0), f.i64(-5n));
  });
  expect(disassemble(m.finish().binary)).toBe(`(module
  (import "env" "sin" (func $sin (param f64) (result f64)))
  (import "env" "memory" (memory 1 4 shared))
  (export "run" (func $step))
  (func $step (param $0 i32)
    (local $1 f64) (local $2 v128)
    v128.const f32x4 0 1.5 0.1 -2
    local.set $2
    f64.const 0.1
    call $sin
    local.set $1
    local.get $0
    if
      i32.const 8
      local.get $1
      f64.store offset=16
    else
      i32.const -8
      f32.const 0.1
      f32.store
    end
    block
      loop
        local.get $0
        br_table 0 1
      end
    end
    i32.const 0
    local.get $2
    v128.store32_lane offset=4 3
    i32.const 0
    i64.const -5
    i64.store
  )
)
`);
});

test('what is no binary, or has an instruction that is not in the table, is refused', () => {
  expect(() => disassemble(new Uint8Array(3))).toThrow('disassemble: this is not a WebAssembly binary');
  const m = buildModule();
  m.function('f', [], [], (f) => f.unreachable());
  const { binary } = m.finish();
  binary[binary.lastIndexOf(0x0b)] = 0xc8;
  expect(() => disassemble(binary)).toThrow('disassemble: unknown instruction 0xc8 at byte');
});
