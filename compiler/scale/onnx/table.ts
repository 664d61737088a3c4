// Every op in ONNX (opset 20): one entry each, exhaustive by type; and the walk that writes a graph.
import type { ScalarName } from '../../../kernels/scalar.ts';
import { InternalError } from '../../../runtime/errors.ts';
import { fixed, fixedShape } from '../../ir/dim.ts';
import { avalOf, type Graph, type Node, type NodeOf, nodesOf, type Value } from '../../ir/node.ts';
import { isScalarName, type OpName, opNames } from '../../ir/opset.ts';
import { lacking, pointwise, widened } from './pointwise.ts';
import {
  elementType,
  emit,
  emitAll,
  graphBytes,
  initializer,
  integers,
  literal,
  type Named,
  newWriter,
  number,
  type Type,
  type Writer,
} from './writer.ts';

type Write<K extends OpName> = (xs: readonly Named[], n: NodeOf<K>, w: Writer) => readonly Named[];
type WritersFor<N extends OpName> = { readonly [K in N]: Write<K> };

const typeOf = (n: Node, result = 0): Type => ({ dtype: n.outputs[result]!.dtype, shape: fixedShape(n.outputs[result]!.shape) });
const refused = (op: OpName) => (): never => lacking(op);

const reshape = (w: Writer, x: Named, shape: readonly number[]): Named =>
  emit(w, 'Reshape', [x, integers(w, shape)], { dtype: x.dtype, shape }, { allowzero: 1 });
const transpose = (w: Writer, x: Named, order: readonly number[]): Named =>
  order.every((axis, i) => axis === i)
    ? x
    : emit(w, 'Transpose', [x], { dtype: x.dtype, shape: order.map((i) => x.shape[i]!) }, { perm: order });
const size = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

const reduction =
  (op: string) =>
  ([x]: readonly Named[], n: NodeOf<'sum' | 'prod' | 'amax' | 'amin'>, w: Writer): readonly Named[] =>
    n.attrs.axes.length === 0
      ? [x!]
      : [widened(w, [x!], (y) => emit(w, op, [y!, integers(w, n.attrs.axes)], { ...typeOf(n), dtype: y!.dtype }, { keepdims: 0 }))];
const argReduction =
  (op: string) =>
  ([x]: readonly Named[], n: NodeOf<'argmax' | 'argmin'>, w: Writer): readonly Named[] => [
    widened(w, [x!], (y) => emit(w, op, [y!], typeOf(n), { axis: n.attrs.axis, keepdims: 0 })),
  ];

/** A contraction as a product of matrices: batch, rows and columns side by side. */
function dot([x, y]: readonly Named[], n: NodeOf<'dot'>, w: Writer): readonly Named[] {
  const { batch, contract } = n.attrs;
  const free = (v: Named, side: 0 | 1): number[] => [...v.shape.keys()].filter((a) => ![...batch, ...contract].some((p) => p[side] === a));
  const [rows, columns] = [free(x!, 0), free(y!, 1)];
  const sizes = (v: Named, axes: readonly number[]): number => size(axes.map((a) => v.shape[a]!));
  const inner = contract.map((p) => p[0]);
  const outer = batch.map((p) => x!.shape[p[0]]!);
  const left = transpose(w, x!, [...batch.map((p) => p[0]), ...rows, ...inner]);
  const right = transpose(w, y!, [...batch.map((p) => p[1]), ...contract.map((p) => p[1]), ...columns]);
  const [m, k, c] = [sizes(x!, rows), sizes(x!, inner), sizes(y!, columns)];
  const a = reshape(w, left, [...outer, m, k]);
  const b = reshape(w, right, [...outer, k, c]);
  return [
    reshape(
      w,
      widened(w, [a, b], (p, q) => emit(w, 'MatMul', [p!, q!], { dtype: p!.dtype, shape: [...outer, m, c] })),
      typeOf(n).shape,
    ),
  ];
}

