// Tensor methods: reductions, cumulative ops and sorting. What each does in detail is written at its function in functional/reductions.ts.
import * as f from '../functional/reductions.ts';
import type { Tensor } from '../tensor.ts';
import { ComparisonMethods } from './comparison.ts';

export abstract class ReductionMethods extends ComparisonMethods {
  /** Sum over `dim` (default: all). Integers and bools give int64. */
  sum(this: Tensor, dim?: f.Dims, options?: f.ReduceOptions): Tensor {
    return f.sum(this, dim, options);
  }
  /** Product over `dim`. */
  prod(this: Tensor, dim?: f.Dims, options?: f.ReduceOptions): Tensor {
    return f.prod(this, dim, options);
  }
  /** Mean over `dim`. DTypeError for integers. */
  mean(this: Tensor, dim?: f.Dims, options?: f.ReduceOptions): Tensor {
    return f.mean(this, dim, options);
  }
  /** Variance over `dim`, with Bessel's correction unless told otherwise. */
  var(this: Tensor, dim?: f.Dims, options?: f.MomentOptions): Tensor {
    return f.variance(this, dim, options);
  }
  /** Standard deviation over `dim`. */
  std(this: Tensor, dim?: f.Dims, options?: f.MomentOptions): Tensor {
    return f.std(this, dim, options);
  }
  /** log of the sum of exponentials over `dim`, without overflow. */
  logsumexp(this: Tensor, dim: f.Dims, options?: f.ReduceOptions): Tensor {
    return f.logsumexp(this, dim, options);
  }
  /** The p-norm over `dim` (p = 2). */
  norm(this: Tensor, dim?: f.Dims, options?: f.NormOptions): Tensor {
    return f.norm(this, dim, options);
  }
  /** Largest over `dim`; ties share the gradient. */
  amax(this: Tensor, dim?: f.Dims, options?: f.ReduceOptions): Tensor {
    return f.amax(this, dim, options);
  }
  /** Smallest over `dim`; ties share the gradient. */
  amin(this: Tensor, dim?: f.Dims, options?: f.ReduceOptions): Tensor {
    return f.amin(this, dim, options);
  }
  /** Position of the largest along `dim`, or in the flattened tensor; int64. */
  argmax(this: Tensor, dim?: number, options?: f.ReduceOptions): Tensor {
    return f.argmax(this, dim, options);
  }
  /** Position of the smallest; int64. */
  argmin(this: Tensor, dim?: number, options?: f.ReduceOptions): Tensor {
    return f.argmin(this, dim, options);
  }
  /** Whether all elements differ from 0. */
  all(this: Tensor, dim?: f.Dims, options?: f.ReduceOptions): Tensor {
    return f.all(this, dim, options);
  }
  /** Whether any element differs from 0. */
  any(this: Tensor, dim?: f.Dims, options?: f.ReduceOptions): Tensor {
    return f.any(this, dim, options);
  }
  /** How many elements differ from 0; int64. */
  countNonzero(this: Tensor, dim?: f.Dims): Tensor {
    return f.countNonzero(this, dim);
  }
  /** Running sum along `dim`. */
  cumsum(this: Tensor, dim: number, options?: Parameters<typeof f.cumsum>[2]): Tensor {
    return f.cumsum(this, dim, options);
  }
  /** Running product along `dim`. */
  cumprod(this: Tensor, dim: number, options?: Parameters<typeof f.cumprod>[2]): Tensor {
    return f.cumprod(this, dim, options);
  }
  /** Values in order along `dim` (default: the last), and the positions they came from. */
  sort(this: Tensor, dim?: number, options?: f.SortOptions): f.WithIndices {
    return f.sort(this, dim, options);
  }
  /** The positions that sort along `dim`. */
  argsort(this: Tensor, dim?: number, options?: f.SortOptions): Tensor {
    return f.argsort(this, dim, options);
  }
  /** The k largest along `dim`, and their positions. */
  topk(this: Tensor, k: number, dim?: number, options?: Parameters<typeof f.topk>[3]): f.WithIndices {
    return f.topk(this, k, dim, options);
  }
  /** The largest element; with `dim` values and indices, the first of equals. */
  max(this: Tensor): Tensor;
  max(this: Tensor, dim: number, options?: f.ReduceOptions): f.WithIndices;
  max(this: Tensor, dim?: number, options?: f.ReduceOptions): Tensor | f.WithIndices {
    return dim === undefined ? f.max(this) : f.max(this, dim, options);
  }
  /** The smallest element; with `dim` values and indices, the first of equals. */
  min(this: Tensor): Tensor;
  min(this: Tensor, dim: number, options?: f.ReduceOptions): f.WithIndices;
  min(this: Tensor, dim?: number, options?: f.ReduceOptions): Tensor | f.WithIndices {
    return dim === undefined ? f.min(this) : f.min(this, dim, options);
  }
  /** `sum` that counts NaN as 0. */
  nansum(this: Tensor, dim?: f.Dims, options?: f.ReduceOptions): Tensor {
    return f.nansum(this, dim, options);
  }
  /** `mean` of what is not NaN. */
  nanmean(this: Tensor, dim?: f.Dims, options?: f.ReduceOptions): Tensor {
    return f.nanmean(this, dim, options);
  }
  /** The smallest and the largest over `dim`. */
  aminmax(this: Tensor, dim?: number, options?: f.ReduceOptions): { readonly min: Tensor; readonly max: Tensor } {
    return f.aminmax(this, dim, options);
  }
  /** The k-th smallest along `dim`, counted from 1, and where it was. */
  kthvalue(this: Tensor, k: number, dim?: number, options?: f.ReduceOptions): f.WithIndices {
    return f.kthvalue(this, k, dim, options);
  }
  /** The `q`-quantiles along `dim`, by linear interpolation. */
  quantile(this: Tensor, q: number | Tensor, dim?: number, options?: f.ReduceOptions): Tensor {
    return f.quantile(this, q, dim, options);
  }
  /** The largest so far along `dim`, and where it stands. */
  cummax(this: Tensor, dim: number): f.WithIndices {
    return f.cummax(this, dim);
  }
  /** The smallest so far along `dim`, and where it stands. */
  cummin(this: Tensor, dim: number): f.WithIndices {
    return f.cummin(this, dim);
  }
  /** The sorted elements without repetitions. Observes the tensor. */
  unique(this: Tensor): Tensor {
    return f.unique(this);
  }
  /** How often each of 0, 1, 2 ... occurs. Observes the tensor. */
  bincount(this: Tensor, weights?: Tensor, minlength?: number): Tensor {
    return f.bincount(this, weights, minlength);
  }
  /** The middle value, the lower of two; with `dim` values and indices. */
  median(this: Tensor): Tensor;
  median(this: Tensor, dim: number, options?: f.ReduceOptions): f.WithIndices;
  median(this: Tensor, dim?: number, options?: f.ReduceOptions): Tensor | f.WithIndices {
    return dim === undefined ? f.median(this) : f.median(this, dim, options);
  }
}
