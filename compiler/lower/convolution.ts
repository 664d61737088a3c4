// Convolutions and their gradients as direct nests. What lies in the padding is decided once, where an operand is copied to scratch with its
// border; the loops that multiply ask nothing. A few channels of the result are summed side by side, so that each load serves several products.
import type { Condition, Expr, Extent, Position } from '../../kernels/loop.ts';
import { add, constant, div, linearize, mod, mul, sub } from '../../kernels/position.ts';
import { mostOf } from '../../kernels/size.ts';
import { bytesPerElement } from '../../runtime/dtype.ts';
import { fixed, fixedShape } from '../ir/dim.ts';
import { dtypeOf, type NodeOf, shapeOf, type Value } from '../ir/node.ts';
import { extentOf } from '../ops/extent.ts';
import { decided } from './condition.ts';
import { converted, product, storeResults } from './epilogue.ts';
import { expression, expressions, zeroOf } from './expression.ts';
import { type Axis, axesFor, axisFor, blocks, declare, emit, loop, loops, type Nest } from './nest.ts';
import { elements, type Region } from './region.ts';

type Conv = NodeOf<'conv'> | NodeOf<'convInputGrad'> | NodeOf<'convWeightGrad'>;

export function lowerConvolution(nest: Nest, region: Region, node: Conv): void {
  switch (node.op) {
    case 'conv':
      correlate(nest, region, forward(node));
      return;
    case 'convInputGrad':
      correlate(nest, region, backward(node));
      return;
    case 'convWeightGrad':
      weightGradient(nest, region, node);
      return;
  }
}

/** An image with its border: element (n, c, t...) is `value` at `at(t)` where `inside(t)`, else 0. */
type Bordered = {
  readonly value: Value;
  readonly channels: number;
  readonly extents: readonly number[];
  readonly at: (t: readonly Position[]) => readonly Position[];
  readonly inside: (t: readonly Position[]) => Condition;
};

/** result[n, g*out + o, q] = sum over c and taps k of image[n, g*in + c, q*stride + offset(k)] * weight(g, o, c, k). */
type Correlation = {
  readonly node: Conv;
  readonly image: Bordered;
  readonly groups: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: readonly number[];
  readonly stride: readonly number[];
  readonly offset: (k: readonly Position[]) => readonly Position[];
  readonly weights: Value;
  readonly weightAt: (group: Position, output: Position, input: Position, k: readonly Position[]) => readonly Position[];
};

const spatial = (value: Value): readonly number[] => fixedShape(shapeOf(value).slice(2));

/** The operand of a convolution, padded. */
function padded(x: Value, padding: NodeOf<'conv'>['attrs']['padding']): Bordered {
  const sizes = spatial(x);
  const from = (t: readonly Position[]): Position[] => t.map((p, d) => sub(p, constant(padding[d]![0])));
  return {
    value: x,
    channels: fixed(shapeOf(x)[1]!),
    extents: sizes.map((n, d) => n + padding[d]![0] + padding[d]![1]),
    at: from,
    inside: (t) => from(t).map((at, d) => ({ at, below: sizes[d]! })),
  };
}

function forward(node: NodeOf<'conv'>): Correlation {
  const [x, w] = node.inputs;
  const { padding, stride, dilation, groups } = node.attrs;
  const outputs = fixed(shapeOf(w)[0]!) / groups;
  return {
    node,
    image: padded(x, padding),
    groups,
    inputs: fixed(shapeOf(w)[1]!),
    outputs,
    taps: spatial(w),
    stride,
    offset: (k) => k.map((tap, d) => mul(tap, dilation[d]!)),
    weights: w,
    weightAt: (g, o, c, k) => [add(mul(g, outputs), o), c, ...k],
  };
}

/** The gradient by the input: the cotangent, spread by the stride and padded, correlated with the flipped weights. */
function backward(node: NodeOf<'convInputGrad'>): Correlation {
  const [ct, w] = node.inputs;
  const { padding, stride, dilation, groups } = node.attrs;
  const taps = spatial(w);
  const sizes = spatial(ct);
  const inputs = fixed(shapeOf(w)[0]!) / groups;
  // t is where tap 0 would put the element if nothing were padded: u = t + padding - dilation * (taps - 1).
  const spread = (t: readonly Position[]): Position[] => t.map((p, d) => add(p, constant(padding[d]![0] - dilation[d]! * (taps[d]! - 1))));
  return {
    node,
    image: {
      value: ct,
      channels: fixed(shapeOf(ct)[1]!),
      extents: node.attrs.spatial.map((n, d) => n + dilation[d]! * (taps[d]! - 1)),
      at: (t) => spread(t).map((u, d) => div(u, stride[d]!)),
      inside: (t) =>
        spread(t).flatMap((u, d) => [
          { at: u, below: (sizes[d]! - 1) * stride[d]! + 1 },
          { at: mod(u, stride[d]!), below: 1 },
        ]),
    },
    groups,
    inputs,
    outputs: fixed(shapeOf(w)[1]!),
    taps,
    stride: taps.map(() => 1),
    offset: (k) => k.map((tap, d) => mul(sub(constant(taps[d]! - 1), tap), dilation[d]!)),
    weights: w,
    weightAt: (g, o, c, k) => [add(mul(g, inputs), c), o, ...k],
  };
}

