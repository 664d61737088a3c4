// Arrays of devices as arrays of the float64 reference and back, and seeded data for graphs that came without any.
import { allocate, type DType, isFloat, type TypedArray } from '../../runtime/dtype.ts';
import type { Executable } from '../../runtime/executable.ts';
import { fixedShape } from '../ir/dim.ts';
import { avalOf, type Graph, nodesOf, shapeOf, type Value } from '../ir/node.ts';
import type { Reference } from '../ops/rules.ts';

export function arrayOf({ dtype, data }: Reference): TypedArray {
  const array = allocate(dtype, data.length);
  if (array instanceof BigInt64Array) for (let i = 0; i < data.length; i++) array[i] = BigInt(data[i]!);
  else array.set(data);
  return array;
}

export function referenceFrom(array: TypedArray, dtype: DType, shape: readonly number[]): Reference {
  const data = new Float64Array(array.length);
  for (let i = 0; i < array.length; i++) data[i] = Number(array[i]);
  return { dtype, shape, data };
}

export const isSlot = (v: Value): boolean => v.node.op === 'slot';

/** Runs a Program once on data for all inputs of its graph, slots among them. */
export function runOnce({ run }: Executable, graph: Graph, data: readonly Reference[]): readonly Reference[] {
  const inputs = data.filter((_, i) => !isSlot(graph.inputs[i]!)).map(arrayOf);
  const slots = Float64Array.from(data.filter((_, i) => isSlot(graph.inputs[i]!)).map((r) => r.data[0]!));
  return run(inputs, slots).map((array, i) =>
    referenceFrom(array, avalOf(graph.outputs[i]!).dtype, fixedShape(shapeOf(graph.outputs[i]!))),
  );
}

/** Numbers in [0, 1) that look random and are the same every time. */
export function draws(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One array for each input: floats between -2 and 2; integers are small, and 0 where they may be positions. */
export function seededData(graph: Graph, seed = 1): readonly Reference[] {
  const draw = draws(seed);
  const positions = nodesOf(graph).some(({ op }) => op === 'gather' || op === 'scatterAdd' || op === 'scatterSet');
  return graph.inputs.map((v) => {
    const { dtype, shape } = avalOf(v);
    const data = new Float64Array(fixedShape(shape).reduce((n, d) => n * d, 1));
    for (let i = 0; i < data.length; i++) {
      const r = draw();
      if (isFloat(dtype)) data[i] = Math.fround(4 * r - 2);
      else if (dtype === 'bool') data[i] = Number(r < 0.5);
      else data[i] = positions ? 0 : Math.floor(8 * r);
    }
    return { dtype, shape: fixedShape(shape), data };
  });
}