const convAttributes = ({ stride, padding, dilation, groups }: NodeOf<'conv' | 'convInputGrad'>['attrs']) => ({
  strides: stride,
  dilations: dilation,
  pads: [...padding.map((p) => p[0]), ...padding.map((p) => p[1])],
  group: groups,
});

/** `Slice` along all axes. */
function slice(w: Writer, x: Named, start: readonly number[], stop: readonly number[], step: readonly number[], result: Type): Named {
  return emit(w, 'Slice', [x, integers(w, start), integers(w, stop), integers(w, [...start.keys()]), integers(w, step)], result);
}

/** An index that is the same along all other axes takes whole rows. */
function gather([x, index]: readonly Named[], n: NodeOf<'gather'>, w: Writer): readonly Named[] {
  const { axis } = n.attrs;
  const source = n.inputs[1].node;
  const rows = source.op === 'expand' ? source.attrs.at : [];
  const others = [...x!.shape.keys()].filter((a) => a !== axis);
  if (others.length === 0 || !others.every((a) => rows.includes(a)) || index!.shape.includes(0))
    return [emit(w, 'GatherElements', [x!, index!], typeOf(n), { axis })];
  const start = index!.shape.map(() => 0);
  const first = index!.shape.map((d, a) => (a === axis ? d : 1));
  const cut = slice(
    w,
    index!,
    start,
    first,
    start.map(() => 1),
    { dtype: index!.dtype, shape: first },
  );
  return [emit(w, 'Gather', [x!, reshape(w, cut, [index!.shape[axis]!])], typeOf(n), { axis })];
}

const scatter =
  (mode: 'add' | 'none') =>
  ([x, index, updates]: readonly Named[], n: NodeOf<'scatterAdd' | 'scatterSet'>, w: Writer): readonly Named[] => [
    emit(w, 'ScatterElements', [x!, index!, updates!], typeOf(n), { axis: n.attrs.axis, reduction: mode }),
  ];

function iota(n: NodeOf<'iota'>, w: Writer): Named {
  const { dtype, shape } = typeOf(n);
  const { axis } = n.attrs;
  const line = emit(
    w,
    'Cast',
    [
      initializer(
        w,
        { dtype: 'i64', shape: [shape[axis]!] },
        new Uint8Array(BigInt64Array.from({ length: shape[axis]! }, (_, i) => BigInt(i)).buffer),
      ),
    ],
    { dtype, shape: [shape[axis]!] },
    { to: elementType(dtype) },
  );
  const placed = reshape(
    w,
    line,
    shape.map((d, i) => (i === axis ? d : 1)),
  );
  return emit(w, 'Expand', [placed, integers(w, shape)], { dtype, shape });
}

/** A region as a graph of its own, which sees the names around it. */
function subgraph(
  w: Writer,
  region: Graph,
  leading: readonly Named[],
  given: readonly Named[] | undefined,
  finish: (results: readonly Named[], inner: Writer) => readonly Named[],
): Uint8Array {
  const inner = newWriter(w.counter);
  const inputs =
    given ??
    region.inputs.map((v): Named => ({ name: `v${w.counter.next++}`, dtype: avalOf(v).dtype, shape: fixedShape(avalOf(v).shape) }));
  const results = finish(block(inner, region, inputs), inner);
  // A graph may not give back what it was given, nor one thing twice.
  const outputs = results.map((r) => emit(inner, 'Identity', [r], r));
  return graphBytes(inner, `g${w.counter.next++}`, [...leading, ...(given === undefined ? inputs : [])], outputs);
}

function whileLoop(xs: readonly Named[], n: NodeOf<'whileLoop'>, w: Writer): readonly Named[] {
  const [test, body] = n.regions as readonly [Graph, Graph];
  const before = block(w, test, xs)[0]!;
  const leading: Named[] = [
    { name: `v${w.counter.next++}`, dtype: 'i64', shape: [] },
    { name: `v${w.counter.next++}`, dtype: 'bool', shape: [] },
  ];
  const graph = subgraph(w, body, leading, undefined, (state, inner) => [block(inner, test, state)[0]!, ...state]);
  return emitAll(
    w,
    'Loop',
    [undefined, before, ...xs],
    n.outputs.map((_, i) => typeOf(n, i)),
    { body: { graph } },
  );
}

