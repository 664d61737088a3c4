// Tensor methods: shapes, views, joining and splitting. What each does in detail is written at its function in functional/shape.ts.

import type { Mesh } from '../../ops/composite/constrain.ts';
import type { DeviceName } from '../device.ts';
import type { DTypeName } from '../dtypes.ts';
import { constrain } from '../functional/constrain.ts';
import * as d from '../functional/diagonal.ts';
import * as f from '../functional/shape.ts';
import type { Tensor } from '../tensor.ts';
import { isContiguous } from '../view.ts';
import { ReductionMethods } from './reduction.ts';

export abstract class ShapeMethods extends ReductionMethods {
  /** The same elements under another shape: a view if strides allow, else a copy. One size may be -1. */
  reshape(this: Tensor, shape: readonly number[]): Tensor {
    return f.reshape(this, shape);
  }
  /** `reshape` that never copies. ShapeError where strides do not allow it. */
  view(this: Tensor, shape: readonly number[]): Tensor {
    return f.view(this, shape);
  }
  /** Dimensions `start` to `end` as one. */
  flatten(this: Tensor, start?: number, end?: number): Tensor {
    return f.flatten(this, start, end);
  }
  /** One dimension as several. */
  unflatten(this: Tensor, dim: number, sizes: readonly number[]): Tensor {
    return f.unflatten(this, dim, sizes);
  }
  /** Without dimensions of size 1. */
  squeeze(this: Tensor, dim?: number | readonly number[]): Tensor {
    return f.squeeze(this, dim);
  }
  /** With a dimension of size 1 at `dim`. */
  unsqueeze(this: Tensor, dim: number): Tensor {
    return f.unsqueeze(this, dim);
  }
  /** Dimensions in another order; a view. */
  permute(this: Tensor, order: readonly number[]): Tensor {
    return f.permute(this, order);
  }
  /** Two dimensions exchanged; a view. */
  transpose(this: Tensor, dim0: number, dim1: number): Tensor {
    return f.transpose(this, dim0, dim1);
  }
  /** Rows and columns exchanged; a view. */
  t(this: Tensor): Tensor {
    return f.t(this);
  }
  /** One dimension moved; a view. */
  movedim(this: Tensor, from: number, to: number): Tensor {
    return f.movedim(this, from, to);
  }
  /** Dimensions of size 1 shown as larger; a view without memory. */
  expand(this: Tensor, shape: readonly number[]): Tensor {
    return f.expand(this, shape);
  }
  /** `expand` to the shape of another. */
  expandAs(this: Tensor, like: Tensor): Tensor {
    return f.expandAs(this, like);
  }
  /** `expand`. */
  broadcastTo(this: Tensor, shape: readonly number[]): Tensor {
    return f.broadcastTo(this, shape);
  }
  /** `length` elements from `start` along `dim`; a view. */
  narrow(this: Tensor, dim: number, start: number, length: number): Tensor {
    return f.narrow(this, dim, start, length);
  }
  /** Order reversed along dimensions; a copy. */
  flip(this: Tensor, dims: number | readonly number[]): Tensor {
    return f.flip(this, dims);
  }
  /** Elements shifted along `dims`, around the end. */
  roll(this: Tensor, shifts: number | readonly number[], dims?: number | readonly number[]): Tensor {
    return f.roll(this, shifts, dims);
  }
  /** A copy in its own storage; gradients flow through. */
  clone(this: Tensor): Tensor {
    return f.clone(this);
  }
  /** Itself if dense and row-major, else a copy that is. */
  contiguous(this: Tensor): Tensor {
    return f.contiguous(this);
  }
  /**
   * In another dtype, or on another device; itself if it is that already. From `webgpu` to `cpu` elements are on their way when this returns:
   * `await` data() of the result, or synchronize().
   */
  to(this: Tensor, target: DTypeName | DeviceName | 'cpu'): Tensor {
    return f.to(this, target);
  }
  /** Elements of another, cast and broadcast, copied over these. */
  copy_(this: Tensor, from: Tensor): Tensor {
    return f.copy_(this, from);
  }
  /** Views of `size` elements each along `dim`. */
  split(this: Tensor, size: number | readonly number[], dim?: number): Tensor[] {
    return f.split(this, size, dim);
  }
  /** `count` views along `dim`. */
  chunk(this: Tensor, count: number, dim?: number): Tensor[] {
    return f.chunk(this, count, dim);
  }
  /** One view for each element along `dim`. */
  unbind(this: Tensor, dim?: number): Tensor[] {
    return f.unbind(this, dim);
  }
  /** Copies side by side. */
  repeat(this: Tensor, repeats: readonly number[]): Tensor {
    return f.repeat(this, repeats);
  }
  /** Surrounded by `value`; widths in pairs from the last dimension. */
  pad(this: Tensor, widths: readonly number[], value?: number): Tensor {
    return f.pad(this, widths, value);
  }
  /** The lower triangle. */
  tril(this: Tensor, diagonal?: number): Tensor {
    return d.tril(this, diagonal);
  }
  /** The upper triangle. */
  triu(this: Tensor, diagonal?: number): Tensor {
    return d.triu(this, diagonal);
  }
  /** In float32. */
  float(this: Tensor): Tensor {
    return f.to(this, 'float32');
  }
  /** In float64. */
  double(this: Tensor): Tensor {
    return f.to(this, 'float64');
  }
  /** In int32; fractions are cut off. */
  int(this: Tensor): Tensor {
    return f.to(this, 'int32');
  }
  /** In int64; fractions are cut off. */
  long(this: Tensor): Tensor {
    return f.to(this, 'int64');
  }
  /** Whether elements differ from 0. */
  bool(this: Tensor): Tensor {
    return f.to(this, 'bool');
  }
  /** Whether the elements lie densely in row-major order. */
  isContiguous(): boolean {
    return isContiguous(this.layout);
  }
  /** Order of columns reversed; a copy. */
  fliplr(this: Tensor): Tensor {
    return f.fliplr(this);
  }
  /** Order of rows reversed; a copy. */
  flipud(this: Tensor): Tensor {
    return f.flipud(this);
  }
  /** Turned by quarters from the first of `dims` towards the second. */
  rot90(this: Tensor, turns?: number, dims?: readonly [number, number]): Tensor {
    return f.rot90(this, turns, dims);
  }
  /** `transpose`. */
  swapaxes(this: Tensor, axis0: number, axis1: number): Tensor {
    return f.swapaxes(this, axis0, axis1);
  }
  /** `transpose`. */
  swapdims(this: Tensor, dim0: number, dim1: number): Tensor {
    return f.swapdims(this, dim0, dim1);
  }
  /** Copies side by side; counts are those of the last dimensions. */
  tile(this: Tensor, counts: readonly number[]): Tensor {
    return f.tile(this, counts);
  }
  /** Each element several times in a row. */
  repeatInterleave(this: Tensor, repeats: number, dim?: number): Tensor {
    return f.repeatInterleave(this, repeats, dim);
  }
  /** Windows of `size` elements, `step` apart, along `dim`; their elements come last. */
  unfold(this: Tensor, dim: number, size: number, step: number): Tensor {
    return f.unfold(this, dim, size, step);
  }
  /** The elements (i, i + offset) of two dimensions, as a last dimension. */
  diagonal(this: Tensor, offset?: number, dim1?: number, dim2?: number): Tensor {
    return d.diagonal(this, offset, dim1, dim2);
  }
  /** The last dimension on the diagonal of two new ones. */
  diagEmbed(this: Tensor, offset?: number): Tensor {
    return d.diagEmbed(this, offset);
  }
  /** Of a vector the matrix with it on a diagonal, of a matrix its diagonal. */
  diag(this: Tensor, offset?: number): Tensor {
    return d.diag(this, offset);
  }
  /** Sum of the diagonal of a matrix. */
  trace(this: Tensor): Tensor {
    return d.trace(this);
  }
  /** `reshape` to the shape of another. */
  reshapeAs(this: Tensor, like: Tensor): Tensor {
    return f.reshapeAs(this, like);
  }
  /** `view` in the shape of another. */
  viewAs(this: Tensor, like: Tensor): Tensor {
    return f.viewAs(this, like);
  }
  /** In the dtype of another. */
  typeAs(this: Tensor, like: Tensor): Tensor {
    return f.typeAs(this, like);
  }
  /** Itself; in a step that is exported to many devices, cut along these axes of their mesh, or whole where there is null. */
  constrain(this: Tensor, mesh: Mesh, axes: readonly (string | null)[]): Tensor {
    return constrain(this, mesh, axes);
  }
  /** In uint8; fractions are cut off. */
  byte(this: Tensor): Tensor {
    return f.to(this, 'uint8');
  }
  /** Dimensions in reverse order; a view. */
  get T(): Tensor {
    const self = this as unknown as Tensor;
    return f.permute(self, [...self.shape.keys()].reverse());
  }
  /** The last two dimensions exchanged; a view. */
  get mT(): Tensor {
    return f.transpose(this as unknown as Tensor, -2, -1);
  }
}
