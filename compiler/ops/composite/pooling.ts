// Pooling over the last axes, as graphs of strided slices: every window offset is one slice, and a fused kernel reads them in place.
import { aval } from '../../ir/aval.ts';
import { b, full, lit } from '../../ir/builder.ts';
import { fixed, type Shape } from '../../ir/dim.ts';
import { dtypeOf, shapeOf, type Value } from '../../ir/node.ts';
import { composite, leading } from './rule.ts';
import { constant, keepIf } from './shape.ts';

/** One entry per pooled axis, the last ones of x. `padding` is on both sides; `ceil` lets a last window stand over the edge. */
export type Window = {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly ceil: boolean;
};
type Dilated = Window & { readonly dilation: readonly number[] };

/** Extent of a pooled axis (PyTorch's pooling_output_shape: a window must start inside the input or its left padding). */
function pooledExtent(n: number, kernel: number, stride: number, padding: number, dilation: number, ceil: boolean): number {
  const room = n + 2 * padding - dilation * (kernel - 1) - 1;
  const out = (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
  return ceil && (out - 1) * stride >= n + padding ? out - 1 : out;
}

/** One pooled axis with all sizes known: input, result, and the padding that windows reach into behind. */
type Axis = {
  readonly n: number;
  readonly out: number;
  readonly kernel: number;
  readonly stride: number;
  readonly low: number;
  readonly high: number;
  readonly dilation: number;
};

function axesOf(shape: Shape, w: Window, dilation: readonly number[]): readonly Axis[] {
  const first = shape.length - w.kernel.length;
  return w.kernel.map((kernel, i) => {
    const n = fixed(shape[first + i]!);
    const [stride, low, step] = [w.stride[i]!, w.padding[i]!, dilation[i]!];
    const out = pooledExtent(n, kernel, stride, low, step, w.ceil);
    return { n, out, kernel, stride, low, high: Math.max(0, (out - 1) * stride + step * (kernel - 1) + 1 - n - low), dilation: step };
  });
}

const undilated = (w: Window): readonly number[] => w.kernel.map(() => 1);
/** A list for all axes of a value, from one for the pooled axes and a value for the others. */
const forAll = <T>(rank: number, outer: (i: number) => T, pooled: readonly T[]): T[] =>
  Array.from({ length: rank }, (_, i) => (i < rank - pooled.length ? outer(i) : pooled[i - rank + pooled.length]!));

function padded(x: Value, axes: readonly Axis[], fill: number): Value {
  if (axes.every((a) => a.low === 0 && a.high === 0)) return x;
  const rank = shapeOf(x).length;
  const widths = (pick: (a: Axis) => number): number[] => forAll(rank, () => 0, axes.map(pick));
  return b.pad(x, lit(fill, dtypeOf(x)), { low: widths((a) => a.low), high: widths((a) => a.high), interior: widths(() => 0) });
}

/** Offsets within a window, row-major. */
const offsetsOf = (axes: readonly Axis[]): readonly (readonly number[])[] =>
  axes.reduce<number[][]>((all, a) => all.flatMap((o) => Array.from({ length: a.kernel }, (_, i) => [...o, i])), [[]]);

const startOf = (a: Axis, offset: number): number => offset * a.dilation;
/** How far the elements at one offset reach, from the first to behind the last. */
const reach = (a: Axis): number => (a.out - 1) * a.stride + 1;

/** The elements at one offset of every window. */
function sliceAt(p: Value, axes: readonly Axis[], offset: readonly number[]): Value {
  const shape = shapeOf(p);
  return b.slice(p, {
    start: forAll(
      shape.length,
      () => 0,
      axes.map((a, i) => startOf(a, offset[i]!)),
    ),
    stop: forAll(
      shape.length,
      (i) => shape[i]!,
      axes.map((a, i) => startOf(a, offset[i]!) + reach(a)),
    ),
    step: forAll(
      shape.length,
      () => 1,
      axes.map((a) => a.stride),
    ),
  });
}

/** The transpose of `sliceAt` after padding: puts elements at one offset back to where they came from in x; what came from padding is cut off. */
function putBack(ct: Value, axes: readonly Axis[], offset: readonly number[]): Value {
  const rank = shapeOf(ct).length;
  const spread = (pick: (a: Axis, i: number) => number): number[] => forAll(rank, () => 0, axes.map(pick));
  const whole = b.pad(ct, lit(0, dtypeOf(ct)), {
    low: spread((a, i) => startOf(a, offset[i]!)),
    high: spread((a, i) => Math.max(0, a.low + a.n - startOf(a, offset[i]!) - reach(a))),
    interior: spread((a) => a.stride - 1),
  });
  const shape = shapeOf(whole);
  return b.slice(whole, {
    start: forAll(
      rank,
      () => 0,
      axes.map((a) => a.low),
    ),
    stop: forAll(
      rank,
      (i) => shape[i]!,
      axes.map((a) => a.low + a.n),
    ),
    step: forAll(
      rank,
      () => 1,
      axes.map(() => 1),
    ),
  });
}

const sum = (terms: readonly Value[]): Value => terms.reduce((a, t) => b.add(a, t));

/** For each offset, where it holds the first maximum of its window. NaN counts as the maximum, being the result. */
function firstMaxima(p: Value, y: Value, axes: readonly Axis[]): readonly Value[] {
  let before: Value | undefined;
  return offsetsOf(axes).map((offset) => {
    const w = sliceAt(p, axes, offset);
    const isMax = b.or(b.eq(w, y), b.ne(w, w));
    const first = before === undefined ? isMax : b.and(isMax, b.not(before));
    before = before === undefined ? isMax : b.or(before, isMax);
    return first;
  });
}

const lowest = Number.NEGATIVE_INFINITY;
const plain = { stride: [2, 2], padding: [0, 0], ceil: false, kernel: [2, 2] } as const;
const image = aval('f64', [1, 2, 4, 4]);

export const maxPool = composite<[Value], Dilated>({
  doc: 'Maximum of each window; the gradient goes to the first maximum of it.',
  body: ([x], params) => {
    const axes = axesOf(shapeOf(x), params, params.dilation);
    const p = padded(x, axes, lowest);
    return [
      offsetsOf(axes)
        .map((o) => sliceAt(p, axes, o))
        .reduce((a, w) => b.max(a, w)),
    ];
  },
  vjp: ([ct], { inputs: [x], results: [y], params }) => {
    const axes = axesOf(shapeOf(x), params, params.dilation);
    const first = firstMaxima(padded(x, axes, lowest), y!, axes);
    return [sum(offsetsOf(axes).map((o, i) => putBack(keepIf(first[i]!, ct!), axes, o)))];
  },
  jvp: ([t], { inputs: [x], results: [y], params }) => {
    const axes = axesOf(shapeOf(x), params, params.dilation);
    const first = firstMaxima(padded(x, axes, lowest), y!, axes);
    const moved = padded(t!, axes, 0);
    return [sum(offsetsOf(axes).map((o, i) => keepIf(first[i]!, sliceAt(moved, axes, o))))];
  },
  batch: leading(1),
  samples: [
    { inputs: [image], params: { ...plain, dilation: [1, 1] } },
    { inputs: [image], params: { kernel: [3, 2], stride: [1, 2], padding: [1, 1], dilation: [1, 2], ceil: true } },
    { inputs: [aval('f64', [2, 7])], params: { kernel: [3], stride: [2], padding: [0], dilation: [1], ceil: true } },
  ],
});

export const maxPoolIndices = composite<[Value], Dilated>({
  doc: 'Where the first maximum of each window lies, as a flat i64 position within the pooled axes.',
  body: ([x], params) => {
    const axes = axesOf(shapeOf(x), params, params.dilation);
    const p = padded(x, axes, lowest);
    const y = offsetsOf(axes)
      .map((o) => sliceAt(p, axes, o))
      .reduce((a, w) => b.max(a, w));
    const first = firstMaxima(p, y, axes);
    const whole = aval('i64', shapeOf(y));
    const rank = whole.shape.length;
    const places = offsetsOf(axes).map((offset) =>
      axes.reduce(
        (flat, a, i) => {
          const window = b.iota({ ...whole, axis: rank - axes.length + i });
          const position = b.add(b.mul(window, full(a.stride, whole)), full(startOf(a, offset[i]!) - a.low, whole));
          return b.add(b.mul(flat, full(a.n, whole)), position);
        },
        full(0, whole),
      ),
    );
    return [places.reduceRight((later, place, i) => b.select(first[i]!, place, later))];
  },
  batch: leading(1),
  samples: [{ inputs: [image], params: { ...plain, dilation: [1, 1] } }],
});

type Average = Window & {
  /** Whether padding counts as elements. */
  readonly countPadding: boolean;
  /** 0: the count of elements. */
  readonly divisor: number;
};

/** How many elements each window covers along one axis, as a row of counts; windows over the edge of a ceiling cover less. */
function coverage(a: Axis, like: Value, countPadding: boolean): Value {
  const counted = countPadding ? a.n + 2 * a.low : a.n;
  const front = countPadding ? 0 : a.low;
  const ones = full(1, aval(dtypeOf(like), [counted]));
  const behind = Math.max(0, a.low + a.n + a.high - front - counted);
  const p = b.pad(ones, lit(0, dtypeOf(like)), { low: [front], high: [behind], interior: [0] });
  return sum(offsetsOf([a]).map((o) => sliceAt(p, [a], o)));
}

const isWhole = (a: Axis, countPadding: boolean): boolean => reach(a) + a.kernel - 1 <= a.n + 2 * a.low && (countPadding || a.low === 0);

function average(total: Value, axes: readonly Axis[], { countPadding, divisor }: Average): Value {
  if (divisor !== 0) return b.div(total, constant(divisor, total));
  if (axes.every((a) => isWhole(a, countPadding)))
    return b.div(
      total,
      constant(
        axes.reduce((n, a) => n * a.kernel, 1),
        total,
      ),
    );
  const { length } = shapeOf(total);
  const counts = axes.map((a, i) => {
    const at = Array.from({ length }, (_, j) => j).filter((j) => j !== length - axes.length + i);
    return b.expand(coverage(a, total, countPadding), { shape: shapeOf(total), at });
  });
  return b.div(
    total,
    counts.reduce((n, c) => b.mul(n, c)),
  );
}

/** Windows that tile the input are axes of it: one reduction, whatever their size. */
function tileSum(x: Value, axes: readonly Axis[]): Value | undefined {
  if (!axes.every((a) => a.kernel === a.stride && a.low === 0 && a.n === a.out * a.kernel)) return undefined;
  const outer = shapeOf(x).slice(0, -axes.length);
  const tiles = b.reshape(x, { shape: [...outer, ...axes.flatMap((a) => [a.out, a.kernel])] });
  return b.sum(tiles, { axes: axes.map((_, i) => outer.length + 2 * i + 1) });
}

export const avgPool = composite<[Value], Average>({
  doc: 'Mean of each window.',
  body: ([x], params) => {
    const axes = axesOf(shapeOf(x), params, undilated(params));
    const total = tileSum(x, axes) ?? sum(offsetsOf(axes).map((o) => sliceAt(padded(x, axes, 0), axes, o)));
    return [average(total, axes, params)];
  },
  batch: leading(1),
  samples: [
    { inputs: [image], params: { ...plain, countPadding: true, divisor: 0 } },
    { inputs: [image], params: { kernel: [3, 3], stride: [2, 2], padding: [1, 1], ceil: true, countPadding: true, divisor: 0 } },
    { inputs: [image], params: { kernel: [3, 3], stride: [2, 1], padding: [1, 0], ceil: true, countPadding: false, divisor: 0 } },
    { inputs: [aval('f64', [2, 7])], params: { kernel: [3], stride: [2], padding: [0], ceil: true, countPadding: false, divisor: 5 } },
  ],
});
