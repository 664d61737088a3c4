// The loop IR: a kernel as a tree of statements. Lowering writes it, schedules rewrite it, emitters print it in a target's language.
import type { DType } from '../runtime/dtype.ts';
import type { LibraryRoutine } from './routines.ts';
import type { ScalarName } from './scalar.ts';

/**
 * A size that the launch binds, or (with `of`) an integer computed from such sizes. Equal sizes have equal texts in `size`. The bounds, where
 * they are known, are inclusive.
 */
export type Size = { readonly size: string; readonly least?: number; readonly most?: number; readonly of?: Position };
/** An extent or stride. */
export type Extent = number | Size;

/**
 * An integer position. `value` is a loaded or computed integer (an index tensor's element).
 * Smart constructors in position.ts keep these trees in one canonical form: sums of scaled axes, then constants.
 */
export type Position =
  | { readonly kind: 'const'; readonly value: Extent }
  | { readonly kind: 'axis'; readonly axis: string }
  | { readonly kind: 'add'; readonly a: Position; readonly b: Position }
  | { readonly kind: 'mul'; readonly a: Position; readonly by: Extent }
  | { readonly kind: 'div'; readonly a: Position; readonly by: Extent }
  | { readonly kind: 'mod'; readonly a: Position; readonly by: Extent }
  | { readonly kind: 'value'; readonly value: Expr };

/** A pure scalar expression. Every expression knows its dtype, so that emitters need no inference. */
export type Expr =
  /** `bits` as in the graph's literals: the pattern of the value in its dtype, as a non-negative bigint. */
  | { readonly kind: 'literal'; readonly dtype: DType; readonly bits: bigint }
  /** A `let`, `acc` or `var` in scope. */
  | { readonly kind: 'ref'; readonly dtype: DType; readonly name: string }
  /** Argument `index` of the launch's block of numbers. */
  | { readonly kind: 'slot'; readonly dtype: DType; readonly index: number }
  /** An element of a parameter or of scratch. */
  | { readonly kind: 'load'; readonly dtype: DType; readonly buffer: string; readonly at: Position }
  | { readonly kind: 'position'; readonly dtype: DType; readonly at: Position }
  /** `dtype` is the result's; operands of comparisons carry their own. */
  | { readonly kind: 'call'; readonly dtype: DType; readonly fn: ScalarName; readonly args: readonly Expr[] }
  | { readonly kind: 'cast'; readonly dtype: DType; readonly value: Expr }
  | { readonly kind: 'bitcast'; readonly dtype: DType; readonly value: Expr }
  /** Evaluates one branch only, so an out-of-range load in the other does no harm (padding, concat, tails). */
  | { readonly kind: 'choose'; readonly dtype: DType; readonly when: Condition; readonly then: Expr; readonly else: Expr };

/** A conjunction of bounds on positions: `0 <= at < below` for each. */
export type Condition = readonly { readonly at: Position; readonly below: Extent }[];

