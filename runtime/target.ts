// Targets are data: what a machine can do, as far as passes and schedules need to know, so that a build for an absent machine works alike.
import type { DType } from './dtype.ts';

export type Target = {
  readonly name: 'js' | 'wasm' | 'webgpu';
  /** 32-bit elements that one vector operation handles; 1 where there is none. */
  readonly lanes: number;
  /** Workers that share a kernel. No order of summation depends on it. */
  readonly threads: number;
  readonly dtypes: readonly DType[];
  /** Distinct buffers that one kernel may bind (storage buffers of a WebGPU stage). */
  readonly maxBuffersPerKernel: number;
  /** Bytes of row-resident scratch that one kernel may use. */
  readonly maxScratchBytes: number;
  /** Ops that one kernel may hold, so that generated functions stay within what engines optimise. */
  readonly maxOpsPerKernel: number;
  /**
   * How float32 products and sums are rounded. exact: each operation, as the reference does. mul+add: the same, in lanes, with our own
   * transcendentals. madd: contractions and transcendentals fuse a multiplication with an addition. Bits are equal within a class.
   */
  readonly numerics: 'exact' | 'mul+add' | 'madd';
  /** The tile that products keep in vector registers; absent where contractions are tiled in scalars. Bits do not depend on it. */
  readonly tile?: RegisterTile;
  /** In which dtype sums and products of a dtype are accumulated. */
  readonly accumulate: Readonly<Record<DType, DType>>;
  /** Composites for which the target has a template of its own; all others are decomposed. */
  readonly templates: readonly string[];
};

/**
 * Rows and 32-bit columns, and how an element of the first factor gets into all lanes: loaded there, or loaded with its neighbours and
 * spread by a shuffle. Which is fastest depends on how many registers an engine leaves.
 */
export type RegisterTile = { readonly rows: number; readonly columns: number; readonly spread: 'load' | 'shuffle' };

/** The portable reference: plain JavaScript over typed arrays. Float32 sums run in float64, which costs nothing there. */
export const jsTarget: Target = {
  name: 'js',
  lanes: 1,
  threads: 1,
  numerics: 'exact',
  dtypes: ['f32', 'f64', 'i32', 'i64', 'u8', 'bool'],
  maxBuffersPerKernel: 64,
  maxScratchBytes: 4 << 20,
  maxOpsPerKernel: 256,
  accumulate: { f32: 'f64', f64: 'f64', f16: 'f32', i32: 'i32', i64: 'i64', u8: 'i32', bool: 'i32' },
  templates: [],
};

/** What V8 11 (Node 20) is fastest with: fused sums need no register for the product. */
const defaultTiles = {
  madd: { rows: 5, columns: 8, spread: 'shuffle' },
  'mul+add': { rows: 2, columns: 16, spread: 'load' },
} as const satisfies Record<string, RegisterTile>;

/** WebAssembly with 128-bit vectors. What differs between engines is its numerics: whether `relaxed_madd` is there and rounds once. */
export const wasmTarget = (numerics: 'mul+add' | 'madd', tile: RegisterTile = defaultTiles[numerics]): Target => ({
  name: 'wasm',
  lanes: 4,
  threads: 1,
  numerics,
  tile,
  dtypes: jsTarget.dtypes,
  maxBuffersPerKernel: 64,
  maxScratchBytes: 1 << 20,
  maxOpsPerKernel: 256,
  accumulate: { f32: 'f32', f64: 'f64', f16: 'f32', i32: 'i32', i64: 'i64', u8: 'i32', bool: 'i32' },
  templates: [],
});

/**
 * A GPU by way of WGSL: what every adapter has. A stage binds 8 storage buffers, of which one reports failures and one may hold scratch.
 * No float64; int64 is two words. Scratch that is larger than an invocation's own memory would be slow.
 */
export const webgpuTarget: Target = {
  name: 'webgpu',
  lanes: 1,
  threads: 1,
  numerics: 'mul+add',
  dtypes: ['f32', 'i32', 'i64', 'u8', 'bool'],
  maxBuffersPerKernel: 6,
  maxScratchBytes: 4096,
  maxOpsPerKernel: 256,
  accumulate: { f32: 'f32', f64: 'f64', f16: 'f32', i32: 'i32', i64: 'i64', u8: 'i32', bool: 'i32' },
  templates: [],
};
