// The typed builder: `b.sum(x, { axes: [0] })`, one method per op, made from the signatures.
import type { DType } from '../../runtime/dtype.ts';
import { IRError } from '../../runtime/errors.ts';
import type { Aval } from './aval.ts';
import { literalOf } from './literal.ts';
import { avalOf, type Graph, makeNode, type Node, type Value } from './node.ts';
import { type AttrsOf, type OpName, type OpSet, opset, type Tuple } from './opset.ts';

type Inputs<K extends OpName> = Tuple<OpSet[K]['operands'], Value>;
/** One value, or a tuple of as many as the signature infers. */
type Result<K extends OpName> =
  ReturnType<OpSet[K]['infer']> extends infer R ? (R extends Aval ? Value : { readonly [I in keyof R]: Value }) : never;
type Rest<K extends OpName> = [
  ...(keyof AttrsOf<K> extends never
    ? OpSet[K]['regions'] extends readonly []
      ? []
      : [attrs: Record<never, never>]
    : [attrs: AttrsOf<K>]),
  ...(OpSet[K]['regions'] extends readonly [] ? [] : [regions: Tuple<OpSet[K]['regions'], Graph>]),
];
type Args<K extends OpName> = OpSet[K]['operands'] extends 'many' ? [inputs: readonly Value[], ...Rest<K>] : [...Inputs<K>, ...Rest<K>];
export type Builder = { readonly [K in OpName]: (...args: Args<K>) => Result<K> };

type LooseInfer = (inputs: readonly Aval[], attrs: object, regions: readonly (readonly Aval[])[]) => Aval | readonly Aval[];

/** What recording adds to building: operands are first made valid in the current interval, and every node made is told. */
export type Recorder = { readonly resolve: (operand: Value) => Value; readonly made: (node: Node) => void };
let recorder: Recorder | undefined;

/** Installs a recorder (none: nodes are built free of any recording, as in regions and passes) and returns the one before. */
export function recordWith(next: Recorder | undefined): Recorder | undefined {
  const before = recorder;
  recorder = next;
  return before;
}

/** Values as nodes built now may use them: what the recorder makes of operands, for those who must know their nodes' operands before. */
export const usable = (values: readonly Value[]): readonly Value[] => (recorder === undefined ? values : values.map(recorder.resolve));

/** Makes a node of any op from its parts; throws IRError where the signature refuses them. */
export function build(op: OpName, operands: readonly Value[], attrs: object = {}, regions: readonly Graph[] = []): Node {
  const names = opset[op].operands;
  if (names !== 'many' && names.length !== operands.length)
    throw new IRError(`${op} takes ${names.length} operands, got ${operands.length}`);
  const inputs = recorder === undefined ? operands : operands.map(recorder.resolve);
  const inferred = (opset[op].infer as LooseInfer)(
    inputs.map(avalOf),
    attrs,
    regions.length === 0 ? noResults : regions.map((g) => g.outputs.map(avalOf)),
  );
  const node = makeNode(op, inputs, attrs, regions, outputsOf(inferred));
  recorder?.made(node);
  return node;
}

const noResults: readonly (readonly Aval[])[] = [];

/** The list of results. Runs of ops give one dtype and shape; they share a list, since one is kept for every op recorded. */
function outputsOf(inferred: Aval | readonly Aval[]): readonly Aval[] {
  if (Array.isArray(inferred)) return inferred as readonly Aval[];
  const { dtype, shape } = inferred as Aval;
  const before = latest[0];
  if (before === undefined || before.dtype !== dtype || before.shape !== shape) latest = [inferred as Aval];
  return latest;
}
let latest: readonly Aval[] = [];

/** Ops whose number of results is part of their data, so that the builder always gives a list. */
const listResults: ReadonlySet<string> = new Set<OpName>([
  'cond',
  'whileLoop',
  'scan',
  'composite',
  'kernel',
  'sort',
  'topk',
  'lu',
  'qr',
  'eigh',
  'svd',
]);

const noAttrs = {};
const noRegions: readonly Graph[] = [];

export const b = Object.fromEntries(
  Object.entries(opset).map(([name, { operands }]) => {
    const many = operands === 'many';
    const n = many ? 1 : operands.length;
    const isList = listResults.has(name);
    const make = (...args: unknown[]): unknown => {
      const inputs = (many ? args[0] : args.length === n ? args : args.slice(0, n)) as readonly Value[];
      const node = build(name as OpName, inputs, (args[n] ?? noAttrs) as object, (args[n + 1] ?? noRegions) as readonly Graph[]);
      return isList ? node.values : node.values[0];
    };
    return [name, make];
  }),
) as unknown as Builder;

/** A literal that the library needs: never for a user's number, which is a slot. */
export const lit = (value: number | bigint | boolean, dtype: DType): Value => b.literal({ value: literalOf(value, dtype) });

/** A literal of a whole shape: a 0-d literal, expanded. */
export function full(value: number | bigint | boolean, like: Aval): Value {
  const v = lit(value, like.dtype);
  return like.shape.length === 0 ? v : b.expand(v, { shape: like.shape, at: like.shape.map((_, i) => i) });
}

/** A region: a graph over fresh inputs of the given avals, built while nothing records. */
export function region(avals: readonly Aval[], body: (inputs: readonly Value[]) => readonly Value[]): Graph {
  const before = recordWith(undefined);
  try {
    const inputs = avals.map((a) => b.input({ dtype: a.dtype, shape: a.shape }));
    return { inputs, outputs: body(inputs) };
  } finally {
    recordWith(before);
  }
}
