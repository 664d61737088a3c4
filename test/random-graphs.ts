// Arbitrary valid graphs over the op table, for property tests. A graph shrinks by losing ops, results and inputs.
import fc from 'fast-check';
import { b, recordWith } from '../compiler/ir/builder.ts';
import { type Dim, sym } from '../compiler/ir/dim.ts';
import { dtypeOf, type Graph, type Node, nodesOf, type Value } from '../compiler/ir/node.ts';
import { print } from '../compiler/ir/print.ts';
import type { Reference } from '../compiler/ops/rules.ts';
import type { DType } from '../runtime/dtype.ts';
import { bindSizes, sizeNames } from './bind-sizes.ts';
import { dataFor } from './graph-data.ts';
import { factorization } from './random-matrices.ts';
import {
  type Choose,
  compositeMakers,
  controlFlowMakers,
  kernelMakers,
  type Maker,
  type OpOptions,
  primitiveMakers,
} from './random-ops.ts';

export type GraphOptions = Partial<OpOptions> & {
  readonly maxOps?: number;
  /** Symbolic sizes among those of the inputs. */
  readonly symbolic?: boolean;
  /** Which ops with regions there may be; none unless given. */
  readonly regions?: readonly ('composite' | 'controlFlow' | 'kernel')[];
  /** Arbitrary name hints and locations. */
  readonly annotated?: boolean;
};

const regionMakers = { composite: compositeMakers, controlFlow: controlFlowMakers, kernel: kernelMakers } as const;
/** What the JavaScript target has. */
const usualDTypes: readonly DType[] = ['f32', 'f64', 'i32', 'i64', 'u8', 'bool'];
const choicesPerOp = 16;

/** Random graphs; symbolic sizes are named n and m. */
export function graphs(options: GraphOptions = {}): fc.Arbitrary<Graph> {
  const { maxOps = 12, symbolic = false, annotated = false } = options;
  const sizes: readonly Dim[] = [2, 3, 1, 0, 4, ...(symbolic ? [sym('n'), sym('m')] : [])];
  const size = fc.constantFrom(...sizes);
  const base = fc.array(size, { minLength: 1, maxLength: 3 });
  const input = fc.record({
    dtype: fc.constantFrom(...(options.dtypes ?? usualDTypes)),
    drop: fc.nat(3),
    isSlot: fc.boolean(),
  });
  const choices = fc.array(fc.nat(0xffff), { minLength: choicesPerOp, maxLength: choicesPerOp });
  return fc
    .record({
      base,
      inputs: fc.array(input, { minLength: 1, maxLength: 4 }),
      ops: fc.array(choices, { minLength: 1, maxLength: maxOps, size: 'max' }),
      outputs: fc.array(fc.nat(0xffff), { maxLength: 3, size: 'max' }),
      notes: annotated ? fc.array(annotation, { minLength: 1, maxLength: 8 }) : fc.constant([]),
    })
    .map((recipe) => shown(follow(recipe, options)));
}

type Recipe = {
  readonly base: readonly Dim[];
  readonly inputs: readonly { readonly dtype: DType; readonly drop: number; readonly isSlot: boolean }[];
  readonly ops: readonly (readonly number[])[];
  readonly outputs: readonly number[];
  readonly notes: readonly Annotation[];
};

/** Inputs have the base shape, some of it, or are slots; so many operands fit each other. */
function follow(recipe: Recipe, options: GraphOptions): Graph {
  const { dtypes = usualDTypes, finite = false, continuous = false, regions = [] } = options;
  const makers: readonly Maker[] = [...primitiveMakers, factorization, ...regions.flatMap((r) => [...regionMakers[r], ...regionMakers[r]])];
  const before = recordWith(undefined);
  try {
    const inputs = recipe.inputs.map(({ dtype, drop, isSlot }) =>
      isSlot && drop === 3 ? b.slot({ dtype }) : b.input({ dtype, shape: recipe.base.slice(0, drop === 2 ? -1 : undefined) }),
    );
    const pool: Value[] = [...inputs];
    for (const choices of recipe.ops) {
      const choose = chooserOf(choices);
      const made = makers[choose(makers.length)]!({ pool, choose, dtypes, finite, continuous });
      if (made !== undefined) pool.push(...made.filter((v) => dtypes.includes(dtypeOf(v))));
    }
    const outputs = [pool.at(-1)!, ...recipe.outputs.map((i) => pool[i % pool.length]!)];
    const graph = { inputs, outputs };
    if (recipe.notes.length > 0) annotate(graph, recipe.notes);
    return graph;
  } finally {
    recordWith(before);
  }
}

function chooserOf(choices: readonly number[]): Choose {
  let next = 0;
  return (n) => (choices[next++ % choices.length]! + Math.floor(next / choices.length)) % n;
}

/** Counterexamples are read as text. */
const shown = (graph: Graph): Graph => Object.defineProperty({ ...graph }, fc.toStringMethod, { value: () => `\n${print(graph)}\n` });

type Annotation = { readonly name: string | undefined; readonly place: string | undefined };
const annotation: fc.Arbitrary<Annotation> = fc.record({
  name: fc.oneof(
    fc.constant(undefined),
    fc.constantFrom('x', 'x_1', 'fc.weight', '0', 'a,b', ',', 'v,i', '%', '"\n\u2028', ''),
    fc.string(),
  ),
  place: fc.oneof(fc.constant(undefined), fc.constant('model.ts:14'), fc.string()),
});

function annotate(graph: Graph, notes: readonly Annotation[]): void {
  const nodes: readonly Node[] = [...graph.inputs.map((v) => v.node), ...nodesOf(graph)];
  for (const [i, node] of nodes.entries()) {
    const { name, place } = notes[i % notes.length]!;
    node.name = name;
    node.loc = place === undefined ? undefined : { site: place };
  }
}

/** A graph of fixed sizes with data for its inputs. */
export type GraphWithData = { readonly graph: Graph; readonly data: readonly Reference[] };

/** Random graphs, symbolic sizes bound to small numbers, and data for them. */
export function graphsWithData(options: GraphOptions = {}): fc.Arbitrary<GraphWithData> {
  return fc
    .record({ graph: graphs(options), seed: fc.nat(), sizes: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })) })
    .map(({ graph, seed, sizes }) => {
      const bound = shown(bindSizes(graph, new Map(sizeNames(graph).map((name, i) => [name, sizes[i % 2]!]))));
      return { graph: bound, data: dataFor(bound, seed) };
    });
}