/** Channels of the result that are summed side by side: accumulators, one load of the image and their weights fit the registers. */
const sideBySide = 4;

/** Whether the target makes tiles of plain nests by itself: they are then written with one sum each, and loops over the taps. */
const isTiled = (region: Region): boolean => region.target.tile !== undefined;

function correlate(nest: Nest, region: Region, c: Correlation): void {
  const n = axisFor(nest, 'n', region.space[0]!);
  const q = region.space.slice(2).map((extent, d) => axisFor(nest, 'pq'[d] ?? 'q', extent));
  const dtype = region.target.accumulate[dtypeOf(c.image.value)];
  const group = axisFor(nest, 'g', c.groups);
  const output = axisFor(nest, 'o', c.outputs);
  const input = axisFor(nest, 'c', c.inputs);
  const taps = tapsOf(nest, c.taps, isTiled(region) ? 0 : mostTaps);
  loop(nest, n, 'par', (nAt) => {
    const image = staged(nest, region, c.image, nAt);
    if (hasShortRows(region, c)) {
      loop(nest, group, 'par', (gAt) => correlatePatches(nest, region, c, image, nAt, gAt));
      return;
    }
    loop(nest, group, 'par', (gAt) =>
      blocks(nest, output, isTiled(region) ? 1 : sideBySide, 'par', (within, start) => {
        const outputs = Array.from({ length: mostOf(within.extent) }, (_, i) => add(start, constant(i)));
        loops(nest, q, 'par', (qAt) => {
          const sums = outputs.map(() => {
            const name = declare(nest, 'acc');
            emit(nest, { kind: 'var', name, init: zeroOf(dtype) });
            return name;
          });
          loop(nest, input, 'serial', (cAt) =>
            loops(nest, taps.looped, 'serial', (kAt) => {
              for (const rest of taps.written) {
                const k = [...kAt, ...rest];
                const offset = c.offset(k);
                const t = qAt.map((p, d) => add(mul(p, c.stride[d]!), offset[d]!));
                const element = image(add(mul(gAt, c.inputs), cAt), t);
                const weights = expressions(
                  nest,
                  region.known,
                  outputs.map((oAt) => ({ value: c.weights, at: c.weightAt(gAt, oAt, cAt, k) })),
                );
                for (const [i, name] of sums.entries())
                  emit(nest, { kind: 'accumulate', name, fn: 'add', value: product(element, weights[i]!, dtype) });
              }
            }),
          );
          for (const [i, oAt] of outputs.entries())
            storeResults(nest, region, c.node, { kind: 'ref', dtype, name: sums[i]! }, [nAt, add(mul(gAt, c.outputs), oAt), ...qAt]);
        });
      }),
    );
  });
}

/** Elements that micro-kernels have side by side. Rows of the result that are no multiple of it are worth being joined. */
const sideBySideInTiles = 8;
const longRow = 64;
/** Bytes of patches that are multiplied at once: they stay in the second cache. */
const patchBytes = 512 << 10;

/** Whether rows of the result end within a tile, so that tiles are better filled with elements of several rows. */
function hasShortRows(region: Region, { outputs }: Correlation): boolean {
  const row = fixed(region.dims.at(-1)!);
  return isTiled(region) && region.space.length > 3 && outputs > 1 && row < longRow && row % sideBySideInTiles > 0;
}

type Image = (channel: Position, t: readonly Position[]) => Expr;

