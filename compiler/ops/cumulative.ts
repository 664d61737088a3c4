// The rules of running sums and products, and the linear recurrence that differentiates a product without dividing.
import { b, full } from '../ir/builder.ts';
import { type Dim, fixed } from '../ir/dim.ts';
import { avalOf, type NodeOf, shapeOf, type Value } from '../ir/node.ts';
import { batchedBy, behind } from './batching.ts';
import { at, replaced, scalarMeaning, tabulate } from './reference.ts';
import type { Reference, Refusal, RulesFor, Sample } from './rules.ts';
import { bool, f32, f64, i32, numbers } from './samples.ts';

type CumulativeName = 'cumsum' | 'cumprod';

/** Elements `start` to `stop` of one axis. */
function part(x: Value, axis: number, start: number, stop: Dim): Value {
  const shape = shapeOf(x);
  return b.slice(x, {
    start: shape.map((_, i) => (i === axis ? start : 0)),
    stop: shape.map((d, i) => (i === axis ? stop : d)),
    step: shape.map(() => 1),
  });
}

/** At each place the product of the elements before it (after it, if `reverse`) along `axis`. */
function productBefore(x: Value, axis: number, reverse: boolean): Value {
  const { dtype, shape } = avalOf(x);
  const n = fixed(shape[axis]!);
  if (n === 0) return x;
  const one = full(1, { dtype, shape: shape.map((d, i) => (i === axis ? 1 : d)) });
  const products = b.cumprod(reverse ? part(x, axis, 1, n) : part(x, axis, 0, n - 1), { axis, reverse });
  return b.concat(reverse ? [products, one] : [one, products], { axis });
}

/** At each place the product of all other elements along `axis`; nothing is divided, so zeros are exact and can be differentiated again. */
export const productOfOthers = (x: Value, axis: number): Value => b.mul(productBefore(x, axis, false), productBefore(x, axis, true));

/**
 * r[0] = start[0], r[i] = start[i] + factor[i-1] * r[i-1] along `axis`, in log2(n) doubling steps (Hillis and Steele 1986):
 * after each, r[i] covers the last 2d terms and factor[i] the product of the last 2d factors. A linear recurrence is no primitive.
 */
function linearRecurrence(factor: Value, start: Value, axis: number): Value {
  const n = fixed(shapeOf(start)[axis]!);
  let r = start;
  let f = factor;
  for (let d = 1; d < n; d *= 2) {
    const later = b.add(part(r, axis, d, n), b.mul(f, part(r, axis, 0, n - d)));
    r = b.concat([part(r, axis, 0, d), later], { axis });
    if (2 * d < n) f = b.mul(part(f, axis, d, n - d), part(f, axis, 0, n - 2 * d));
  }
  return r;
}

/** The recurrence from the front, or from the end if `reverse`; `factor[i]` lies between elements i and i + 1 either way. */
function recurrence(factor: Value, start: Value, axis: number, reverse: boolean): Value {
  if (!reverse) return linearRecurrence(factor, start, axis);
  const flipped = (v: Value): Value => b.flip(v, { axes: [axis] });
  return flipped(linearRecurrence(flipped(factor), flipped(start), axis));
}

/** What lies between neighbours of `x` in a running product: the later of the two (the earlier, where it runs from the end). */
function ties(x: Value, axis: number, reverse: boolean): Value {
  const n = fixed(shapeOf(x)[axis]!);
  return n === 0 ? x : reverse ? part(x, axis, 0, n - 1) : part(x, axis, 1, n);
}

const samples: readonly Sample<'cumsum'>[] = [
  ...numbers.map((dtype) => ({ inputs: [{ dtype, shape: [2, 5] }], attrs: { axis: 1, reverse: false }, range: [0.5, 2] as const })),
  { inputs: [f64(5, 2)], attrs: { axis: 0, reverse: true } },
  { inputs: [f32(2, 3, 2)], attrs: { axis: 1, reverse: true }, range: [0.5, 2] },
  { inputs: [f64(1, 3)], attrs: { axis: 0, reverse: false } },
  { inputs: [f64(0, 3)], attrs: { axis: 0, reverse: false } },
  { inputs: [f64(3, 0)], attrs: { axis: 0, reverse: true } },
  { inputs: [f64(4)], attrs: { axis: 0, reverse: false }, data: [[2, 0, 3, 0]] },
  { inputs: [i32(3)], attrs: { axis: 0, reverse: false }, data: [[2147483647, 65537, 65537]] },
];
const refuses: readonly Refusal<'cumsum'>[] = [
  { inputs: [f32(2)], attrs: { axis: 1, reverse: false }, message: /axes \[1\] do not fit/ },
  { inputs: [f32()], attrs: { axis: 0, reverse: false }, message: /axes \[0\] do not fit/ },
  { inputs: [bool(2)], attrs: { axis: 0, reverse: false }, message: /takes no bool/ },
];

/** What running combinations by `fn` have in common. */
function cumulative(fn: 'add' | 'mul') {
  return {
    batch: batchedBy<CumulativeName>((x, n) => b[n.op](x, { ...n.attrs, axis: behind(n.attrs.axis) })),
    lower: { kind: 'library' } as const,
    reference: ([x]: readonly Reference[], n: NodeOf<CumulativeName>) => {
      const { axis, reverse } = n.attrs;
      const combine = scalarMeaning(fn, x!.dtype);
      return [
        tabulate(n.outputs[0]!, (index) => {
          let result = fn === 'add' ? 0 : 1;
          const [first, last] = reverse ? [index[axis]!, x!.shape[axis]! - 1] : [0, index[axis]!];
          for (let i = first; i <= last; i++) result = combine(result, at(x!, replaced(index, axis, i)));
          return result;
        }),
      ];
    },
    samples,
    refuses,
    ulp: 8,
  };
}

export const cumulativeRules = {
  cumsum: {
    doc: 'Running sum along `axis`, from its end if `reverse`.',
    derivative: {
      kind: 'linear',
      in: 'jointly',
      transpose: (ct, { attrs }) => [b.cumsum(ct, { axis: attrs.axis, reverse: !attrs.reverse })],
    },
    ...cumulative('add'),
  },
  cumprod: {
    doc: 'Running product along `axis`, from its end if `reverse`.',
    // y[i] = x[i] y[i-1], so dy[i] = x[i] dy[i-1] + y[i-1] dx[i]; transposed, dx[i] = y[i-1] s[i] with s[i] = ct[i] + x[i+1] s[i+1].
    derivative: {
      kind: 'custom',
      vjp: ([ct], { inputs: [x], attrs: { axis, reverse } }) => [
        ct ? b.mul(productBefore(x, axis, reverse), recurrence(ties(x, axis, reverse), ct, axis, !reverse)) : null,
      ],
      jvp: ([t], { inputs: [x], attrs: { axis, reverse } }) => [
        t && recurrence(ties(x, axis, reverse), b.mul(t, productBefore(x, axis, reverse)), axis, reverse),
      ],
    },
    ...cumulative('mul'),
  },
} satisfies RulesFor<CumulativeName>;
