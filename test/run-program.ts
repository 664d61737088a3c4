// Runs compiled graphs on the same data as the float64 reference, and says how far results are apart in units of the last place.
import { runOnce } from '../compiler/inspect/data.ts';
import type { Graph } from '../compiler/ir/node.ts';
import { load } from '../compiler/jit/executable.ts';
import { type CompileOptions, compileGraph } from '../compiler/lower/compile.ts';
import type { Reference } from '../compiler/ops/rules.ts';
import type { DType } from '../runtime/dtype.ts';
import type { Executable } from '../runtime/executable.ts';
import { jsTarget, type Target } from '../runtime/target.ts';

/** Fills the arena with bytes that make any float a NaN and any integer odd: nothing may survive from an earlier run. */
export const poison = ({ arena }: Executable): void => void arena().fill(0xff);

/** Compiles a graph and runs it once on data for all its inputs, slots among them, with a poisoned arena. */
export function run(
  graph: Graph,
  data: readonly Reference[],
  target: Target = jsTarget,
  options: CompileOptions = {},
): readonly Reference[] {
  return runOn(load(compileGraph(graph, target, options)), graph, data);
}

export function runOn(executable: Executable, graph: Graph, data: readonly Reference[]): readonly Reference[] {
  poison(executable);
  return runOnce(executable, graph, data);
}

const bits: Readonly<Record<DType, number>> = { f32: 24, f64: 53, f16: 11, i32: 0, i64: 0, u8: 0, bool: 0 };
const smallestExponent: Readonly<Record<DType, number>> = { f32: -149, f64: -1074, f16: -24, i32: 0, i64: 0, u8: 0, bool: 0 };

/** How many representable numbers of `dtype` lie between the two; for integers their difference. NaN is near NaN only. */
export function ulpsApart(actual: number, expected: number, dtype: DType): number {
  if (Object.is(actual, expected) || actual === expected) return 0;
  if (Number.isNaN(actual) || Number.isNaN(expected)) return Number.POSITIVE_INFINITY;
  const precision = bits[dtype];
  if (precision === 0) return Math.abs(actual - expected);
  const rounded = dtype === 'f32' ? Math.fround(expected) : expected;
  if (!Number.isFinite(actual) || !Number.isFinite(rounded)) return actual === rounded ? 0 : Number.POSITIVE_INFINITY;
  const exponent = Math.max(Math.floor(Math.log2(Math.max(Math.abs(rounded), Number.MIN_VALUE))) - precision + 1, smallestExponent[dtype]);
  return Math.abs(actual - rounded) / 2 ** exponent;
}
