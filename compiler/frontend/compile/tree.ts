// What compile() keeps of a function: for each specialisation a tree of segments, which branches where the function looked at a number.
import type { Buffer } from '../../../runtime/buffer.ts';
import type { DType, TypedArray } from '../../../runtime/dtype.ts';
import type { Target } from '../../../runtime/target.ts';
import type { Aval } from '../../ir/aval.ts';
import type { Part, Structure, ValueId } from '../../jit/structure.ts';
import type { View } from '../handle.ts';
import type { Rest } from '../pytree.ts';
import type { Generator } from '../random.ts';
import type { HostAction } from '../record.ts';
import type { Storage } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import type { Layout } from '../view.ts';
import type { Open } from './sizes.ts';

/**
 * Tensors that a call *finds* are numbered: its arguments, and after them the gradients that it meets on its way through the tree.
 * What else it reads it has captured.
 */
export type FoundIndex = number;

/** Whose gradient: a found tensor's, or a captured one's. */
export type Owner = { readonly found: FoundIndex } | { readonly tensor: Tensor };

/** A number of the user's, or one that the library reads anew. */
export type NumberSource = number | (() => number);

/** Where a replay gets a value. */
export type Source =
  | { readonly kind: 'found'; readonly index: FoundIndex }
  /** What an argument that is a view shows. */
  | { readonly kind: 'view'; readonly index: FoundIndex }
  | { readonly kind: 'capture'; readonly storage: Storage }
  | { readonly kind: 'draw'; readonly draw: () => TypedArray; readonly dtype: DType }
  | { readonly kind: 'constant'; readonly buffer: Buffer }
  | { readonly kind: 'number'; readonly number: NumberSource; readonly dtype: DType }
  /** A number that a segment has read already: its `ordinal`-th. */
  | { readonly kind: 'slot'; readonly depth: number; readonly ordinal: number; readonly dtype: DType }
  /** Of this segment or one before, by how deep it lies. */
  | { readonly kind: 'computed'; readonly depth: number; readonly id: ValueId };

/** The recording between two looks at numbers. */
export type Segment = {
  readonly depth: number;
  /** Checked before the segment is entered. */
  readonly guards: Guards;
  /** Undefined where nothing was recorded. */
  readonly structure: Structure | undefined;
  /** By leaf of the structure. */
  readonly leaves: readonly Source[];
  /** What ran when it was recorded. */
  readonly ran: readonly ValueId[];
  /** Values that this or later segments, results and state are made of. More may come with each new branch. */
  readonly needs: Set<ValueId>;
  readonly actions: readonly HostAction[];
  /** How to run it, for the needs that were known. */
  plan: Plan | undefined;
  end: End;
};

export type End =
  /** fn looked at a number: what comes next depends on it. */
  | { readonly kind: 'branch'; readonly observed: Source; readonly at: string | undefined; readonly branches: Branch[] }
  | { readonly kind: 'finish'; readonly finish: Finish }
  /** From here on fn runs on every call, as ordinary recording. */
  | { readonly kind: 'open'; readonly why: string; readonly at: string | undefined; readonly fix: string | undefined };
export type Branch = { readonly value: number; segment: Segment };

/** A part of the segment's structure, with what its inputs, numbers and outputs are. */
export type Plan = {
  readonly part: Part;
  readonly roots: readonly ValueId[];
  readonly inputs: readonly Source[];
  /** Of every slot, used or not: some count how often they are read. `passed` are those that the Program takes. */
  readonly numbers: readonly (Source & { readonly kind: 'number' | 'slot' })[];
  readonly passed: readonly number[];
  /** Who takes over the outputs, for the last segment. */
  readonly keepers: readonly (Keeper | undefined)[];
  /** How many needs it covers. */
  readonly covers: number;
};

/** Where a value goes when the call is over. */
export type Place =
  | { readonly kind: 'fresh'; readonly slot: number }
  | { readonly kind: 'found'; readonly index: FoundIndex }
  | { readonly kind: 'capture'; readonly storage: Storage };

