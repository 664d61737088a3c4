// A compilation taken apart: the graph after each pass with the rules that fired, and each launch with its nest before and after scheduling.
import type { Kernel } from '../../kernels/loop.ts';
import type { Program } from '../../runtime/program.ts';
import type { Graph, NodeOf } from '../ir/node.ts';
import { environment } from '../jit/environment.ts';
import { compileGraph } from '../lower/compile.ts';
import type { Inspected } from './programs.ts';

export type Stage = {
  /** `recorded`, or the name of the pass that ended with this graph. */
  readonly name: string;
  readonly graph: Graph;
  readonly ms: number;
  /** How often each rewrite rule fired in the pass. */
  readonly rules: ReadonlyMap<string, number>;
};

export type Launched = {
  readonly node: NodeOf<'kernel'>;
  /** As lowered, and as emitted. */
  readonly nest: Kernel;
  readonly scheduled: Kernel;
};

export type Anatomy = { readonly program: Program; readonly stages: readonly Stage[]; readonly launches: readonly Launched[] };

const known = new WeakMap<Inspected, Anatomy>();

/** Compiles the graph once more, and keeps what there was on the way. */
export function anatomyOf(inspected: Inspected): Anatomy {
  const before = known.get(inspected);
  if (before !== undefined) return before;
  const { name, graph, target, sizes } = inspected;
  const stages: Stage[] = [];
  const launches: Launched[] = [];
  let rules = new Map<string, number>();
  const program = compileGraph(graph, target, {
    name,
    sizes,
    disable: environment('FLUXION_DISABLE'),
    onRule: (rule) => rules.set(rule, (rules.get(rule) ?? 0) + 1),
    onStage(stage, result, ms) {
      stages.push({ name: stage, graph: result, ms, rules });
      rules = new Map();
    },
    onKernel: (node, nest, scheduled) => launches.push({ node, nest, scheduled }),
  });
  const anatomy: Anatomy = { program, stages, launches };
  known.set(inspected, anatomy);
  return anatomy;
}
