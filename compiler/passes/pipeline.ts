// The passes in their order. What must come before what, and why, stands in each pass and is checked here at start.
import { ArgumentError, InternalError } from '../../runtime/errors.ts';
import type { Target } from '../../runtime/target.ts';
import { recordWith } from '../ir/builder.ts';
import type { Graph } from '../ir/node.ts';
import { cse } from './cse.ts';
import { dce } from './dce.ts';
import { decompose } from './decompose.ts';
import { fuse } from './fuse/fuse.ts';
import { mergeScans } from './merge-scans.ts';
import type { Pass, PassContext } from './pass.ts';
import { patterns } from './patterns.ts';
import { throughRegions } from './regions.ts';
import { simplify } from './simplify/simplify.ts';
import { unroll } from './unroll.ts';

/** The same rules again, on what came out of composites. */
const simplifyBodies: Pass = {
  ...simplify,
  name: 'simplifyBodies',
  after: { decompose: 'bodies of composites are simplified where they stand' },
};

export const pipeline: readonly Pass[] = [simplify, patterns, decompose, simplifyBodies, mergeScans, cse, unroll, dce, fuse].map(
  throughRegions,
);

/** Throws where a pass stands before one that it must follow. */
export function checkOrder(passes: readonly Pass[]): void {
  const before = new Set<string>();
  for (const pass of passes) {
    if (before.has(pass.name)) throw new InternalError(`pipeline: two passes are called '${pass.name}'`);
    for (const [name, reason] of Object.entries(pass.after)) {
      const isLater = passes.some((p) => p.name === name) && !before.has(name);
      if (isLater) throw new InternalError(`pipeline: '${pass.name}' must run after '${name}': ${reason}`);
    }
    before.add(pass.name);
  }
}
checkOrder(pipeline);

export type PipelineOptions = {
  /** Names of optional passes to skip. */
  readonly disable?: readonly string[];
  /** The last pass to run. */
  readonly until?: string;
  /** Called after each pass with its result and the milliseconds that it took. */
  readonly onPass?: (name: string, graph: Graph, ms: number) => void;
  /** Told why something was not done. */
  readonly note?: (text: string) => void;
  /** Told the name of each rewrite rule that fires. */
  readonly fired?: (rule: string) => void;
};

const nothing = (): void => {};

/** Runs all passes. Nodes are built unrecorded. */
export function runPipeline(graph: Graph, target: Target, options: PipelineOptions = {}): Graph {
  const disabled = new Set(options.disable);
  checkNames(disabled);
  const context: PassContext = { target, note: options.note ?? nothing, fired: options.fired ?? nothing };
  const recorder = recordWith(undefined);
  try {
    let result = graph;
    for (const pass of pipeline) {
      if (disabled.has(pass.name)) continue;
      const start = performance.now();
      result = pass.run(result, context);
      options.onPass?.(pass.name, result, performance.now() - start);
      if (pass.name === options.until) break;
    }
    return result;
  } finally {
    recordWith(recorder);
  }
}

function checkNames(disabled: ReadonlySet<string>): void {
  for (const name of disabled) {
    const pass = pipeline.find((p) => p.name === name);
    const names = pipeline.filter((p) => p.optional).map((p) => p.name);
    if (pass?.optional !== true)
      throw new ArgumentError(`${pass === undefined ? 'there is no' : 'nothing compiles without the'} pass '${name}'`, {
        op: 'disable',
        fix: `one may skip ${names.join(', ')}`,
      });
  }
}
