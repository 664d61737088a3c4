// Tensor methods that look at values: each is a boundary if the value is not realised yet.
import { copy, copySync, type Place } from '../../../runtime/buffer.ts';
import type { TypedArray } from '../../../runtime/dtype.ts';
import { ArgumentError } from '../../../runtime/errors.ts';
import { numel } from '../../ir/dim.ts';
import { demandAtHand, observe, observeNumber, realise } from '../boundary.ts';
import { dimOf } from '../dims.ts';
import { dispose } from '../dispose.ts';
import { type DTypeName, dtypeName } from '../dtypes.ts';
import { toText } from '../format.ts';
import { recording } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import { placeOfTensor } from '../transfer.ts';
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
  get device(): Place {
    return placeOfTensor(this as unknown as Tensor);
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
    const value = recording(() => this.value());
    demandAtHand(value);
    return copySync(realise(value));
  }

  /** The one element. Throws ArgumentError if there are more. */
  async item(this: Tensor): Promise<number> {
    if (this.device === 'cpu') return this.itemSync();
    demandOne(this);
    return Number((await this.data())[0]!);
  }
  /** As `item()`, at once; CPU devices only. */
  itemSync(this: Tensor): number {
    demandOne(this);
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
    return this.device === 'cpu' ? this.tolistSync() : nested(this, await this.data());
  }
  /** As `tolist()`, at once; CPU devices only. */
  tolistSync(this: Tensor): Nested {
    return nested(this, observe(recording(() => this.value())));
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

function demandOne(t: Tensor): void {
  if (t.numel() === 1) return;
  throw new ArgumentError(`a tensor with ${t.numel()} elements cannot be converted to a number`, {
    op: 'item',
    fix: 'index one element, or reduce first',
  });
}

/** Elements as nested arrays. */
function nested(t: Tensor, data: TypedArray): Nested {
  const one = (i: number): Nested => {
    const v = data[i]!;
    if (t.element === 'bool') return v === 1;
    return typeof v === 'bigint' ? (Number.isSafeInteger(Number(v)) ? Number(v) : v) : v;
  };
  const nest = (axis: number, offset: number, count: number): Nested => {
    const n = t.shape[axis];
    if (n === undefined) return one(offset);
    const inner = n === 0 ? 0 : count / n;
    return Array.from({ length: n }, (_, i) => nest(axis + 1, offset + i * inner, inner));
  };
  return nest(0, 0, t.numel());
}
