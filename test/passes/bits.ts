// Runs graphs with every result rounded to its dtype, on numbers that show what a rewrite may not change: signed zeros, NaN, infinities.

import { draws } from '../../compiler/inspect/data.ts';
import { fixedShape } from '../../compiler/ir/dim.ts';
import { avalOf, type Graph, type Node, nodesOf } from '../../compiler/ir/node.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { meaningOf } from '../../compiler/ops/table.ts';
import type { DType } from '../../runtime/dtype.ts';
import { dataFor } from '../graph-data.ts';

const specials: Readonly<Partial<Record<DType, readonly number[]>>> = {
  f32: [
    0,
    -0,
    1,
    -1,
    0.5,
    -2.5,
    3.5,
    1e-45,
    -1e-45,
    1.1754944e-38,
    3.4028235e38,
    -3.4028235e38,
    0.1,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  ].map(Math.fround),
  f64: [0, -0, 1, -1, 0.5, -2.5, 5e-324, Number.MAX_VALUE, 0.1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN],
  i32: [0, 1, -1, 2, 7, 2147483647, -2147483648, 65536],
  u8: [0, 1, 2, 128, 255],
};

/** Data of which half the elements are special. What is an index, a bool or an i64 stays moderate. */
export function specialDataFor(graph: Graph, seed: number): readonly Reference[] {
  const random = draws(seed);
  const isIndex = new Set(nodesOf(graph).flatMap((n) => (n.op === 'gather' ? [n.inputs[1].node] : [])));
  return dataFor(graph, seed).map((given, i) => {
    const list = isIndex.has(graph.inputs[i]!.node) ? undefined : specials[given.dtype];
    if (list === undefined) return given;
    return { ...given, data: given.data.map((v) => (random() < 0.5 ? v : list[Math.floor(random() * list.length)]!)) };
  });
}

/** The outputs, every intermediate rounded as a kernel rounds it: float32 sums are accumulated in float64 and rounded once. */
export function evaluateRounded(graph: Graph, inputs: readonly Reference[]): readonly Reference[] {
  const known = new Map<Node, readonly Reference[]>(graph.inputs.map((v, i) => [v.node, [inputs[i]!]] as const));
  for (const n of nodesOf(graph)) {
    const results = meaningOf(
      n,
      n.inputs.map((v) => known.get(v.node)![v.index]!),
      evaluate,
    );
    known.set(n, results.map(rounded));
  }
  return graph.outputs.map((v) => known.get(v.node)![v.index]!);
}

const rounded = (r: Reference): Reference => (r.dtype === 'f32' ? { ...r, data: r.data.map(Math.fround) } : r);

/** Elements that differ in their bits; NaNs are all alike. */
export function differences(before: Graph, after: Graph, seed: number, signOfZero: boolean): string[] {
  const data = specialDataFor(before, seed);
  const [expected, actual] = [evaluateRounded(before, data), evaluateRounded(after, data)];
  return before.outputs.flatMap((v, i) => {
    const at = expected[i]!.data.findIndex((e, j) => !(Object.is(e, actual[i]!.data[j]) || (!signOfZero && e === actual[i]!.data[j])));
    const shape = fixedShape(avalOf(v).shape);
    return at < 0 ? [] : [`result ${i} of shape [${shape}]: ${actual[i]!.data[at]} instead of ${expected[i]!.data[at]} at ${at}`];
  });
}
