// Collects the graphs that are compiled while it watches, each distinct one once, with the Programs that came of them.
import type { Program } from '../../runtime/program.ts';
import type { Target } from '../../runtime/target.ts';
import { type Graph, graphHash, sameGraph } from '../ir/node.ts';
import { environment } from '../jit/environment.ts';
import { onCompile } from '../jit/structure.ts';
import { compileGraph, type SizeRange } from '../lower/compile.ts';

/** A graph, what it was compiled for, and its Program, which a graph that came as text has only when it is asked for. */
export type Inspected = {
  readonly name: string;
  readonly graph: Graph;
  readonly target: Target;
  /** Bounds of the sizes that are open in the graph. */
  readonly sizes: readonly SizeRange[];
  readonly program: () => Program;
};

/** Graphs compiled since `watch`, in order. Equal ones count once: the same recipe may be cut out of several recordings. */
export type Watch = { readonly programs: () => readonly Inspected[]; readonly stop: () => void };

export function watch(): Watch {
  const seen = new Map<number, Inspected[]>();
  const programs: Inspected[] = [];
  const stop = onCompile(({ program }, graph, target) => {
    const hash = graphHash(graph);
    const alike = seen.get(hash) ?? [];
    if (alike.some((other) => other.target === target && sameGraph(other.graph, graph))) return;
    const inspected: Inspected = {
      name: `program${programs.length + 1}`,
      graph,
      target,
      sizes: program.sizes ?? [],
      program: () => program,
    };
    seen.set(hash, [...alike, inspected]);
    programs.push(inspected);
  });
  return { programs: () => programs, stop };
}

/** A graph that nobody has compiled yet, or not for this target. */
export function inspectedGraph(name: string, graph: Graph, target: Target, sizes: readonly SizeRange[] = []): Inspected {
  let program: Program | undefined;
  return {
    name,
    graph,
    target,
    sizes,
    program: () => (program ??= compileGraph(graph, target, { name, sizes, disable: environment('FLUXION_DISABLE') })),
  };
}