/** Who alone holds an output in the end: then the buffer that its value before last left behind can take the next one. */
export type Keeper = { readonly storage: Storage } | { readonly gradientOf: Owner };

export type Stored = { readonly place: Place; readonly value: Source; readonly aval: Aval };

/** A tensor that fn returned or left behind. */
export type Produced =
  | { readonly kind: 'found'; readonly index: FoundIndex }
  | { readonly kind: 'captured'; readonly tensor: Tensor }
  | {
      readonly kind: 'made';
      readonly place: Place;
      readonly layout: Layout;
      readonly view: { readonly of: Omit<View, 'base' | 'version'>; readonly base: Produced } | undefined;
      /** For tensors with a history: which output of the backward function. */
      readonly output: number | undefined;
      readonly wantsGrad: boolean;
      /** Equal numbers are one tensor. */
      readonly identity: number;
    };
export type Made = Extract<Produced, { kind: 'made' }>;

/** The last phase of a call: state is written, results are made. */
export type Finish = {
  readonly stored: readonly Stored[];
  readonly gradients: readonly { readonly of: Owner; readonly gradient: Produced | null }[];
  readonly results: readonly Produced[];
  readonly rest: Rest;
  readonly fresh: number;
  readonly backward: Backward | undefined;
};

/** The derivative of a call whose results require grad: a Program of its own, over what the segments leave for it. */
export type Backward = {
  readonly structure: Structure;
  readonly roots: readonly ValueId[];
  /** By leaf of the structure; a number stands for the gradient of that output. */
  readonly leaves: readonly (Source | number)[];
  readonly shapes: readonly (readonly number[])[];
  /** How many outputs the function has. */
  readonly outputs: number;
  /** Outputs that the call itself went backward from, without keeping the graph. */
  readonly spent: ReadonlySet<number>;
  /** Into what the gradients flow: as which root (undefined: nothing does); and where there are several outputs, as which from each alone. */
  readonly inputs: readonly { readonly of: Owner; readonly root: number | undefined; readonly alone: readonly (number | undefined)[] }[];
};

/** A gradient that fn looked at before it wrote it; one that is there is found from then on. */
export type GradientGuard = {
  readonly of: Owner;
  readonly present: boolean;
  readonly requiresGrad: boolean;
  /** The first found tensor with the same storage. */
  readonly alias: FoundIndex;
};
export type CapturedGuard = {
  readonly tensor: Tensor;
  readonly dtype: DType;
  readonly device: Buffer['place'];
  readonly requiresGrad: boolean;
  /** The found tensor that shares its storage. */
  readonly alias: FoundIndex | undefined;
};
export type StateGuard = {
  readonly owner: object;
  readonly what: string;
  readonly read: () => unknown;
  readonly value: unknown;
};

/** What a segment relies on beyond the segments before it. */
export type Guards = {
  readonly gradients: readonly GradientGuard[];
  readonly captured: readonly CapturedGuard[];
  readonly state: readonly StateGuard[];
  /** Storages that no found tensor may share. */
  readonly apart: ReadonlySet<Storage>;
  /** Number of found tensors before and after the gradients. */
  readonly from: number;
  readonly to: number;
};

export type ArgumentGuard = {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly requiresGrad: boolean;
  readonly isView: boolean;
  readonly device: Buffer['place'];
  /** The first argument with the same storage. */
  readonly alias: number;
  /** The tensor itself, where it is state: the function may have captured it as well, as it would not have captured another one. */
  readonly itself: Tensor | undefined;
};

export type Specialisation = {
  readonly target: Target;
  readonly gradMode: boolean;
  readonly inference: boolean;
  readonly rest: Rest;
  readonly arguments: readonly ArgumentGuard[];
  readonly generators: Set<Generator>;
  /** The sizes that it serves, if several. */
  readonly open?: Open;
  /** The one for several sizes that was made of this one, which was recorded at the first of them. */
  opened?: Specialisation;
  /** Why it serves one size alone, though others of the same arguments were seen. */
  readonly closed?: string;
  root: Segment;
  segments: number;
  /** Room for the tensors that a call finds; empty between calls. */
  readonly found: (Tensor | undefined)[];
};
