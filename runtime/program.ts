// A Program: what the compiler leaves behind. Plain data, serialisable, the same from the JIT and from the build step.
import type { DType } from './dtype.ts';
import type { Target } from './target.ts';

export const programVersion = 1;

/** Arena offsets are multiples of this many bytes: a cache line. */
export const arenaAlignment = 64;

/** A tensor that crosses the Program's border. Always dense and row-major. */
export type Port = { readonly name: string; readonly dtype: DType; readonly shape: readonly number[] };

/** A number read at each launch, in the order of `Program.slots`. */
export type SlotPort = { readonly name: string; readonly dtype: DType };

/** Where a kernel argument lives. `offset` is in bytes from the start of the arena, a multiple of 64; lengths are in elements. */
export type BufferRef =
  | { readonly space: 'input'; readonly index: number }
  | { readonly space: 'output'; readonly index: number }
  | { readonly space: 'constant'; readonly index: number }
  | { readonly space: 'arena'; readonly offset: number; readonly length: number; readonly dtype: DType };

/** One generated function. Its parameters are the buffers of a launch in order, then the array of slot values, then `fail`. */
export type KernelCode = {
  /** From its ops and shape; a valid identifier, unique in the Program. */
  readonly name: string;
  /** JavaScript: the text of a function body over parameters `params`. */
  readonly source: string;
  readonly params: readonly string[];
  readonly flops: number;
  /** Distinct bytes touched, whatever the number of times. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** The ops it came from, each with the user's line where known: `matmul model.ts:14`. */
  readonly origin: readonly string[];
};

export type Launch = { readonly kernel: number; readonly buffers: readonly BufferRef[] };

export type ConstantData = { readonly dtype: DType; readonly length: number; readonly base64: string };

/** An output that is an input or another output under a new shape costs no kernel: `alias` names where it is found. */
export type OutputPort = Port & { readonly alias?: { readonly space: 'input' | 'output'; readonly index: number } };

export type Program = {
  readonly version: typeof programVersion;
  readonly target: Target['name'];
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly slots: readonly SlotPort[];
  readonly outputs: readonly OutputPort[];
  readonly constants: readonly ConstantData[];
  readonly arenaBytes: number;
  /** Bytes of the largest set of intermediates alive at once: the lower bound of `arenaBytes`. */
  readonly liveBytes: number;
  readonly kernels: readonly KernelCode[];
  readonly launches: readonly Launch[];
  /** Texts that inspection prints: the graph before and after the passes, and why neighbours were not fused. */
  readonly notes: { readonly graph: string; readonly fused: string; readonly unfused: readonly string[] };
};
