// What kernels look like in WGSL.
import { expect, test } from 'vitest';
import { emitShader } from '../../../kernels/webgpu/emit.ts';
import { DTypeError } from '../../../runtime/errors.ts';
import { dedent, kernelOf } from '../run.ts';

const own = (count: number) => Array.from({ length: count }, (_, i) => ({ buffer: i + 1, isShifted: false }));

test('iterations of parallel loops right inside one another are invocations', () => {
  const kernel = kernelOf(`
    kernel @scaled(x: read f32[12], y: write f32[12]) slots(f32) {
      comment "mul model.ts:3"
      par i: 3 {
        par j: 4 {
          y[j*3 + i] = x[i*4 + j] * $0 + 0.5_f32
        }
      }
    }
  `);
  const { source, entries } = emitShader(kernel, own(2));
  expect(source).toBe(
    dedent(`
    // mul model.ts:3
    struct Slots {
      slot0: f32,
    }
    @group(0) @binding(1) var<uniform> slots: Slots;
    @group(0) @binding(4) var<storage, read> x: array<f32>;
    @group(0) @binding(5) var<storage, read_write> y: array<f32>;

    @compute @workgroup_size(64)
    fn scaled(@builtin(global_invocation_id) id: vec3<u32>) {
      let invocation = i32(id.x);
      if (invocation >= 12) { return; }
      let i = invocation / 4;
      let j = invocation % 4;
      y[j * 3 + i] = x[i * 4 + j] * slots.slot0 + 0.5f;
    }
    `),
  );
  expect(entries).toEqual([{ name: 'scaled', groups: [1, 1], bindings: [1, 4, 5] }]);
});

test('grids beyond what a dimension holds have rows', () => {
  const kernel = kernelOf(`
    kernel @long(y: write i32[5000000]) {
      par i: 5000000 {
        y[i] = position.i32(i)
      }
    }
  `);
  const { source, entries } = emitShader(kernel, own(1));
  expect(entries).toMatchObject([{ groups: [65535, 2] }]);
  expect(source).toContain('let i = i32(id.y * 4194240u + id.x);');
});

test('parameters in the arena are found at offsets, as words', () => {
  const kernel = kernelOf(`
    kernel @add(x: read f32[4], y: write f32[4]) {
      par i: 4 {
        y[i] = x[i] + 1_f32
      }
    }
  `);
  const inArena = { buffer: 0, isShifted: true };
  const { source } = emitShader(kernel, [inArena, inArena]);
  expect(source).toContain('@group(0) @binding(3) var<storage, read_write> arena: array<u32>;');
  expect(source).toContain('arena[launch.y_at + i] = bitcast<u32>(bitcast<f32>(arena[launch.x_at + i]) + 1f);');
});

test('bytes share words with those of other invocations, so they are written by atomics', () => {
  const kernel = kernelOf(`
    kernel @mask(x: read f32[4], y: write bool[4]) {
      par i: 4 {
        y[i] = x[i] < 0_f32
      }
    }
  `);
  const { source } = emitShader(kernel, own(2));
  expect(source).toContain('var<storage, read_write> y: array<atomic<u32>>;');
  expect(source).toContain('y_set_byte(i, u32((x[i] < 0f)));');
});

test('what parallel loops share lies in the arena, and a dispatch is a barrier', () => {
  const kernel = kernelOf(`
    kernel @normalised(x: read f32[8], y: write f32[8]) {
      var sum = 0_f32
      serial i: 8 {
        sum += x[i]
      }
      par i: 8 {
        y[i] = x[i] / sum
      }
    }
  `);
  const { entries, scratchWords, source } = emitShader(kernel, own(2));
  expect(entries).toMatchObject([
    { name: 'normalised_1', bindings: [0, 3, 4] },
    { name: 'normalised_2', bindings: [0, 3, 4, 5] },
  ]);
  expect(scratchWords).toBe(1);
  expect(source).toContain('arena[launch.scratch] = bitcast<u32>(sum);');
  expect(source).toContain('var sum = bitcast<f32>(arena[launch.scratch]);');
});

test('NaN is told by its bits, and infinities are no constants', () => {
  const kernel = kernelOf(`
    kernel @clean(x: read f32[4], y: write f32[4]) {
      par i: 4 {
        y[i] = select(x[i] != x[i], inf_f32, x[i])
      }
    }
  `);
  expect(emitShader(kernel, own(2)).source).toContain('y[i] = select(x[i], runtime_f32(0x7f800000u), is_nan(x[i]));');
});

test('names are never code, and comments end where they should', () => {
  const kernel = kernelOf(`
    kernel @vec4(loop: read f32[1], id: write f32[1]) {
      comment "a\\nfn evil() {}"
      par fn: 1 {
        id[fn] = loop[fn]
      }
    }
  `);
  const { source, entries } = emitShader(kernel, own(2));
  expect(source.split('\n')[0]).toBe('// a\\u000afn evil() {}');
  expect(entries).toMatchObject([{ name: 'vec4_2' }]);
  expect(source).toContain('id_2[fn_2] = loop_2[fn_2];');
});

test('words that WGSL keeps for itself are no names', () => {
  const kernel = kernelOf(`
    kernel @g(x: read i32[1], y: write f32[1]) {
      let cast = f32(x[0])
      y[0] = cast + cast
    }
  `);
  expect(emitShader(kernel, own(2)).source).toContain('let cast_2 = f32(x[0]);');
});

test('dtypes that shaders lack are refused with the way out', () => {
  const wide = kernelOf(`
    kernel @wide(x: read f64[1], y: write f32[1]) {
      y[0] = f32(x[0])
    }
  `);
  expect(() => emitShader(wide, own(2))).toThrow(DTypeError);
  expect(() => emitShader(wide, own(2))).toThrow("webgpu does not compute with float64; convert with to('float32')");
});

test('a routine of the library is left to the host, between dispatches', () => {
  const kernel = kernelOf(`
    kernel @cholesky(x: read f32[4], y: write f32[4]) {
      scratch operand: f32[4]
      par i: 4 {
        operand[i] = x[i] + x[i]
      }
      library cholesky(operand, y) extents(1, 2) flags()
    }
  `);
  const [, computed, called] = emitShader(kernel, own(2)).entries;
  expect(computed).toMatchObject({ groups: [1, 1] });
  expect(called).toEqual({
    routine: 'cholesky',
    buffers: [
      { dtype: 'f32', length: 4, isWritten: false, at: { scratch: 0 } },
      { dtype: 'f32', length: 4, isWritten: true, at: { param: 1 } },
    ],
    numbers: [1, 2],
  });
});