function scan(xs: readonly Named[], n: NodeOf<'scan'>, w: Writer): readonly Named[] {
  const { carries, reverse } = n.attrs;
  const count = xs.length - carries;
  const stacked = n.outputs.length - carries;
  const graph = subgraph(w, n.regions[0]!, [], undefined, (results) => results);
  if (count === 0) lacking('scan over nothing');
  const directions = {
    scan_input_directions: Array<number>(count).fill(reverse ? 1 : 0),
    scan_output_directions: Array<number>(stacked).fill(reverse ? 1 : 0),
  };
  return emitAll(
    w,
    'Scan',
    xs,
    n.outputs.map((_, i) => typeOf(n, i)),
    { body: { graph }, num_scan_inputs: count, ...directions },
  );
}

const pointwiseWriters = Object.fromEntries(
  opNames.filter(isScalarName).map((name) => [name, (xs: readonly Named[], _: Node, w: Writer) => [pointwise[name](w, ...xs)]]),
) as unknown as WritersFor<ScalarName>; // `pointwise` has an entry for each, which Object.fromEntries cannot say

const given = (op: OpName) => (): never => {
  throw new InternalError(`an ${op} is reached that the graph does not list among its inputs`, { op: 'onnx' });
};

const writers: WritersFor<OpName> = {
  ...pointwiseWriters,
  input: given('input'),
  slot: given('slot'),
  literal: (_, n, w) => [literal(w, n.attrs.value)],
  size: (_, n, w) => [number(w, fixed(n.attrs.size), n.attrs.dtype)],
  iota: (_, n, w) => [iota(n, w)],
  randomBits: refused('randomBits'),
  sum: reduction('ReduceSum'),
  prod: reduction('ReduceProd'),
  amax: reduction('ReduceMax'),
  amin: reduction('ReduceMin'),
  argmax: argReduction('ArgMax'),
  argmin: argReduction('ArgMin'),
  reshape: ([x], n, w) => [reshape(w, x!, typeOf(n).shape)],
  permute: ([x], n, w) => [transpose(w, x!, n.attrs.order)],
  expand: ([x], n, w) => {
    const { shape } = typeOf(n);
    const placed = reshape(
      w,
      x!,
      shape.map((d, i) => (n.attrs.at.includes(i) ? 1 : d)),
    );
    return [emit(w, 'Expand', [placed, integers(w, shape)], typeOf(n))];
  },
  pad: ([x, fill], n, w) => {
    const { low, high, interior } = n.attrs;
    if (interior.some((gap) => gap > 0)) lacking('padding between elements');
    if (low.length === 0) return [x!];
    return [emit(w, 'Pad', [x!, integers(w, [...low, ...high]), fill!], typeOf(n))];
  },
  slice: ([x], n, w) => [x!.shape.length === 0 ? x! : slice(w, x!, n.attrs.start, fixedShape(n.attrs.stop), n.attrs.step, typeOf(n))],
  flip: ([x], n, w) => {
    const { axes } = n.attrs;
    if (axes.length === 0) return [x!];
    const all = (value: number): Named =>
      integers(
        w,
        axes.map(() => value),
      );
    return [emit(w, 'Slice', [x!, all(-1), all(-(2 ** 31)), integers(w, axes), all(-1)], typeOf(n))];
  },
  concat: (xs, n, w) => [emit(w, 'Concat', xs, typeOf(n), { axis: n.attrs.axis })],
  cast: ([x], n, w) => [emit(w, 'Cast', [x!], typeOf(n), { to: elementType(n.attrs.to) })],
  bitcast: refused('bitcast'),
  dot,
  conv: (xs, n, w) => [emit(w, 'Conv', xs, typeOf(n), convAttributes(n.attrs))],
  // What a transposed convolution is, in a model as in a gradient.
  convInputGrad: ([ct, kernel], n, w) => {
    const { stride, padding, dilation, spatial } = n.attrs;
    const output_padding = spatial.map((d, i) => {
      const reach = (ct!.shape[i + 2]! - 1) * stride[i]! + (kernel!.shape[i + 2]! - 1) * dilation[i]! + 1;
      return d - (reach - padding[i]![0] - padding[i]![1]);
    });
    return [emit(w, 'ConvTranspose', [ct!, kernel!], typeOf(n), { ...convAttributes(n.attrs), output_padding })];
  },
  convWeightGrad: refused('convWeightGrad'),
  gather,
  scatterAdd: scatter('add'),
  scatterSet: scatter('none'),
  cumsum: ([x], n, w) => [
    widened(w, [x!], (y) =>
      emit(w, 'CumSum', [y!, number(w, n.attrs.axis, 'i64')], { ...typeOf(n), dtype: y!.dtype }, { reverse: n.attrs.reverse ? 1 : 0 }),
    ),
  ],
  cumprod: refused('cumprod'),
  sort: ([x], n, w) => ordered(w, x!, n, n.attrs.axis, n.attrs.descending),
  topk: ([x], n, w) => ordered(w, x!, n, n.attrs.axis, n.attrs.largest),
  cholesky: refused('cholesky'),
  lu: refused('lu'),
  triangularSolve: refused('triangularSolve'),
  qr: refused('qr'),
  eigh: refused('eigh'),
  svd: refused('svd'),
  barrier: ([x], n, w) => [emit(w, 'Identity', [x!], typeOf(n))],
  cond: ([test, ...xs], n, w) => {
    const [then, otherwise] = n.regions.map((region) => ({ graph: subgraph(w, region, [], xs, (results) => results) }));
    return emitAll(
      w,
      'If',
      [test!],
      n.outputs.map((_, i) => typeOf(n, i)),
      { then_branch: then!, else_branch: otherwise! },
    );
  },
  whileLoop,
  scan,
  composite: (xs, n, w) => block(w, n.regions[0]!, xs),
  kernel: (xs, n, w) => block(w, n.regions[0]!, xs),
};