/** The same for one image and group, with the patches of several rows of the result laid side by side first. */
function correlatePatches(nest: Nest, region: Region, c: Correlation, image: Image, nAt: Position, gAt: Position): void {
  const dtype = region.target.accumulate[dtypeOf(c.image.value)];
  const [rows, row] = fixedShape(region.dims.slice(-2)) as [number, number];
  const outer = region.space.slice(2, -2).map((extent) => axisFor(nest, 'd', extent));
  const terms = [c.inputs, ...c.taps];
  const output = axisFor(nest, 'o', c.outputs);
  const input = axisFor(nest, 'c', c.inputs);
  const taps = c.taps.map((extent) => axisFor(nest, 'k', extent));
  const most = Math.max(1, Math.floor(patchBytes / (elements(terms) * row * bytesPerElement[dtype])));
  loops(nest, outer, 'par', (outerAt) =>
    blocks(nest, axisFor(nest, 'p', rows), evenly(rows, most), 'par', (within, start) => {
      const shape = [...terms, within.extent, row];
      const patches = declare(nest, 'patches');
      emit(nest, { kind: 'scratch', name: patches, dtype, length: elements(shape) });
      loops(nest, [input, ...taps, within, axisFor(nest, 'q', row)], 'par', (at) => {
        const [cAt, kAt, pIn, qAt] = [at[0]!, at.slice(1, -2), at.at(-2)!, at.at(-1)!];
        const offset = c.offset(kAt);
        const t = [...outerAt, add(start, pIn), qAt].map((p, d) => add(mul(p, c.stride[d]!), offset[d]!));
        const value = converted(image(add(mul(gAt, c.inputs), cAt), t), dtype);
        emit(nest, { kind: 'store', buffer: patches, at: linearize(at, shape, nest.extents), value });
      });
      const pixel = axisFor(nest, 'pq', mostOf(within.extent) * row);
      loops(nest, [output, pixel], 'par', ([oAt, at]) => {
        const acc = declare(nest, 'acc');
        emit(nest, { kind: 'var', name: acc, init: zeroOf(dtype) });
        loops(nest, [input, ...taps], 'serial', ([cAt, ...kAt]) => {
          const load: Expr = {
            kind: 'load',
            dtype,
            buffer: patches,
            at: linearize([cAt!, ...kAt, at!], [...terms, pixel.extent], nest.extents),
          };
          const [weight] = expressions(nest, region.known, [{ value: c.weights, at: c.weightAt(gAt, oAt!, cAt!, kAt) }]);
          emit(nest, { kind: 'accumulate', name: acc, fn: 'add', value: product(load, weight!, dtype) });
        });
        const q = [add(start, div(at!, row)), mod(at!, row)];
        storeResults(nest, region, c.node, { kind: 'ref', dtype, name: acc }, [nAt, add(mul(gAt, c.outputs), oAt!), ...outerAt, ...q]);
      });
    }),
  );
}

/** The size of blocks of at most `most` elements, as equal as can be. */
const evenly = (extent: number, most: number): number => Math.ceil(extent / Math.ceil(extent / most));

/** Taps are few, and written out one by one; of more than `mostTaps`, the leading axes are looped over. */
const mostTaps = 25;
/** Taps that have a sum each, side by side: as many as there are registers for. */
const mostSums = 9;

type Taps = { readonly looped: readonly Axis[]; readonly written: readonly (readonly Position[])[] };

/** Splits the axes of taps: trailing ones with at most `most` taps together are listed, the others get loops. */
function tapsOf(nest: Nest, taps: readonly number[], most: number): Taps {
  let first = taps.length;
  while (first > 0 && elements(taps.slice(first - 1)) <= most) first--;
  let written: (readonly Position[])[] = [[]];
  for (const extent of taps.slice(first))
    written = written.flatMap((k) => Array.from({ length: extent }, (_, tap) => [...k, constant(tap)]));
  return { looped: taps.slice(0, first).map((extent) => axisFor(nest, 'k', extent)), written };
}

/** Bytes of images with their border, where they are walked panel by panel. */
const mostStagedBytes = 8 << 20;

/** One image in scratch with its border; where it has none and is a buffer already, or where scratch has no room, it is read where it is. */
function staged(nest: Nest, region: Region, image: Bordered, n: Position): (channel: Position, t: readonly Position[]) => Expr {
  const { value, channels, extents } = image;
  const dtype = dtypeOf(value);
  const length = channels * elements(extents);
  const room = isTiled(region) ? mostStagedBytes : region.target.maxScratchBytes;
  const direct = (channel: Position, t: readonly Position[]): Expr => {
    const guard = decided(nest, image.inside(t));
    return expressions(nest, region.known, [{ value, at: [n, channel, ...image.at(t)], guard, bind: true }])[0]!;
  };
  const axes = axesFor(nest, [channels, ...extents]);
  for (const { name, extent } of axes) nest.extents.set(name, extent);
  const hasBorder = extents.some((extent, d) => extent !== spatial(value)[d]);
  if ((!hasBorder && value.node.op === 'input') || length * bytesPerElement[dtype] > room) return direct;
  const name = declare(nest, 'image');
  emit(nest, { kind: 'scratch', name, dtype, length });
  loops(nest, axes, 'par', (at) => {
    const guard = decided(nest, image.inside(at.slice(1)));
    const element = expressions(nest, region.known, [{ value, at: [n, at[0]!, ...image.at(at.slice(1))], guard }])[0]!;
    emit(nest, { kind: 'store', buffer: name, at: linearize(at, [channels, ...extents], nest.extents), value: element });
  });
  return (channel, t) => {
    const load: Expr = { kind: 'load', dtype, buffer: name, at: linearize([channel, ...t], [channels, ...extents], nest.extents) };
    const bound = declare(nest, 'x');
    emit(nest, { kind: 'let', name: bound, value: load });
    return { kind: 'ref', dtype, name: bound };
  };
}

