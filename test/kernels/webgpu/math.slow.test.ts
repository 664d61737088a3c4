// How far the float32 functions in WGSL are from the truth, over all magnitudes and where they are special.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { draws } from '../../../compiler/inspect/data.ts';
import { b, build } from '../../../compiler/ir/builder.ts';
import { referenceOf } from '../../../compiler/ops/evaluate.ts';
import { type ScalarName, scalar } from '../../../kernels/scalar.ts';
import type { Machine } from '../../../runtime/webgpu/state.ts';
import { ulpsApart } from '../../run-program.ts';
import { testMachine } from '../../webgpu/adapter.ts';
import { run } from '../../webgpu/run.ts';

let machine: Machine;
beforeAll(async () => {
  machine = await testMachine();
});
afterAll(() => machine.device.destroy());

/** Bounds, in units of the last place from the nearest float32, that were measured. */
const bounds = {
  exp: 1,
  exp2: 1,
  expm1: 2,
  log: 1,
  log2: 1,
  log10: 1,
  log1p: 1,
  sin: 2,
  cos: 2,
  tan: 2,
  asin: 2,
  acos: 1,
  atan: 1,
  sinh: 1,
  cosh: 1,
  tanh: 1,
  asinh: 2,
  acosh: 2,
  atanh: 1,
  erf: 1,
  sigmoid: 2,
  softplus: 1,
  pow: 3,
  atan2: 1,
  fmod: 0,
} as const satisfies { readonly [K in ScalarName]?: number };

const special = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  2,
  -2,
  3,
  -3,
  0.1,
  88.7,
  89,
  -87.4,
  -104,
  127.9,
  128,
  -149,
  1e30,
  -1e30,
  3.4e38,
  -3.4e38,
  Infinity,
  -Infinity,
  NaN,
];
const count = 20_000;

/** Half of them of ordinary size, half with any bits; subnormal ones aside, which a GPU may take for zeros. */
function numbers(seed: number): number[] {
  const random = draws(seed);
  const any = (): number => {
    const value = new Float32Array(Uint32Array.of(Math.floor(random() * 2 ** 32)).buffer)[0]!;
    return Math.abs(value) < 2 ** -126 ? 0 : value;
  };
  return Array.from({ length: count }, (_, i) =>
    i < special.length ** 2
      ? Math.fround(special[(seed === 1 ? i : Math.floor(i / special.length)) % special.length]!)
      : i % 2 === 0
        ? Math.fround((random() - 0.5) * 20)
        : any(),
  );
}

const isSubnormal = (x: number): boolean => x !== 0 && Math.abs(x) < 2 ** -126;

test.each(Object.keys(bounds) as (keyof typeof bounds)[])('%s', async (name) => {
  const { arity } = scalar[name];
  const f64 = scalar[name].f64 as (...x: number[]) => number;
  const operands = [numbers(1), numbers(2)].slice(0, arity);
  const inputs = operands.map(() => b.input({ dtype: 'f32', shape: [count] }));
  const node = build(name, inputs, {}, []);
  const [actual] = await run(
    machine,
    { inputs, outputs: node.values },
    operands.map((data) => referenceOf('f32', [count], data)),
  );
  let worst = { apart: 0, text: '' };
  for (let i = 0; i < count; i++) {
    const args = operands.map((o) => o[i]!);
    const expected = f64(...args);
    if (isSubnormal(Math.fround(expected))) continue;
    const apart = ulpsApart(actual!.data[i]!, expected, 'f32');
    if (!(apart <= worst.apart)) worst = { apart, text: `${name}(${args}) is ${actual!.data[i]}, not ${expected}` };
  }
  expect(worst.apart, worst.text).toBeLessThanOrEqual(bounds[name]);
});
