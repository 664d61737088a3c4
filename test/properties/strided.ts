// An independent model of tensors: strided windows into shared memory, each number with its derivative along one direction.
// It knows nothing of graphs: a write changes memory, a view looks at it, and gradients are checked against directional derivatives.

/** What a family of views shares. Detached tensors share `values`, and have derivatives of their own. */
export type Root = { readonly values: Float64Array; readonly tangents: Float64Array; requires: boolean; readonly leaf: boolean };
export type Strided = {
  readonly root: Root;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly spread?: true;
};
/** A number and its derivative. */
export type Dual = { readonly v: number; readonly d: number };

export const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
const dense = (shape: readonly number[]): number[] => shape.map((_, i) => count(shape.slice(i + 1)));

export function fresh(shape: readonly number[], elements: readonly Dual[], requires: boolean, leaf = false): Strided {
  const root = { values: Float64Array.from(elements, (e) => e.v), tangents: Float64Array.from(elements, (e) => e.d), requires, leaf };
  return { root, shape, strides: dense(shape), offset: 0 };
}

/** Places in memory, row by row. */
export function placesOf({ shape, strides, offset }: Strided): number[] {
  let places = [offset];
  shape.forEach((n, axis) => {
    places = places.flatMap((p) => Array.from({ length: n }, (_, i) => p + i * strides[axis]!));
  });
  return places;
}
export const read = (s: Strided): Dual[] => placesOf(s).map((p) => ({ v: s.root.values[p]!, d: s.root.tangents[p]! }));

/** Writes numbers, and derivatives too unless gradients are switched off. */
export function write(s: Strided, elements: readonly Dual[], withTangents: boolean): void {
  placesOf(s).forEach((p, i) => {
    s.root.values[p] = elements[i]!.v;
    if (withTangents) s.root.tangents[p] = elements[i]!.d;
  });
}

/** PyTorch also lets write into one of the copies that an expanded view shows. */
export const isWritable = ({ spread }: Strided): boolean => spread !== true;
export const isDense = ({ shape, strides }: Strided): boolean => {
  const plain = dense(shape);
  return shape.every((n, i) => n === 1 || strides[i] === plain[i]);
};

// Views.

export const permuted = (s: Strided, order: readonly number[]): Strided => ({
  ...s,
  shape: order.map((i) => s.shape[i]!),
  strides: order.map((i) => s.strides[i]!),
});
export const sliced = (s: Strided, axis: number, start: number, stop: number, step: number): Strided => ({
  ...s,
  shape: s.shape.map((n, i) => (i === axis ? Math.max(0, Math.ceil((stop - start) / step)) : n)),
  strides: s.strides.map((n, i) => (i === axis ? n * step : n)),
  offset: s.offset + start * s.strides[axis]!,
});
export const selected = (s: Strided, axis: number, at: number): Strided => ({
  ...s,
  shape: s.shape.filter((_, i) => i !== axis),
  strides: s.strides.filter((_, i) => i !== axis),
  offset: s.offset + at * s.strides[axis]!,
});
export const unsqueezed = (s: Strided, axis: number): Strided => ({
  ...s,
  shape: [...s.shape.slice(0, axis), 1, ...s.shape.slice(axis)],
  strides: [...s.strides.slice(0, axis), 0, ...s.strides.slice(axis)],
});
export const expanded = (s: Strided, shape: readonly number[]): Strided => {
  const lead = shape.length - s.shape.length;
  const grows = shape.some((n, i) => n > 1 && (i < lead || s.shape[i - lead] === 1));
  return {
    ...s,
    ...(grows ? { spread: true as const } : {}),
    shape,
    strides: shape.map((n, i) => (i < lead || (s.shape[i - lead] === 1 && n !== 1) ? 0 : s.strides[i - lead]!)),
  };
};
/** Of dense tensors only. */
export const reshaped = (s: Strided, shape: readonly number[]): Strided => ({ ...s, shape, strides: dense(shape) });
export const detached = (s: Strided): Strided => ({
  ...s,
  root: { values: s.root.values, tangents: new Float64Array(s.root.values.length), requires: false, leaf: false },
});

/** The shape both broadcast to, or undefined. */
export function commonShape(a: readonly number[], b: readonly number[]): readonly number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) {
    const m = a[i - rank + a.length] ?? 1;
    const n = b[i - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) return undefined;
    shape.push(m === 1 ? n : m);
  }
  return shape;
}
