// What a built module carries, as plain data: its entries and weights, and for each target its Programs and what their ports are tied to.
import type { DType } from '../dtype.ts';
import { bytesOfBase64 } from '../executable.ts';
import type { HostExpr } from '../host.ts';
import type { Program, WasmModule } from '../program.ts';
import { hashBytes } from './hash.ts';

/** Of the data below; a module that was built for another one is refused. */
export const artifactVersion = 1;

/** A dimension that is open has a name, and bounds that a call is held to. */
export type Dim = number | { readonly dim: string; readonly min: number; readonly max: number };

export type InputPort = { readonly name: string; readonly dtype: DType; readonly shape: readonly Dim[] };

/** An argument: a tensor or a number by its index among those of the entry, or lists and records of such. */
export type ArgumentTree =
  | { readonly kind: 'tensor'; readonly index: number }
  | { readonly kind: 'number'; readonly index: number }
  | { readonly kind: 'list'; readonly items: readonly ArgumentTree[] }
  | { readonly kind: 'record'; readonly keys: readonly string[]; readonly items: readonly ArgumentTree[] };

export type ResultTree =
  /** `shape`, of which formulas stand for what is open, is for those who show results. */
  | { readonly kind: 'tensor'; readonly index: number; readonly shape: readonly (number | string)[] }
  | { readonly kind: 'list'; readonly items: readonly ResultTree[] }
  | { readonly kind: 'record'; readonly keys: readonly string[]; readonly items: readonly ResultTree[] }
  /** What is no tensor is the same in every call. */
  | { readonly kind: 'static'; readonly value?: string | number | boolean | null | undefined };

export type Entry = {
  readonly name: string;
  readonly inputs: readonly InputPort[];
  readonly numbers: readonly string[];
  readonly parameters: readonly { readonly name: string; readonly tree: ArgumentTree }[];
  readonly result: ResultTree;
  /** What counters, by index, are after a call that succeeds; computed, like the slots, of what they were before. */
  readonly advances: readonly { readonly counter: number; readonly to: HostExpr<number> }[];
};

export type Weight = {
  readonly key: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Where its elements begin in the module's own file, in bytes. */
  readonly at: number;
  /** Stored there as half-precision numbers, or as int8, each row of which is to be multiplied by one of the float32 numbers at `scaleAt`. */
  readonly stored?: 'f16' | { readonly scaleAt: number };
};

export type Description = {
  readonly version: number;
  /** Of the whole description but for this. */
  readonly hash: string;
  readonly name: string;
  readonly entries: readonly Entry[];
  readonly weights: readonly Weight[];
  /** The module's own file of weights, a safetensors file. */
  readonly file: { readonly bytes: number; readonly hash: string };
  /** Host numbers that calls advance, with their first values. */
  readonly counters: readonly { readonly key: string; readonly value: number }[];
};

/** A slot is one of the call's numbers, or an expression over counters. */
export type Slot = { readonly number: number } | { readonly host: HostExpr<number> };

/** A Program and what its ports are tied to: an index of the call's inputs or results, or `~index` of a weight. */
export type Variant = {
  /** The least and the greatest size of each open dimension that it is for. */
  readonly sizes: readonly (readonly [dim: string, min: number, max: number])[];
  readonly program: PackedProgram;
  readonly inputs: readonly number[];
  readonly slots: readonly Slot[];
  readonly outputs: readonly number[];
};

/** For one target the variants of each entry. */
export type TargetData = { readonly version: number; readonly hash: string; readonly entries: readonly (readonly Variant[])[] };

/** A Program without what only inspection reads, and without code that stands beside it; of kernels the name and the number of buffers. */
export type PackedProgram = Omit<Program, 'notes' | 'kernels' | 'module'> & {
  readonly kernels: readonly (readonly [name: string, buffers: number])[];
  /** Without its bytes, of which the hash is here. */
  readonly module?: Omit<WasmModule, 'base64'> & { readonly hash: string };
};

export function packProgram({ notes: _, kernels, module, ...rest }: Program): PackedProgram {
  const packed = { ...rest, kernels: kernels.map(({ name, params }) => [name, params.length - 2] as const) };
  if (module === undefined) return packed;
  const { base64, ...facts } = module;
  return { ...packed, module: { ...facts, hash: hashBytes(bytesOfBase64(base64)) } };
}

export function unpackProgram({ kernels, module, ...rest }: PackedProgram): Program {
  return {
    ...rest,
    kernels: kernels.map(([name, buffers]) => ({
      name,
      source: '',
      params: new Array<string>(buffers + 2).fill(''),
      flops: 0,
      bytesRead: 0,
      bytesWritten: 0,
      origin: [],
    })),
    notes: { graph: '', fused: '', unfused: [] },
    ...(module === undefined ? {} : { module: { ...module, base64: '' } }),
  };
}
