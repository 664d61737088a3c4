// Branches and loops: regions of StableHLO. A scan is a loop that reads and writes rows of whole arrays.
import { fixedShape } from '../../ir/dim.ts';
import type { Graph, NodeOf } from '../../ir/node.ts';
import { compare, constant, type Emitter, filled, generic, mapped, reshape, same, type Type, type Typed } from './emitter.ts';
import { arrayText, elementOf } from './text.ts';

/** Writes a graph in the place where it stands, given what its inputs are. */
export type Block = (e: Emitter, graph: Graph, inputs: readonly Typed[]) => readonly Typed[];

/** Regions see the values around them, so a branch takes no arguments. */
export function cond(block: Block, [test, ...xs]: readonly Typed[], n: NodeOf<'cond'>, e: Emitter): readonly Typed[] {
  const results = n.outputs.map((a): Type => ({ element: elementOf(a.dtype), shape: fixedShape(a.shape) }));
  const branch = (graph: Graph) => ({ arguments: [], body: () => block(e, graph, xs) });
  return generic(e, 'stablehlo.if', [test!], results, '', n.regions.map(branch));
}

export function whileLoop(block: Block, xs: readonly Typed[], n: NodeOf<'whileLoop'>, e: Emitter): readonly Typed[] {
  const region = (graph: Graph) => ({ arguments: xs, body: (args: readonly Typed[]) => block(e, graph, args) });
  return generic(e, 'stablehlo.while', xs, xs, '', n.regions.map(region));
}

/** Carries, then the rows that are written; the position counts from either end. */
export function scan(block: Block, xs: readonly Typed[], n: NodeOf<'scan'>, e: Emitter): readonly Typed[] {
  const { carries, length, reverse } = n.attrs;
  const body = n.regions[0]!;
  const written = n.outputs.slice(carries).map((a) => filled(e, 0, { element: elementOf(a.dtype), shape: fixedShape(a.shape) }));
  if (length === 0) return [...xs.slice(0, carries), ...written];
  const number = constant(e, 0, 'i32');
  const state = [number, ...xs.slice(0, carries), ...written];
  const test = {
    arguments: state,
    body: ([i]: readonly Typed[]) => [compare(e, 'LT', i!, constant(e, length, 'i32'))],
  };
  const step = {
    arguments: state,
    body: ([i, ...rest]: readonly Typed[]) => {
      const at = reverse ? same(e, 'stablehlo.subtract', constant(e, length - 1, 'i32'), i!) : i!;
      const rows = xs.slice(carries).map((x) => rowAt(e, x, at));
      const made = block(e, body, [...rest.slice(0, carries), ...rows]);
      const next = same(e, 'stablehlo.add', i!, constant(e, 1, 'i32'));
      return [next, ...made.slice(0, carries), ...made.slice(carries).map((row, k) => withRow(e, rest[carries + k]!, row, at))];
    },
  };
  return generic(e, 'stablehlo.while', state, state, '', [test, step]).slice(1);
}

const starts = (e: Emitter, rank: number, at: Typed): readonly Typed[] =>
  Array.from({ length: rank }, (_, i) => (i === 0 ? at : constant(e, 0, 'i32')));

function rowAt(e: Emitter, x: Typed, at: Typed): Typed {
  const [, ...shape] = x.shape;
  const row: Type = { element: x.element, shape: [1, ...shape] };
  const cut = generic(e, 'stablehlo.dynamic_slice', [x, ...starts(e, x.shape.length, at)], [row], `slice_sizes = ${arrayText(row.shape)}`);
  return reshape(e, cut[0]!, shape);
}

function withRow(e: Emitter, into: Typed, row: Typed, at: Typed): Typed {
  const whole = reshape(e, row, [1, ...row.shape]);
  return mapped(e, 'stablehlo.dynamic_update_slice', [into, whole, ...starts(e, into.shape.length, at)], into);
}

/** `x` once `after` is there; nothing is merged across. */
export const barrier = (e: Emitter, x: Typed, after: Typed): Typed =>
  generic(e, 'stablehlo.optimization_barrier', [x, after], [x, after], '')[0]!;