function ordered(w: Writer, x: Named, n: NodeOf<'sort' | 'topk'>, axis: number, largest: boolean): readonly Named[] {
  const [values, order] = [typeOf(n, 0), typeOf(n, 1)];
  let places: Named | undefined;
  const sorted = widened(w, [x], (y) => {
    const count = integers(w, [values.shape[axis]!]);
    const [first, second] = emitAll(w, 'TopK', [y!, count], [{ ...values, dtype: y!.dtype }, order], {
      axis,
      largest: largest ? 1 : 0,
      sorted: 1,
    });
    places = second;
    return first!;
  });
  return [sorted, places!];
}

function written<K extends OpName>(xs: readonly Named[], n: NodeOf<K>, w: Writer): readonly Named[] {
  const write: Write<K> = writers[n.op];
  return write(xs, n, w);
}

/** Writes all nodes of a graph, and gives what stands for its outputs. Recurses over regions, never over nodes. */
export function block(w: Writer, graph: Graph, inputs: readonly Named[]): readonly Named[] {
  const known = new Map<Value, Named>();
  for (const [i, v] of graph.inputs.entries()) known.set(v, inputs[i]!);
  for (const node of nodesOf(graph)) {
    // Runtimes differ in what they make of no elements; what has none is a constant.
    const isEmpty = node.outputs.every((_, i) => typeOf(node, i).shape.includes(0));
    const results = isEmpty
      ? node.outputs.map((_, i) => initializer(w, typeOf(node, i), new Uint8Array()))
      : written(
          node.inputs.map((v) => known.get(v)!),
          node as NodeOf<OpName>,
          w,
        );
    for (const [i, v] of node.values.entries()) known.set(v, results[i]!);
  }
  return graph.outputs.map((v) => known.get(v)!);
}
