// The rules of contractions: dot over any axes, and the convolution with its two gradients, which are one another's transposes.
import type { DType } from '../../runtime/dtype.ts';
import { aval } from '../ir/aval.ts';
import { b } from '../ir/builder.ts';
import type { Pairs } from '../ir/codec.ts';
import { dimMul, fixed, fixedShape, type Shape } from '../ir/dim.ts';
import { type Node, shapeOf, type Value } from '../ir/node.ts';
import type { ConvAttrs } from '../ir/opset.ts';
import { allInFront, behind, inFront, mergeAxes, moveAxis, splitAxis } from './batching.ts';
import { at, eachIndex, flatten, type Index, scalarMeaning, tabulate } from './reference.ts';
import type { Reference, RulesFor, Sample } from './rules.ts';
import { bool, f32, f64, numbers } from './samples.ts';

type DotAttrs = { readonly batch: Pairs; readonly contract: Pairs };

const left = (pairs: Pairs): readonly number[] => pairs.map(([l]) => l);
const right = (pairs: Pairs): readonly number[] => pairs.map(([, r]) => r);
/** Axes of a value that are in none of the lists, in order. */
const free = (shape: Shape, ...used: readonly (readonly number[])[]): readonly number[] =>
  shape.map((_, i) => i).filter((i) => !used.some((list) => list.includes(i)));
const ascending = (axes: readonly number[]): readonly number[] => [...axes].sort((a, z) => a - z);

/** `v`, whose axis i is axis `is[i]` of what is wanted, in the order wanted. */
function inOrder(v: Value, is: readonly number[]): Value {
  return is.every((axis, i) => axis === i) ? v : b.permute(v, { order: is.map((_, axis) => is.indexOf(axis)) });
}

/** The cotangent of a dot's first operand `x`: the result's, contracted with `y` over the axes that only y has. */
function firstCotangent(ct: Value, x: Shape, y: Value, { batch, contract }: DotAttrs): Value {
  const ofX = free(x, left(batch), left(contract));
  const ofY = free(shapeOf(y), right(batch), right(contract));
  const back = b.dot(ct, y, {
    batch: batch.map(([, r], i) => [i, r] as const),
    contract: ofY.map((r, i) => [batch.length + ofX.length + i, r] as const),
  });
  // What is left of y are the contracted axes, in y's order.
  const contracted = ascending(right(contract)).map((r) => contract.find((p) => p[1] === r)![0]);
  return inOrder(back, [...left(batch), ...ofX, ...contracted]);
}

/** The cotangent of a dot's second operand `y`: x contracted with the result's, in the order that needs no permute for a matrix product. */
function secondCotangent(ct: Value, x: Value, y: Shape, { batch, contract }: DotAttrs): Value {
  const ofX = free(shapeOf(x), left(batch), left(contract));
  const ofY = free(y, right(batch), right(contract));
  const back = b.dot(x, ct, {
    batch: batch.map(([l], i) => [l, i] as const),
    contract: ofX.map((l, i) => [l, batch.length + i] as const),
  });
  const contracted = ascending(left(contract)).map((l) => contract.find((p) => p[0] === l)![1]);
  return inOrder(back, [...right(batch), ...contracted, ...ofY]);
}

const spatial = (v: Value): readonly number[] => shapeOf(v).slice(2).map(fixed);
/** The geometry alone, without the sizes that a gradient also carries. */
const geometry = ({ stride, padding, dilation, groups }: ConvAttrs): ConvAttrs => ({ stride, padding, dilation, groups });
const ofInput = (x: Value, attrs: ConvAttrs) => ({ ...geometry(attrs), spatial: spatial(x) });

/** Batched images are more images; with batched weights too, the members are groups of channels. `run` is conv or its gradient by the input. */
function batchedImages(
  [x, w]: readonly Value[],
  isBatched: readonly boolean[],
  size: number,
  groups: number,
  run: (x: Value, w: Value, groups: number) => Value,
): Value {
  const weightsBatched = isBatched[1]!;
  const images = inFront(x!, isBatched[0]!, size);
  const shape = shapeOf(images);
  if (!weightsBatched) {
    const y = run(mergeAxes(images, 0, dimMul(size, shape[1]!)), w!, groups);
    return splitAxis(y, 0, [size, shape[1]!]);
  }
  const stacked = mergeAxes(moveAxis(images, 0, 1), 1, dimMul(size, shape[2]!));
  const y = run(stacked, mergeAxes(w!, 0, dimMul(size, shapeOf(w!)[1]!)), groups * size);
  return moveAxis(splitAxis(y, 1, [size, fixed(shapeOf(y)[1]!) / size]), 1, 0);
}

