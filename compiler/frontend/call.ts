// What the intervals of a call have in common that is recorded to be done again without running the user's function.
import type { Node, Value } from '../ir/node.ts';
import type { Generator } from './random.ts';
import type { Interval } from './record.ts';
import type { Storage } from './storage.ts';

/** A read of host state (the `what` of `owner`), with what it gave. */
export type Guard = { readonly owner: object; readonly what: string; readonly read: () => unknown; readonly value: unknown };

/** A number that the host counts up as steps are taken: of an optimiser, a module, the draws of dropout. `owner` is its identity. */
export type HostCounter = {
  readonly owner: object;
  /** What names it beside its owner. */
  readonly name: string;
  readonly value: () => number;
};

/** For a call that is recorded ahead of time, to run where neither the function nor its host is. */
export type Ahead = {
  /** Throws: what was done cannot be part of such a call. */
  readonly refuse: (what: string, fix: string) => never;
  /** How often each counter was advanced so far, by owner. */
  readonly counts: Map<object, { readonly counter: HostCounter; times: number }>;
  /** Whether learning rates stay open, as counters that the caller sets. */
  readonly openRates: boolean;
  /** Takes assignments of the host's state back, the last first. */
  readonly back: (() => void)[];
};

export type Call = {
  /** In order; the last one is running. */
  readonly intervals: Interval[];
  /** Set for a call that is recorded ahead of time. */
  readonly ahead: Ahead | undefined;
  /** Whether every op is located. In a call that is known in part, only those that are not expected are. */
  readonly locates: boolean;
  /** Leaves that stand for values of the call's own, earlier intervals. */
  readonly origins: Map<Node, Value>;
  /** The storage that each leaf was read from first: a replay reads it anew. */
  readonly sources: Map<Node, Storage>;
  /** Leaves that stand for arguments which are views. */
  readonly views: ReadonlySet<Node>;
  /** Storages that were written, whenever they were made. */
  readonly written: Set<Storage>;
  /** Tensors whose values were used, and those that were made. */
  readonly used: Set<object>;
  readonly made: WeakSet<object>;
  /** Modules that were called, with the properties they had then. */
  readonly modules: Map<object, readonly (readonly [name: string, value: unknown])[]>;
  /** What random numbers were drawn from. */
  readonly generators: Set<Generator>;
  readonly touched: Interval['touched'];
  readonly gradients: Interval['gradients'];
  readonly guards: Guard[];
  /** Host state by owner that was read or assigned: from then on it is no longer what the call began with. */
  readonly decided: Map<object, Set<string>>;
};

export const newCall = (views: ReadonlySet<Node>, locates: boolean, ahead?: Ahead): Call => ({
  ahead,
  intervals: [],
  locates,
  origins: new Map(),
  sources: new Map(),
  views,
  written: new Set(),
  used: new Set(),
  made: new WeakSet(),
  modules: new Map(),
  generators: new Set(),
  touched: new Set(),
  gradients: new Map(),
  guards: [],
  decided: new Map(),
});
