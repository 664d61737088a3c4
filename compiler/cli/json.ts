// What `--json` prints: the same data for every command of inspection.
import type { Target } from '../../runtime/target.ts';
import { graphAt, type Inspected, type ProgramReport, reportOf } from '../inspect/index.ts';
import { print } from '../ir/print.ts';

/** `graph` is the text of each graph after `stage`. */
export function json(programs: readonly Inspected[], target: Target, stage = 'recorded'): string {
  const reports = programs.map(
    ({ name, graph, program }): ProgramReport => reportOf(program(), name, print(graphAt(graph, target, stage), { name })),
  );
  return JSON.stringify({ programs: reports }, undefined, 2);
}
