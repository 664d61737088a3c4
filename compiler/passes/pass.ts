// What a pass is: a named pure function from a graph and a target to a better graph.
import type { Target } from '../../runtime/target.ts';
import type { Graph } from '../ir/node.ts';

export type PassContext = {
  readonly target: Target;
  /** Collects why something was not done (two neighbours not fused), for `explain`. */
  readonly note: (text: string) => void;
  /** Collects the names of rewrite rules as they fire. */
  readonly fired: (rule: string) => void;
};

export type Pass = {
  readonly name: string;
  /** Passes that must have run before, each with the reason. */
  readonly after: Readonly<Record<string, string>>;
  /** Whether running it twice gives what running it once gives; tests hold passes to it. */
  readonly idempotent: boolean;
  /** Whether a graph that skips it still compiles (`FLUXION_DISABLE=name`). */
  readonly optional: boolean;
  readonly run: (graph: Graph, context: PassContext) => Graph;
};

export const silent = (target: Target): PassContext => ({ target, note: () => {}, fired: () => {} });