/** weight[g*out + o, c, k] = sum over n and q of ct[n, g*out + o, q] * image[n, g*in + c, q*stride + k*dilation]. */
function weightGradient(nest: Nest, region: Region, node: NodeOf<'convWeightGrad'>): void {
  if (isTiled(region)) {
    tiledWeightGradient(nest, region, node);
    return;
  }
  const [x, ct] = node.inputs;
  const { padding, stride, dilation, groups } = node.attrs;
  const dtype = region.target.accumulate[dtypeOf(x)];
  const image = padded(x, padding);
  const [outputs, inputs, ...taps] = fixedShape(region.dims) as readonly [number, number, ...number[]];
  const perOutput = inputs * elements(taps);
  const block = Math.max(1, Math.floor(region.target.maxScratchBytes / (perOutput * bytesPerElement[dtype])));
  const name = (base: string, extent: Extent): Axis => axisFor(nest, base, extent);
  const n = name('n', extentOf(shapeOf(x)[0]!, nest.sizes));
  const input = name('c', inputs);
  const q = spatial(ct).map((extent, d) => name('pq'[d] ?? 'q', extent));
  const { looped, written } = tapsOf(nest, taps, mostSums);
  blocks(nest, name('o', outputs), block, 'par', (within, start) => {
    const sums = declare(nest, 'sums');
    const shape = [within.extent, inputs, ...taps];
    emit(nest, { kind: 'scratch', name: sums, dtype, length: elements(shape), init: zeroOf(dtype) });
    loop(nest, n, 'serial', (nAt) => {
      const element = staged(nest, region, image, nAt);
      loop(nest, within, 'par', (oIn) => {
        const oAt = add(start, oIn);
        const group = groups === 1 ? constant(0) : div(oAt, outputs / groups);
        loop(nest, input, 'par', (cAt) =>
          loops(nest, looped, 'par', (kAt) => {
            const parts: { readonly acc: string; readonly k: readonly Position[] }[] = [];
            for (const rest of written) {
              const acc = declare(nest, 'acc');
              emit(nest, { kind: 'var', name: acc, init: zeroOf(dtype) });
              parts.push({ acc, k: [...kAt, ...rest] });
            }
            loops(nest, q, 'serial', (qAt) => {
              const cotangent = expression(nest, region.known, ct, [nAt, oAt, ...qAt]);
              const factor = bind(nest, 'ct', cotangent);
              for (const { acc, k } of parts) {
                const t = qAt.map((p, d) => add(mul(p, stride[d]!), mul(k[d]!, dilation[d]!)));
                emit(nest, {
                  kind: 'accumulate',
                  name: acc,
                  fn: 'add',
                  value: product(factor, element(add(mul(group, inputs), cAt), t), dtype),
                });
              }
            });
            for (const { acc, k } of parts) {
              const at = linearize([oIn, cAt, ...k], shape, nest.extents);
              emit(nest, { kind: 'update', buffer: sums, at, fn: 'add', value: { kind: 'ref', dtype, name: acc } });
            }
          }),
        );
      });
    });
    loops(nest, [within, input, ...taps.map((extent) => name('k', extent))], 'par', ([oIn, ...rest]) => {
      const sum: Expr = { kind: 'load', dtype, buffer: sums, at: linearize([oIn!, ...rest], shape, nest.extents) };
      storeResults(nest, region, node, sum, [add(start, oIn!), ...rest]);
    });
  });
}

/**
 * The same as products whose columns are channels of the image. Channels are laid side by side once, where the border is added, for a few
 * images at a time; the sums of such batches are added up.
 */