/** Position in the input that kernel place `k` sees from result place `s`, on each spatial axis. */
const seen = (s: Index, k: Index, { stride, dilation, padding }: ConvAttrs): Index =>
  s.map((p, i) => p * stride[i]! + k[i]! * dilation[i]! - padding[i]![0]);
const inside = (p: Index, shape: Index): boolean => p.every((v, i) => v >= 0 && v < shape[i]!);

/** The elements of input, weight and result that a convolution joins, by their shapes. */
function eachTriple(x: Index, w: Index, y: Index, attrs: ConvAttrs, visit: (x: Index, w: Index, y: Index) => void): void {
  const outputsPerGroup = w[0]! / attrs.groups;
  eachIndex(y, (result) => {
    const [image, output, ...place] = result as [number, number, ...number[]];
    eachIndex(w.slice(1), (kernel) => {
      const [channel, ...tap] = kernel as [number, ...number[]];
      const position = seen(place, tap, attrs);
      if (!inside(position, x.slice(2))) return;
      const group = Math.floor(output / outputsPerGroup);
      visit([image, group * w[1]! + channel, ...position], [output, channel, ...tap], result);
    });
  });
}

/** A convolution or a gradient of it: of each triple one member is summed, as the product of the two given. */
function sumOfTriples(dtype: DType, x: Part, w: Part, y: Part, attrs: ConvAttrs): Reference {
  const parts = [x, w, y];
  const result = parts.findIndex((part) => 'missing' in part);
  const shapes = parts.map((part) => part.shape) as [Index, Index, Index];
  const sum = tabulate({ dtype, shape: shapes[result]! }, () => 0);
  const [plus, times] = [scalarMeaning('add', dtype), scalarMeaning('mul', dtype)];
  eachTriple(...shapes, attrs, (...triple) => {
    const given = parts.flatMap((part, i) => ('data' in part ? [at(part, triple[i]!)] : []));
    const flat = flatten(sum.shape, triple[result]!);
    sum.data[flat] = plus(sum.data[flat]!, times(given[0]!, given[1]!));
  });
  return sum;
}
type Part = Reference | { readonly missing: true; readonly shape: readonly number[] };
const missing = (n: Node): Part => ({ missing: true, shape: fixedShape(n.outputs[0]!.shape) });

const plain: ConvAttrs = {
  stride: [1, 1],
  padding: [
    [0, 0],
    [0, 0],
  ],
  dilation: [1, 1],
  groups: 1,
};
const line: ConvAttrs = { stride: [1], padding: [[0, 0]], dilation: [1], groups: 1 };
/** Input, weight and geometry of convolutions of one and two axes, with what can be asked of them. */
const convolutions: readonly { readonly x: Index; readonly w: Index; readonly y: Index; readonly attrs: ConvAttrs }[] = [
  { x: [2, 3, 6], w: [4, 3, 2], y: [2, 4, 5], attrs: line },
  { x: [1, 2, 5, 4], w: [3, 2, 3, 2], y: [1, 3, 3, 3], attrs: plain },
  {
    x: [2, 2, 5, 6],
    w: [2, 2, 3, 3],
    y: [2, 2, 3, 3],
    attrs: {
      ...plain,
      stride: [2, 2],
      padding: [
        [1, 1],
        [1, 0],
      ],
    },
  },
  { x: [1, 1, 7], w: [1, 1, 2], y: [1, 1, 3], attrs: { ...line, stride: [2], dilation: [2] } },
  { x: [2, 4, 5], w: [6, 2, 3], y: [2, 6, 5], attrs: { ...line, padding: [[2, 0]], groups: 2 } },
  { x: [1, 3, 4], w: [3, 1, 1], y: [1, 3, 2], attrs: { ...line, stride: [2], groups: 3 } },
  { x: [0, 2, 4], w: [3, 2, 2], y: [0, 3, 3], attrs: line },
];
const convSamples = convolutions.map(
  ({ x, w, attrs }): Sample<'conv'> => ({ inputs: [aval('f64', x), aval('f64', w)], attrs, range: [0.5, 2] }),
);
const inputGradSamples = convolutions.map(
  ({ x, w, y, attrs }): Sample<'convInputGrad'> => ({
    inputs: [aval('f64', y), aval('f64', w)],
    attrs: { ...attrs, spatial: x.slice(2) },
    range: [0.5, 2],
  }),
);
const weightGradSamples = convolutions.map(
  ({ x, w, y, attrs }): Sample<'convWeightGrad'> => ({
    inputs: [aval('f64', x), aval('f64', y)],
    attrs: { ...attrs, spatial: w.slice(2) },
    range: [0.5, 2],
  }),
);
/** The same in float32, whose operands round. */
const inF32 = <K extends 'conv' | 'convInputGrad' | 'convWeightGrad'>(samples: readonly Sample<K>[]): readonly Sample<K>[] =>
  samples.flatMap((s) => [s, { ...s, inputs: s.inputs.map((x) => aval('f32', x.shape)) }]);

