// What a row of the bench is, as data: the work, its inputs, how each contender spells it, what it must cost at least, and what bounds it.
import type { Tensor } from '../../compiler/index.ts';
import type { Jax, JaxArray } from './peers/jax.ts';
import type { OnnxConstant, OnnxNode } from './peers/onnx-model.ts';
import type { Tf, TfTensor } from './peers/tfjs.ts';

/** How an input is filled: evenly with deviation `scale` around 0 or another number, with indices below a bound, or with one number. */
export type Input = {
  readonly shape: readonly number[];
  readonly fill: { readonly scale: number; readonly around?: number } | { readonly below: number } | { readonly value: number };
};

export const normal = (shape: readonly number[], scale = 1): Input => ({ shape, fill: { scale } });
export const indices = (shape: readonly number[], below: number): Input => ({ shape, fill: { below } });
export const filled = (shape: readonly number[], value: number): Input => ({ shape, fill: { value } });

/** What no implementation gets around. Bytes are those of inputs and results, each moved once. */
export type LeastWork = {
  readonly flops?: number;
  readonly read?: number;
  readonly written?: number;
  /** Square roots with a division each, which share one unit that takes no new work while busy. */
  readonly divided?: number;
};

/** Which bar holds for a row (see bars.ts). */
export type Bound = 'contraction' | 'small contraction' | 'convolution' | 'attention' | 'matrix-vector' | 'memory' | 'overhead' | 'step';

type Described = {
  readonly work: string;
  readonly inputs: readonly Input[];
  readonly least: LeastWork;
  readonly bound: Bound;
  /** How far results may lie apart, as a share of the largest; 2e-5 unless given. */
  readonly tolerance?: number;
  /** The same for the JavaScript peers where they are known to be less exact: they add millions of float32 numbers in one chain. */
  readonly chainTolerance?: number;
  /** Ratio to PyTorch and Inductor that is asked for where they have 512-bit vectors and 128 bits do not reach 1. */
  readonly against512?: number;
  /** Milliseconds that Fluxion may take at most. */
  readonly atMost?: number;
};

/** A function of tensors. Python sources are lambdas; `out` is one that writes into its first argument. */
export type FunctionRow = Described & {
  readonly kind: 'function';
  /** If given, the row is forward and backward: gradients by the first `gradients` inputs; the last input is the result's cotangent. */
  readonly gradients?: number;
  readonly fluxion: (...xs: Tensor[]) => Tensor;
  readonly jax?: (jax: Jax) => (...xs: JaxArray[]) => JaxArray;
  readonly tfjs?: (tf: Tf) => (...xs: TfTensor[]) => TfTensor;
  /** Reads x0, x1, ..., writes y. */
  readonly onnx?: readonly (OnnxNode | OnnxConstant)[];
  readonly torch?: string;
  readonly out?: string;
  readonly xla?: string;
};

/** A step that updates what it began with: the first `state` inputs. Compared are the results of the third call. */
export type StepRow = Described & {
  readonly kind: 'step';
  readonly state: number;
  readonly fluxion: (...xs: Tensor[]) => () => readonly Tensor[];
  /** Pure: gives the next state, then the results; without results the first of the state is compared. */
  readonly jax?: (jax: Jax) => (...xs: JaxArray[]) => readonly JaxArray[];
  readonly tfjs?: (tf: Tf) => (...xs: TfTensor[]) => () => readonly TfTensor[];
  /** Names of functions in peers/models.py: `torch` as Fluxion's, `xla` as jax-js's. */
  readonly torch?: string;
  readonly xla?: string;
};

/** From a function never seen before to its first result. Peers start as cold as they can. */
export type ColdRow = Described & { readonly kind: 'cold'; readonly step: StepRow };

/** The speed of a new module 50 ms after its first call, beside the same work long after. */
export type FreshRow = Described & { readonly kind: 'fresh'; readonly function: FunctionRow };

export type Row = FunctionRow | StepRow | ColdRow | FreshRow;

export const elements = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
/** Bytes of 32-bit elements. */
export const bytesOf = (...shapes: readonly (readonly number[])[]): number => 4 * shapes.reduce((n, s) => n + elements(s), 0);
