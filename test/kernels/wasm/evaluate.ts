// Runs the vector functions over arrays, in both classes of arithmetic, and measures their error against float64.
import { setFlagsFromString } from 'node:v8';
import { scalar } from '../../../kernels/scalar.ts';
import { buildModule } from '../../../kernels/wasm/binary.ts';
import { type Float32Function, float32 } from '../../../kernels/wasm/math/table.ts';
import { vectorMath } from '../../../kernels/wasm/math/vector-math.ts';
import { newUnit } from '../../../kernels/wasm/unit.ts';

/** Elements that fit in the memory below, per operand and for the result. */
export const capacity = 1 << 16;

export type Evaluator = {
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly result: Float32Array;
  /** Over the first `count` elements, a multiple of four. */
  run(count: number): void;
};

/** Node 20 has relaxed SIMD behind a flag. */
function allowRelaxed(binary: Uint8Array<ArrayBuffer>): void {
  if (!WebAssembly.validate(binary)) setFlagsFromString('--experimental-wasm-relaxed-simd');
}

export function moduleOf(name: Float32Function, fused: boolean, inline: boolean = float32[name].inline): Uint8Array<ArrayBuffer> {
  const module = buildModule();
  const unit = newUnit(module, fused);
  module.importMemory('env', 'memory', { min: 1, max: 1 << 10, shared: false });
  const { arity, compute } = float32[name];
  const operands = Array.from({ length: arity }, () => 'v128' as const);
  const called = module.function(name, operands, ['v128'], (f) =>
    f.return_(compute(vectorMath(unit, f), ...operands.map((_, k) => f.param(k)))),
  );
  const run = module.function('run', ['i32'], [], (f) => {
    const at = f.local('i32', 'at');
    f.loop((again) => {
      const x = operands.map((_, k) => f.load('v128.load', f.get(at), 4 * capacity * k));
      f.store('v128.store', f.get(at), inline ? compute(vectorMath(unit, f), ...x) : f.callValue(called, x), 8 * capacity);
      f.set(at, f.op('i32.add', f.get(at), f.i32(16)));
      f.brIf(again, f.op('i32.lt_u', f.get(at), f.param(0)));
    });
  });
  module.exportFunction('run', run);
  return module.finish().binary;
}

export function evaluator(name: Float32Function, fused: boolean, inline?: boolean): Evaluator {
  const binary = moduleOf(name, fused, inline);
  allowRelaxed(binary);
  const memory = new WebAssembly.Memory({ initial: (12 * capacity) >> 16, maximum: 1 << 10 });
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { memory } }).exports as { run(bytes: number): void };
  const array = (k: number) => new Float32Array(memory.buffer, 4 * capacity * k, capacity);
  return { x: array(0), y: array(1), result: array(2), run: (count) => run(4 * count) };
}

/** The result in float64, good to a few of its own last places. */
export function reference(name: Float32Function, x: number, y: number): number {
  switch (name) {
    case 'sigmoid': {
      // Relative accuracy where the result is small, too.
      const e = Math.exp(-Math.abs(x));
      return x < 0 ? e / (1 + e) : 1 / (1 + e);
    }
    default:
      return (scalar[name].f64 as (x: number, y: number) => number)(x, y);
  }
}

const bits = new Float64Array(1);
const words = new Uint32Array(bits.buffer);
/** The distance of neighbouring float32 around a float64, at least that of subnormals. */
export function spacing(exact: number): number {
  bits[0] = exact;
  const exponent = ((words[1]! >>> 20) & 2047) - 1023;
  return 2 ** (Math.max(exponent, -126) - 23);
}

/** Units in the last place between a float32 and the exact result; infinite where one is NaN, infinite or zero of another sign alone. */
export function ulps(result: number, exact: number): number {
  const rounded = Math.fround(exact);
  if (Number.isNaN(result) || Number.isNaN(rounded)) return Number.isNaN(result) && Number.isNaN(rounded) ? 0 : Number.POSITIVE_INFINITY;
  if (result === 0 && rounded === 0) return Object.is(result, rounded) ? Math.abs(exact) / spacing(exact) : Number.POSITIVE_INFINITY;
  // Infinity is the neighbour of the largest number.
  const finite = (v: number): number => Math.max(-(2 ** 128), Math.min(2 ** 128, v));
  return Math.abs(finite(result) - finite(exact)) / Math.min(spacing(exact), 2 ** 104);
}