export type Stmt =
  /** `par` iterations are independent of one another; `vector` asks for lanes; `unroll` for copies. */
  | {
      readonly kind: 'loop';
      readonly axis: string;
      readonly extent: Extent;
      readonly step?: number;
      readonly mode: 'par' | 'serial' | 'vector' | 'unroll';
      readonly body: readonly Stmt[];
    }
  | { readonly kind: 'let'; readonly name: string; readonly value: Expr }
  /** A mutable scalar. */
  | { readonly kind: 'var'; readonly name: string; readonly init: Expr }
  | { readonly kind: 'assign'; readonly name: string; readonly value: Expr }
  /** `name = fn(name, value)`. */
  | { readonly kind: 'accumulate'; readonly name: string; readonly fn: ScalarName; readonly value: Expr }
  /** Memory private to the kernel (or to one iteration of the enclosing `par` loop), filled with `init` if given. */
  | { readonly kind: 'scratch'; readonly name: string; readonly dtype: DType; readonly length: Extent; readonly init?: Expr }
  | { readonly kind: 'store'; readonly buffer: string; readonly at: Position; readonly value: Expr }
  /** `buffer[at] = fn(buffer[at], value)`; one writer only. */
  | { readonly kind: 'update'; readonly buffer: string; readonly at: Position; readonly fn: ScalarName; readonly value: Expr }
  | { readonly kind: 'if'; readonly test: Expr; readonly then: readonly Stmt[]; readonly else: readonly Stmt[] }
  /** Refuses the launch with an IndexError unless 0 <= value < below. `op` names who asked. */
  | { readonly kind: 'check'; readonly value: Expr; readonly below: Extent; readonly op: string }
  /** One body over many tensors: each row of the table gives the buffers and the sizes (as `#n` in the body) of a member. */
  | {
      readonly kind: 'members';
      readonly buffers: readonly { readonly name: string; readonly dtype: DType; readonly access: Param['access'] }[];
      readonly sizes: readonly string[];
      readonly rows: readonly Member[];
      readonly body: readonly Stmt[];
    }
  /** A routine of the target's library, with its buffers, extents and options in the order of routines.ts. */
  | {
      readonly kind: 'library';
      readonly routine: LibraryRoutine;
      readonly buffers: readonly string[];
      readonly extents: readonly Extent[];
      readonly flags: readonly number[];
    }
  /**
   * A register tile, the innermost block of a matrix product: c[r, j] = (0 or c[r, j]) + the sum over k, in order, of a[k, r] * b[k, j].
   * Element (k, r) of `a` lies at `at + k*a.k + r*a.row`; columns of b and c are neighbours. Targets may fuse each product with its sum,
   * and may read up to a vector beyond the last column. `c` is neither `a` nor `b`.
   */
  | {
      readonly kind: 'product';
      readonly rows: number;
      readonly columns: number;
      /** At least 1, as rows and columns. */
      readonly depth: Extent;
      readonly a: { readonly buffer: string; readonly at: Position; readonly k: number; readonly row: number; readonly spread: Spread };
      readonly b: { readonly buffer: string; readonly at: Position; readonly k: number };
      readonly c: { readonly buffer: string; readonly at: Position; readonly row: number };
      readonly from: 'zero' | 'c';
    }
  /** A block of a matrix, transposed: to[at + c*to.row + r] = from[at + r*from.row + c] for r < rows and c < columns. `to` is not `from`. */
  | {
      readonly kind: 'transpose';
      readonly rows: number;
      readonly columns: number;
      readonly to: { readonly buffer: string; readonly at: Position; readonly row: number };
      readonly from: { readonly buffer: string; readonly at: Position; readonly row: number };
    };

/**
 * How an element of `a` gets into all lanes of a vector: loaded into all of them, or loaded with its neighbours along the rows (which must
 * lie side by side) and spread by a shuffle. Not a matter of meaning: engines differ in which of them needs fewer registers.
 */
export type Spread = 'load' | 'shuffle';

export type Product = Extract<Stmt, { kind: 'product' }>;
export type Transpose = Extract<Stmt, { kind: 'transpose' }>;
/** What products are of. */
export const productDTypes = ['f32', 'f64', 'i32'] as const satisfies readonly DType[];
export type ProductDType = (typeof productDTypes)[number];

/** A row of a member table: a buffer in scope for each name of `buffers`, a number for each of `sizes`. */
export type Member = { readonly buffers: readonly string[]; readonly sizes: readonly number[] };

export type Param = { readonly name: string; readonly dtype: DType; readonly access: 'read' | 'write' | 'update'; readonly length: Extent };

/** A whole kernel: what is launched. `comment` lines say which ops and user lines it came from; they are data, never code. */
export type Kernel = {
  readonly name: string;
  readonly params: readonly Param[];
  /** dtypes of the slots that the body reads, by index into the launch's block. */
  readonly slots: readonly DType[];
  /** The sizes that the launch binds, with their bounds: they stand behind the slots in its block of numbers. */
  readonly sizes?: readonly Required<Omit<Size, 'of'>>[];
  readonly comment: readonly string[];
  readonly body: readonly Stmt[];
};
