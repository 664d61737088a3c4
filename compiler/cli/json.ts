// What `--json` prints for graphs and kernels: the same data for both commands.
import { graphAt, type Inspected, type ProgramReport, reportOf } from '../inspect/index.ts';
import { print } from '../ir/print.ts';

/** `graph` is the text of each graph after `stage`. */
export function json(programs: readonly Inspected[], stage = 'recorded'): string {
  const reports = programs.map(
    ({ name, graph, program, target }): ProgramReport => reportOf(program(), name, print(graphAt(graph, target, stage), { name })),
  );
  return dataText({ programs: reports });
}

export const dataText = (data: unknown): string => JSON.stringify(data, undefined, 2);