function tiledWeightGradient(nest: Nest, region: Region, node: NodeOf<'convWeightGrad'>): void {
  const [x, ct] = node.inputs;
  const { padding, stride, dilation, groups } = node.attrs;
  const dtype = region.target.accumulate[dtypeOf(x)];
  const image = padded(x, padding);
  const [outputs, inputs, ...taps] = fixedShape(region.dims) as readonly [number, number, ...number[]];
  const images = extentOf(shapeOf(x)[0]!, nest.sizes);
  const imageBytes = elements([inputs, ...image.extents]) * bytesPerElement[dtypeOf(x)];
  const batch = Math.max(1, Math.min(mostOf(images), Math.floor(mostStagedBytes / imageBytes)));
  const perGroup = outputs / groups;
  loop(nest, axisFor(nest, 'g', groups), 'par', (gAt) => {
    const shape = [perGroup, inputs, ...taps];
    const sums = batch === mostOf(images) ? undefined : declare(nest, 'sums');
    if (sums !== undefined) emit(nest, { kind: 'scratch', name: sums, dtype, length: elements(shape), init: zeroOf(dtype) });
    const output = axisFor(nest, 'o', perGroup);
    const input = axisFor(nest, 'c', inputs);
    const tapAxes = taps.map((extent) => axisFor(nest, 'k', extent));
    const q = spatial(ct).map((extent, d) => axisFor(nest, 'pq'[d] ?? 'q', extent));
    blocks(nest, axisFor(nest, 'n', images), batch, 'serial', (within, start) => {
      const element = channelsLast(nest, region, image, { start, count: within.extent }, { start: mul(gAt, inputs), count: inputs });
      loops(nest, [output, ...tapAxes, input], 'par', (at) => {
        const [oAt, cAt, kAt] = [at[0]!, at.at(-1)!, at.slice(1, -1)];
        const acc = declare(nest, 'acc');
        emit(nest, { kind: 'var', name: acc, init: zeroOf(dtype) });
        loops(nest, [within, ...q], 'serial', ([nAt, ...qAt]) => {
          const t = qAt.map((p, d) => add(mul(p, stride[d]!), mul(kAt[d]!, dilation[d]!)));
          const cotangent = expression(nest, region.known, ct, [add(start, nAt!), add(mul(gAt, perGroup), oAt), ...qAt]);
          emit(nest, { kind: 'accumulate', name: acc, fn: 'add', value: product(cotangent, element(nAt!, cAt, t), dtype) });
        });
        const sum: Expr = { kind: 'ref', dtype, name: acc };
        if (sums === undefined) {
          storeResults(nest, region, node, sum, [add(mul(gAt, perGroup), oAt), cAt, ...kAt]);
          return;
        }
        const place = linearize([oAt, cAt, ...kAt], shape, nest.extents);
        const before: Expr = { kind: 'load', dtype, buffer: sums, at: place };
        emit(nest, { kind: 'store', buffer: sums, at: place, value: { kind: 'call', dtype, fn: 'add', args: [before, sum] } });
      });
    });
    if (sums === undefined) return;
    loops(nest, [output, input, ...tapAxes], 'par', ([oAt, ...rest]) => {
      const sum: Expr = { kind: 'load', dtype, buffer: sums, at: linearize([oAt!, ...rest], shape, nest.extents) };
      storeResults(nest, region, node, sum, [add(mul(gAt, perGroup), oAt!), ...rest]);
    });
  });
}

type Range = { readonly start: Position; readonly count: Extent };

/** Some images with their border in scratch, the channels of an element side by side. */
function channelsLast(
  nest: Nest,
  region: Region,
  { value, extents, at, inside }: Bordered,
  images: Range,
  channels: Range,
): (n: Position, c: Position, t: readonly Position[]) => Expr {
  const dtype = dtypeOf(value);
  const shape = [images.count, ...extents, channels.count];
  const name = declare(nest, 'image');
  emit(nest, { kind: 'scratch', name, dtype, length: elements(shape) });
  const axes = axesFor(nest, [images.count, channels.count, ...extents]);
  loops(nest, axes, 'par', ([n, c, ...t]) => {
    const guard = decided(nest, inside(t));
    const place = [add(images.start, n!), add(channels.start, c!), ...at(t)];
    const element = expressions(nest, region.known, [{ value, at: place, guard }])[0]!;
    emit(nest, { kind: 'store', buffer: name, at: linearize([n!, ...t, c!], shape, nest.extents), value: element });
  });
  return (n, c, t) => ({ kind: 'load', dtype, buffer: name, at: linearize([n, ...t, c], shape, nest.extents) });
}

function bind(nest: Nest, base: string, value: Expr): Expr {
  const name = declare(nest, base);
  emit(nest, { kind: 'let', name, value });
  return { kind: 'ref', dtype: value.dtype, name };
}
