// A Program: what the compiler leaves behind. Plain data, serialisable, the same from the JIT and from the build step.
import type { DType } from './dtype.ts';
import type { Target } from './target.ts';

export const programVersion = 4;

/** Arena offsets are multiples of this many bytes: a cache line. */
export const arenaAlignment = 64;

/** An axis whose extent follows from a size of the launch: `times * size + plus`. */
export type OpenAxis = { readonly axis: number; readonly size: number; readonly times: number; readonly plus: number };

/** A tensor that crosses the Program's border. Always dense and row-major. Where axes are open, `shape` is the largest. */
export type Port = {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly open?: readonly OpenAxis[];
};

/**
 * A size that is open until the launch, within bounds that are inclusive. An input tells it: `per` elements of that make one of it. Kernels
 * find it behind the slots. Memory is laid out for `max`.
 */
export type SizePort = { readonly name: string; readonly min: number; readonly max: number; readonly input: number; readonly per: number };

/** A number read at each launch, in the order of `Program.slots`. */
export type SlotPort = { readonly name: string; readonly dtype: DType };

/**
 * Where a kernel argument lives. `offset` is in bytes from the start of the arena, a multiple of 64; lengths are in elements.
 * `rows`, if any, say which part of it belongs to the turns of the repeats around the launch.
 */
export type BufferRef = { readonly rows?: readonly Row[] } & (
  | { readonly space: 'input'; readonly index: number }
  | { readonly space: 'output'; readonly index: number }
  | { readonly space: 'constant'; readonly index: number }
  | { readonly space: 'arena'; readonly offset: number; readonly length: number; readonly dtype: DType }
);

/** In the turn with index i of an enclosing repeat, the outermost loop being number 0: the `length` elements from `i * length` on. */
export type Row = { readonly loop: number; readonly length: number };

/** One generated function. Its parameters are the buffers of a launch in order, then the array of slot values, then `fail`. */
export type KernelCode = {
  /** From its ops and shape; a valid identifier, unique in the Program. */
  readonly name: string;
  /** For js the text of a function body over `params`, which is what runs; for wasm the loop nest, for people: `Program.module` runs. */
  readonly source: string;
  readonly params: readonly string[];
  readonly flops: number;
  /** Distinct bytes touched, whatever the number of times. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** The ops it came from, each with the user's line where known: `matmul model.ts:14`. */
  readonly origin: readonly string[];
};

export type Launch<Ref = BufferRef> = { readonly kind: 'launch'; readonly kernel: number; readonly buffers: readonly Ref[] };

/** What a Program does, in order. Tests are single bools in memory, so that control flow stays on the device. */
export type Step<Ref = BufferRef> =
  | Launch<Ref>
  | { readonly kind: 'branch'; readonly test: Ref; readonly then: readonly Step<Ref>[]; readonly else: readonly Step<Ref>[] }
  /** `test` leaves in `holds` whether `body`, and then `test` again, are to run. */
  | { readonly kind: 'while'; readonly test: readonly Step<Ref>[]; readonly holds: Ref; readonly body: readonly Step<Ref>[] }
  /** `body` so many times; the index counts from 0 up, or down to 0. */
  | { readonly kind: 'repeat'; readonly times: number; readonly reverse: boolean; readonly body: readonly Step<Ref>[] };

/** The same steps over other references. Steps nest no deeper than regions of a graph may. */
export const mapSteps = <A, B>(steps: readonly Step<A>[], f: (ref: A) => B): Step<B>[] =>
  steps.map((step): Step<B> => {
    switch (step.kind) {
      case 'launch':
        return { ...step, buffers: step.buffers.map(f) };
      case 'branch':
        return { ...step, test: f(step.test), then: mapSteps(step.then, f), else: mapSteps(step.else, f) };
      case 'while':
        return { ...step, test: mapSteps(step.test, f), holds: f(step.holds), body: mapSteps(step.body, f) };
      case 'repeat':
        return { ...step, body: mapSteps(step.body, f) };
      default:
        return step satisfies never;
    }
  });

/** All launches as they stand in the Program, and how often each runs: in a branch, or in a loop that ends on a test, counted once. */
export function launchesOf<Ref>(steps: readonly Step<Ref>[], times = 1): { readonly launch: Launch<Ref>; readonly times: number }[] {
  return steps.flatMap((step) => {
    switch (step.kind) {
      case 'launch':
        return [{ launch: step, times }];
      case 'branch':
        return [...launchesOf(step.then, times), ...launchesOf(step.else, times)];
      case 'while':
        return [...launchesOf(step.test, times), ...launchesOf(step.body, times)];
      case 'repeat':
        return launchesOf(step.body, times * step.times);
      default:
        return step satisfies never;
    }
  });
}

