// What recording leaves for writing: a model as plain data, the same for the same model text wherever and whenever it was built.
import type { ArgumentTree } from '../../runtime/artifact/description.ts';
import type { DType, TypedArray } from '../../runtime/dtype.ts';
import type { HostExpr } from '../../runtime/host.ts';
import type { Program } from '../../runtime/program.ts';

/** Where a Program runs. `relaxed` is WebAssembly that fuses multiplications with additions, for engines that can; `wasm` runs in all. */
export const buildTargets = ['js', 'wasm', 'relaxed', 'webgpu'] as const;
export type BuildTarget = (typeof buildTargets)[number];

export type BuiltModel = {
  /** Of the output module, from that of the file: `model.ts` gives `model`. */
  readonly name: string;
  /** The model file; its path is relative to the project, with '/'. */
  readonly source: { readonly path: string; readonly text: string };
  /** Targets that were left out because they cannot run an entry, with the reason. */
  readonly notes: readonly string[];
  /** In the order of their declarations. */
  readonly entries: readonly BuiltEntry[];
  /** In the order in which entries read them first. Keys are unique. */
  readonly weights: readonly BuiltWeight[];
  /** Host numbers that calls advance (the steps of an optimiser), with their first values. */
  readonly counters: readonly { readonly key: string; readonly value: number }[];
};

/** An open dimension has `times * size + plus` elements, where `size` belongs to the name and lies within bounds; in inputs it is the size itself. */
export type BuiltDim = number | OpenBuiltDim;
export type OpenBuiltDim = {
  readonly dim: string;
  readonly min: number;
  readonly max: number;
  readonly times: number;
  readonly plus: number;
};

/** A tensor that a caller gives. Its name is a path like `batch.image` where arguments nest. */
export type BuiltPort = { readonly name: string; readonly dtype: DType; readonly shape: readonly BuiltDim[]; readonly doc?: string };

export type BuiltWeight = {
  /** As in a state dict: `fc.weight`. */
  readonly key: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
  /** Whether some entry updates it: then it is state. */
  readonly written: boolean;
};

export type BuiltEntry = {
  /** An identifier; as it is exported. */
  readonly name: string;
  readonly doc?: string;
  /** Of the declaration in the model file, from 1 on. */
  readonly line: number;
  readonly column: number;
  readonly inputs: readonly BuiltPort[];
  /** Arguments that are plain numbers. */
  readonly numbers: readonly { readonly name: string; readonly doc?: string }[];
  /** The arguments in order, as a tree over the indices of `inputs` and `numbers`. */
  readonly parameters: readonly { readonly name: string; readonly tree: ArgumentTree }[];
  readonly result: ResultTree;
  /** One for each of a small set of shapes; a single one, of no sizes, where shapes are fixed. */
  readonly variants: readonly BuiltVariant[];
  /** What the counters are after a call that succeeds. Like the numbers of slots it is computed of what they were before. */
  readonly advances: readonly { readonly key: string; readonly to: HostExpr }[];
};

/** What a call gives: tensors are numbered in order, as outputs are bound to them. */
export type ResultTree =
  | { readonly kind: 'tensor'; readonly index: number; readonly dtype: DType; readonly shape: readonly BuiltDim[] }
  | { readonly kind: 'list'; readonly items: readonly ResultTree[] }
  | { readonly kind: 'record'; readonly keys: readonly string[]; readonly items: readonly ResultTree[] }
  /** What is no tensor is the same in every call. */
  | { readonly kind: 'static'; readonly value: string | number | boolean | null | undefined };

export type BuiltVariant = {
  /** What it is for: a size of each open dimension, or a range where the Programs take the size as it comes. */
  readonly sizes: { readonly [dim: string]: number | { readonly min: number; readonly max: number } };
  readonly programs: { readonly [T in BuildTarget]?: BoundProgram };
};

/** A Program, with what each of its inputs, slots and outputs is, in their order. */
export type BoundProgram = {
  readonly program: Program;
  readonly inputs: readonly InputBinding[];
  readonly slots: readonly SlotBinding[];
  readonly outputs: readonly OutputBinding[];
};
export type InputBinding = { readonly from: 'input'; readonly index: number } | { readonly from: 'weight'; readonly key: string };
export type SlotBinding = { readonly from: 'number'; readonly index: number } | { readonly from: 'host'; readonly expr: HostExpr };
export type OutputBinding = { readonly to: 'result'; readonly index: number } | { readonly to: 'weight'; readonly key: string };
