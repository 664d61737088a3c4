// Products and convolutions. The gradients of a convolution are convolutions with other numbers.

import { fixedShape } from '../../ir/dim.ts';
import type { ConvAttrs } from '../../ir/opset.ts';
import { type Emitter, mapped, reshape, reverse, type Type, type Typed, textOf, transpose } from './emitter.ts';
import type { PrintersFor } from './printer.ts';
import { isFloatElement } from './text.ts';

/** Full float32 products: without it a TPU multiplies in bf16, and a GPU may use TF32. */
const precision = (x: Typed): string => (isFloatElement(x.element) ? ', precision = [HIGHEST, HIGHEST]' : '');

type Window = {
  readonly stride: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly leftDilation: readonly number[];
  readonly rightDilation: readonly number[];
};
/** Which axes of each operand are what; spatial axes follow the two others in all of them. */
type Axes = { readonly left: 'bf' | 'fb'; readonly right: 'oi' | 'io'; readonly result: 'bf' | 'fb' };

function convolution(
  e: Emitter,
  [left, right]: readonly [Typed, Typed],
  { left: l, right: r, result: o }: Axes,
  { stride, padding, leftDilation, rightDilation }: Window,
  [featureGroups, batchGroups]: readonly [number, number],
  result: Type,
): Typed {
  const spatial = stride.map((_, i) => String(i));
  const axes = (letters: string): string => `[${[...letters, ...spatial].join(', ')}]`;
  const pads = padding.map(([low, high]) => `[${low}, ${high}]`).join(', ');
  const window = `window = {stride = [${stride.join(', ')}], pad = [${pads}], lhs_dilate = [${leftDilation.join(', ')}], rhs_dilate = [${rightDilation.join(', ')}]}`;
  const exact = isFloatElement(left.element) ? ', precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]' : '';
  const attributes = ` {batch_group_count = ${batchGroups} : i64, feature_group_count = ${featureGroups} : i64${exact}}`;
  const text = `dim_numbers = ${axes(l)}x${axes(r)}->${axes(o)}, ${window}${attributes}`;
  return mappedConvolution(e, left, right, text, result);
}

/** The one op whose operands stand in parentheses. */
function mappedConvolution(e: Emitter, left: Typed, right: Typed, text: string, result: Type): Typed {
  const id = `%${e.next++}`;
  const types = `(${textOf(left)}, ${textOf(right)}) -> ${textOf(result)}`;
  e.lines.push(`${e.indent}${id} = stablehlo.convolution(${left.id}, ${right.id}) ${text} : ${types}${e.location}`);
  return { ...result, id };
}

const ones = (attrs: ConvAttrs): readonly number[] => attrs.stride.map(() => 1);

/** Size of a window of `size` elements at distances of `dilation`, or of `size` elements with gaps between them. */
const spread = (size: number, dilation: number): number => (size === 0 ? 0 : (size - 1) * dilation + 1);

/** [O, C/g, ...] as the kernel of the gradient by the input: [O/g, C, ...], turned round. */
function turned(e: Emitter, w: Typed, groups: number): Typed {
  const [o, c, ...spatial] = w.shape as readonly [number, number, ...number[]];
  const flipped = reverse(
    e,
    w,
    spatial.map((_, i) => i + 2),
  );
  if (groups === 1) return flipped;
  const split = reshape(e, flipped, [groups, o / groups, c, ...spatial]);
  const moved = transpose(e, split, [1, 0, 2, ...spatial.map((_, i) => i + 3)]);
  return reshape(e, moved, [o / groups, groups * c, ...spatial]);
}

export const contractionPrinters = {
  dot: ([x, y], n, e) => {
    const { batch, contract } = n.attrs;
    const axes = (pairs: typeof batch): string => `[${pairs.map((p) => p[0]).join(', ')}] x [${pairs.map((p) => p[1]).join(', ')}]`;
    const batching = batch.length === 0 ? '' : `, batching_dims = ${axes(batch)}`;
    const result: Type = { element: x!.element, shape: fixedShape(n.outputs[0]!.shape) };
    return [mapped(e, 'stablehlo.dot_general', [x!, y!], result, `${batching}, contracting_dims = ${axes(contract)}${precision(x!)}`)];
  },
  conv: ([x, w], n, e) => {
    const { stride, padding, dilation, groups } = n.attrs;
    const window: Window = { stride, padding, leftDilation: ones(n.attrs), rightDilation: dilation };
    const result: Type = { element: x!.element, shape: fixedShape(n.outputs[0]!.shape) };
    return [convolution(e, [x!, w!], { left: 'bf', right: 'oi', result: 'bf' }, window, [groups, 1], result)];
  },
  convInputGrad: ([ct, w], n, e) => {
    const { stride, padding, dilation, groups, spatial } = n.attrs;
    const widths = spatial.map((size, i): readonly [number, number] => {
      const kernel = spread(w!.shape[i + 2]!, dilation[i]!);
      const low = kernel - 1 - padding[i]![0];
      return [low, size - spread(ct!.shape[i + 2]!, stride[i]!) - low + kernel - 1];
    });
    const window: Window = { stride: ones(n.attrs), padding: widths, leftDilation: stride, rightDilation: dilation };
    const result: Type = { element: ct!.element, shape: fixedShape(n.outputs[0]!.shape) };
    return [convolution(e, [ct!, turned(e, w!, groups)], { left: 'bf', right: 'io', result: 'bf' }, window, [groups, 1], result)];
  },
  convWeightGrad: ([x, ct], n, e) => {
    const { stride, padding, dilation, groups, spatial } = n.attrs;
    const widths = spatial.map((size, i): readonly [number, number] => {
      const low = padding[i]![0];
      return [low, spread(ct!.shape[i + 2]!, stride[i]!) + (size - 1) * dilation[i]! - x!.shape[i + 2]! - low];
    });
    const window: Window = { stride: dilation, padding: widths, leftDilation: ones(n.attrs), rightDilation: stride };
    const result: Type = { element: x!.element, shape: fixedShape(n.outputs[0]!.shape) };
    // What is summed over is the batch, so batch and channels change places; channels come in groups.
    return [convolution(e, [x!, ct!], { left: 'fb', right: 'io', result: 'fb' }, window, [1, groups], result)];
  },
} satisfies PrintersFor<'dot' | 'conv' | 'convInputGrad' | 'convWeightGrad'>;