export type ConstantData = { readonly dtype: DType; readonly length: number; readonly base64: string };

/** An output that is an input or another output under a new shape costs no kernel: `alias` names where it is found. */
export type OutputPort = Port & { readonly alias?: { readonly space: 'input' | 'output'; readonly index: number } };

/**
 * The WebAssembly of a whole Program: its kernels and the sequence of launches. It imports `env.memory` and functions of `env` by name,
 * and exports `run(args: i32, thread: i32, threads: i32)`, which every thread calls. `args` points to a block of `argumentBlock`'s layout.
 */
export type WasmModule = {
  readonly base64: string;
  /** Where in the bytes the limits of `env.memory` say whether it is shared: 3 if so, 1 if not. Emitted as 1. */
  readonly memoryFlagAt: number;
  /** Functions of the host that it calls: of `Math`, and library routines. */
  readonly imports: readonly string[];
  /** Whether any launch is worth sharing among threads. Without, thread 0 alone calls `run`. */
  readonly isParallel: boolean;
  /** Scratch that all threads see, and scratch of each thread, in bytes. */
  readonly sharedScratchBytes: number;
  readonly threadScratchBytes: number;
  /** What the status word of a run means, less 1: an index out of range, or a failure told in words. */
  readonly failures: readonly { readonly op: string; readonly below?: number | 'open' }[];
};

/**
 * The block that `run` gets, in bytes from its start, which is a multiple of 64. Words are 32-bit and little-endian.
 * `status` is 0, or 1 plus the index of what failed, with its `value` beside it (float64). `arrived` and `generation` belong to the barrier.
 * From `pointers` on stand the addresses of inputs, outputs (those that are no alias; 0 for the others) and constants, and, from the
 * next multiple of 8, the slots as float64.
 */
export const argumentBlock = {
  status: 0,
  /** The status as it was when the last barrier opened. */
  latched: 4,
  value: 8,
  arena: 16,
  sharedScratch: 20,
  /** Of thread 0; the others' follow, `threadScratchBytes` apart. */
  threadScratch: 24,
  /** What an index had to be below, where that is open. */
  limit: 32,
  arrived: 64,
  generation: 128,
  pointers: 192,
} as const;

/** Where the slots stand in the argument block of a Program. */
export const slotsAt = ({ inputs, outputs, constants }: Pick<Program, 'inputs' | 'outputs' | 'constants'>): number =>
  argumentBlock.pointers + 8 * Math.ceil((inputs.length + outputs.length + constants.length) / 2);

/** A routine of the library, which runs on the host: in the place of a dispatch, over elements that are read back and written again. */
export type HostCall = {
  readonly routine: string;
  /** In the routine's order: a parameter of the kernel, or words of its scratch. */
  readonly buffers: readonly {
    readonly dtype: DType;
    readonly length: number;
    readonly isWritten: boolean;
    readonly at: { readonly param: number } | { readonly scratch: number };
  }[];
  /** Extents, then flags. */
  readonly numbers: readonly number[];
};

/** An entry point, how many workgroups, and the bindings of group 0 that it uses. */
export type Dispatch = { readonly name: string; readonly groups: readonly [number, number]; readonly bindings: readonly number[] };

/** A kernel in WGSL, over buffers as `storageOf` (webgpu/places.ts) numbers those of a launch. */
export type Shader = {
  readonly source: string;
  /** What is done, one after the other. */
  readonly entries: readonly (Dispatch | HostCall)[];
  /** 32-bit words of the arena that it needs for itself. */
  readonly scratchWords: number;
  /** What the status means, from 1 on: an index out of range, or a failure told in words. */
  readonly failures: readonly { readonly op: string; readonly below?: number }[];
};

/** The shaders of a Program, and which of them each launch uses, in the order in which launches stand in its steps. */
export type ProgramShaders = { readonly modules: readonly Shader[]; readonly ofLaunch: readonly number[] };

export type Program = {
  readonly version: typeof programVersion;
  readonly target: Target['name'];
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly slots: readonly SlotPort[];
  /** Absent where everything is known. */
  readonly sizes?: readonly SizePort[];
  readonly outputs: readonly OutputPort[];
  readonly constants: readonly ConstantData[];
  readonly arenaBytes: number;
  /** Bytes of the largest set of intermediates alive at once: the lower bound of `arenaBytes`. */
  readonly liveBytes: number;
  readonly kernels: readonly KernelCode[];
  readonly steps: readonly Step[];
  /** For wasm: what runs. */
  readonly module?: WasmModule;
  /** For webgpu: what runs. */
  readonly shaders?: ProgramShaders;
  /** Texts that inspection prints: the graph before and after the passes, and why neighbours were not fused. */
  readonly notes: { readonly graph: string; readonly fused: string; readonly unfused: readonly string[] };
};
