// Tensor methods that look at values: each is a boundary if the value is not realised yet.
import { copy, copySync } from '../../../runtime/buffer.ts';
import type { TypedArray } from '../../../runtime/dtype.ts';
import { ArgumentError } from '../../../runtime/errors.ts';
import { numel } from '../../ir/dim.ts';
import { observe, observeNumber, realise } from '../boundary.ts';
import { dimOf } from '../dims.ts';
import { dispose } from '../dispose.ts';
import { type DTypeName, dtypeName } from '../dtypes.ts';
import { toText } from '../format.ts';
import { recording } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import { AutogradMethods } from './autograd.ts';

/** Numbers as nested arrays, as deep as the tensor has dimensions. */
export type Nested = number | bigint | boolean | readonly Nested[];

export abstract class ObserveMethods extends AutogradMethods {
  /** Sizes of the dimensions. */
  get shape(): readonly number[] {
    return this.layout.shape;
  }
  /** Number of dimensions. */
  get ndim(): number {
    return this.layout.shape.length;
  }
  /** Element type, by the name that users give it. */
  get dtype(): DTypeName {
    return dtypeName(this.element);
  }
  /** Where the tensor lives. */
  get device(): 'cpu' {
    return 'cpu';
  }
  /** The sizes, or the size of one dimension (negative: from the end). */
  size(): readonly number[];
  size(dim: number): number;
  size(dim?: number): readonly number[] | number {
    return dim === undefined ? this.shape : (this.shape[dimOf('size', dim, this.ndim)] ?? 1);
  }
  /** Number of dimensions. */
  dim(): number {
    return this.ndim;
  }
  /** Number of elements. */
  numel(): number {
    return numel(this.shape) as number;
  }
  /** Steps in elements of the storage between neighbours, as PyTorch's. */
  stride(): readonly number[] {
    return this.layout.strides;
  }
  /** Where the tensor begins in its storage, in elements. */
  storageOffset(): number {
    return this.layout.offset;
  }

  /** Elements in row-major order, in an array of the caller's own. i64 gives a BigInt64Array, bool a Uint8Array. */
  async data(this: Tensor): Promise<TypedArray> {
    return copy(realise(recording(() => this.value())));
  }
  /** As `data()`, at once; CPU devices only. */
  dataSync(this: Tensor): TypedArray {
    return copySync(realise(recording(() => this.value())));
  }

  /** The one element. Throws ArgumentError if there are more. */
  async item(this: Tensor): Promise<number> {
    return this.itemSync();
  }
  /** As `item()`, at once; CPU devices only. */
  itemSync(this: Tensor): number {
    if (this.numel() !== 1)
      throw new ArgumentError(`a tensor with ${this.numel()} elements cannot be converted to a number`, {
        op: 'item',
        fix: 'index one element, or reduce first',
      });
    return Number(observeNumber(recording(() => this.value())));
  }

  /**
   * Gives the tensor's memory back at once, and that of its views: none of them may be used any more. `using x = ...` does it at the
   * end of the block, `scope()` for all tensors that a function makes.
   */
  dispose(this: Tensor): void {
    dispose(this);
  }
  [Symbol.dispose](this: Tensor): void {
    dispose(this);
  }

  /** Nested arrays of numbers; bool as booleans, int64 as numbers where they are exact and bigints where not. */
  async tolist(this: Tensor): Promise<Nested> {
    return this.tolistSync();
  }
  /** As `tolist()`, at once; CPU devices only. */
  tolistSync(this: Tensor): Nested {
    const data = observe(recording(() => this.value()));
    const one = (i: number): Nested => {
      const v = data[i]!;
      if (this.element === 'bool') return v === 1;
      return typeof v === 'bigint' ? (Number.isSafeInteger(Number(v)) ? Number(v) : v) : v;
    };
    const nest = (axis: number, offset: number, count: number): Nested => {
      const n = this.shape[axis];
      if (n === undefined) return one(offset);
      const inner = n === 0 ? 0 : count / n;
      return Array.from({ length: n }, (_, i) => nest(axis + 1, offset + i * inner, inner));
    };
    return nest(0, 0, this.numel());
  }

  /**
   * `if (tensor > 0)` and template strings observe a tensor of one element; more than one is an error, never NaN.
   */
  [Symbol.toPrimitive](this: Tensor, hint: 'number' | 'string' | 'default'): number | string {
    if (hint === 'string') return this.toString();
    if (this.numel() !== 1)
      throw new ArgumentError(`a tensor of shape [${this.shape}] was used as a number`, {
        op: 'tensor',
        fix: 'compare with methods such as gt(), and reduce with any() or all()',
      });
    return this.itemSync();
  }

  /** As PyTorch prints it: `tensor([1., 2.], requiresGrad=true)`. Observes the tensor. */
  override toString(this: Tensor): string {
    return toText(this);
  }
  /** What `console.log` shows in Node. */
  [Symbol.for('nodejs.util.inspect.custom')](this: Tensor): string {
    return toText(this);
  }
  /** What `console.log` shows in Deno. */
  [Symbol.for('Deno.customInspect')](this: Tensor): string {
    return toText(this);
  }
  /** Nested arrays, so that a tensor in JSON is its numbers. */
  toJSON(this: Tensor): Nested {
    return this.tolistSync();
  }
}