export const contractionRules = {
  dot: {
    doc: 'Products of elements that agree on the `batch` axes, summed over the `contract` axes. Result: batch axes, then those of x, then those of y.',
    derivative: {
      kind: 'linear',
      in: 'each',
      transpose: (ct, { inputs: [x, y], attrs }, [xWanted, yWanted]) => [
        xWanted ? firstCotangent(ct, shapeOf(x), y, attrs) : null,
        yWanted ? secondCotangent(ct, x, shapeOf(y), attrs) : null,
      ],
    },
    batch: {
      kind: 'custom',
      rule: ([x, y], [xBatched, yBatched], _, n) => {
        const { batch, contract } = n.attrs;
        const shifted = (pairs: Pairs): Pairs => pairs.map(([l, r]) => [xBatched ? behind(l) : l, yBatched ? behind(r) : r] as const);
        const z = b.dot(x!, y!, {
          batch: xBatched && yBatched ? [[0, 0], ...shifted(batch)] : shifted(batch),
          contract: shifted(contract),
        });
        if (xBatched && yBatched) return [z];
        // The batch axis is the first free axis of the one operand that has it.
        return [moveAxis(z, xBatched ? batch.length : shapeOf(n.inputs[0]).length - contract.length, 0)];
      },
    },
    lower: { kind: 'contraction' },
    reference: ([x, y], n) => {
      const { batch, contract } = n.attrs;
      const ofX = free(x!.shape, left(batch), left(contract));
      const ofY = free(y!.shape, right(batch), right(contract));
      const [plus, times] = [scalarMeaning('add', x!.dtype), scalarMeaning('mul', x!.dtype)];
      return [
        tabulate(n.outputs[0]!, (index) => {
          const xi: number[] = [];
          const yi: number[] = [];
          batch.forEach(([l, r], i) => {
            xi[l] = index[i]!;
            yi[r] = index[i]!;
          });
          ofX.forEach((l, i) => {
            xi[l] = index[batch.length + i]!;
          });
          ofY.forEach((r, i) => {
            yi[r] = index[batch.length + ofX.length + i]!;
          });
          let sum = 0;
          eachIndex(
            left(contract).map((l) => x!.shape[l]!),
            (place) => {
              contract.forEach(([l, r], i) => {
                xi[l] = place[i]!;
                yi[r] = place[i]!;
              });
              sum = plus(sum, times(at(x!, xi), at(y!, yi)));
            },
          );
          return sum;
        }),
      ];
    },
    samples: [
      ...numbers.map((dtype) => ({
        inputs: [
          { dtype, shape: [2, 3] },
          { dtype, shape: [3, 4] },
        ],
        attrs: { batch: [], contract: [[1, 0]] as Pairs },
        range: [0.5, 2] as const,
      })),
      { inputs: [f64(2, 3), f64(4, 3)], attrs: { batch: [], contract: [[1, 1]] } },
      { inputs: [f64(5, 2, 3), f64(5, 3, 4)], attrs: { batch: [[0, 0]], contract: [[2, 1]] } },
      { inputs: [f64(3, 5, 2), f64(4, 3, 5)], attrs: { batch: [[1, 2]], contract: [[0, 1]] } },
      {
        inputs: [f64(2, 3, 4, 5), f64(4, 6, 3, 2)],
        attrs: {
          batch: [[0, 3]],
          contract: [
            [2, 0],
            [1, 2],
          ],
        },
      },
      {
        inputs: [f64(2, 3, 4), f64(4, 2, 3)],
        attrs: {
          batch: [],
          contract: [
            [0, 1],
            [1, 2],
            [2, 0],
          ],
        },
      },
      { inputs: [f64(2), f64(3)], attrs: { batch: [], contract: [] } },
      { inputs: [f64(), f64()], attrs: { batch: [], contract: [] } },
      { inputs: [f64(2, 0), f64(0, 3)], attrs: { batch: [], contract: [[1, 0]] } },
      { inputs: [f64(0, 2), f64(2, 1)], attrs: { batch: [], contract: [[1, 0]] } },
      { inputs: [f64(3, 2), f64(3, 4)], attrs: { batch: [[0, 0]], contract: [] } },
    ],
    refuses: [
      {
        inputs: [f32(2, 3), f32(4, 3)],
        attrs: { batch: [], contract: [[1, 0]] },
        message: /f32\[2,3\] and f32\[4,3\] differ where axis 1 meets axis 0/,
      },
      { inputs: [f32(2), f64(2)], attrs: { batch: [], contract: [[0, 0]] }, message: /dot of f32 with f64/ },
      { inputs: [bool(2), bool(2)], attrs: { batch: [], contract: [[0, 0]] }, message: /dot takes no bool/ },
      { inputs: [f32(2, 2), f32(2, 2)], attrs: { batch: [[0, 0]], contract: [[0, 1]] }, message: /axes \[0,0\] do not fit/ },
    ],
    ulp: 16,
  },
  conv: {
    doc: 'Cross-correlation of [N, C, ...] with [O, C / groups, ...].',
    derivative: {
      kind: 'linear',
      in: 'each',
      transpose: (ct, { inputs: [x, w], attrs }, [xWanted, wWanted]) => [
        xWanted ? b.convInputGrad(ct, w, ofInput(x, attrs)) : null,
        wWanted ? b.convWeightGrad(x, ct, ofInput(w, attrs)) : null,
      ],
    },
    batch: {
      kind: 'custom',
      rule: (xs, isBatched, size, { attrs }) => [
        batchedImages(xs, isBatched, size, attrs.groups, (x, w, groups) => b.conv(x, w, { ...attrs, groups })),
      ],
    },
    lower: { kind: 'contraction' },
    reference: ([x, w], n) => [sumOfTriples(x!.dtype, x!, w!, missing(n), n.attrs)],
    samples: inF32(convSamples),
    refuses: [
      { inputs: [f32(1, 3, 4), f32(2, 2, 3)], attrs: line, message: /channels of f32\[1,3,4\] and f32\[2,2,3\] do not fit 1 groups/ },
      { inputs: [f32(1, 2, 4), f32(2, 2, 3)], attrs: plain, message: /conv over 1 spatial axes needs as many/ },
      { inputs: [f32(2, 4), f32(2, 4)], attrs: line, message: /conv needs \[N,C,...\]/ },
      { inputs: [f32(1, 2, 4), f64(2, 2, 3)], attrs: line, message: /conv of f32 with f64/ },
    ],
    ulp: 16,
  },
  convInputGrad: {
    doc: 'Gradient of conv by its input.',
    derivative: {
      kind: 'linear',
      in: 'each',
      transpose: (c, { inputs: [ct, w], attrs }, [ctWanted, wWanted]) => [
        ctWanted ? b.conv(c, w, geometry(attrs)) : null,
        wWanted ? b.convWeightGrad(c, ct, ofInput(w, attrs)) : null,
      ],
    },
    batch: {
      kind: 'custom',
      rule: (xs, isBatched, size, { attrs }) => [
        batchedImages(xs, isBatched, size, attrs.groups, (ct, w, groups) => b.convInputGrad(ct, w, { ...attrs, groups })),
      ],
    },
    lower: { kind: 'contraction' },
    reference: ([ct, w], n) => [sumOfTriples(ct!.dtype, missing(n), w!, ct!, n.attrs)],
    samples: inF32(inputGradSamples),
    refuses: [
      { inputs: [f32(1, 2, 3), f32(2, 2, 2)], attrs: { ...line, spatial: [5] }, message: /is no result of conv/ },
      { inputs: [f32(1, 3, 3), f32(2, 2, 2)], attrs: { ...line, spatial: [4] }, message: /is no result of conv/ },
    ],
    ulp: 16,
  },
  convWeightGrad: {
    doc: 'Gradient of conv by its weight.',
    derivative: {
      kind: 'linear',
      in: 'each',
      transpose: (c, { inputs: [x, ct], attrs }, [xWanted, ctWanted]) => [
        xWanted ? b.convInputGrad(ct, c, ofInput(x, attrs)) : null,
        ctWanted ? b.conv(x, c, geometry(attrs)) : null,
      ],
    },
    batch: {
      kind: 'custom',
      rule: (xs, isBatched, size, { attrs }) => {
        const stacked = allInFront(xs, isBatched, size).map((v) => mergeAxes(moveAxis(v, 0, 1), 1, dimMul(size, shapeOf(v)[2]!)));
        const w = b.convWeightGrad(stacked[0]!, stacked[1]!, { ...attrs, groups: attrs.groups * size });
        return [splitAxis(w, 0, [size, fixed(shapeOf(w)[0]!) / size])];
      },
    },
    lower: { kind: 'contraction' },
    reference: ([x, ct], n) => [sumOfTriples(x!.dtype, x!, missing(n), ct!, n.attrs)],
    samples: inF32(weightGradSamples),
    refuses: [
      { inputs: [f32(1, 2, 4), f32(1, 2, 3)], attrs: { ...line, spatial: [3] }, message: /is no result of conv/ },
      { inputs: [f32(1, 2, 4), f32(2, 2, 3)], attrs: { ...line, spatial: [2] }, message: /is no result of conv/ },
    ],
    ulp: 16,
  },
} satisfies RulesFor<'dot' | 'conv' | 'convInputGrad' | 'convWeightGrad'>;
