// What FLUXION_LOG asks to be shown, on the error stream: `passes`, the graph after each pass; `kernels`, the code; `fusion`, why
// neighbours were not fused; `memory`, the arena; `guards`, what a compiled function was recorded for; `retraces`, why one is recorded again; `cache`, what is taken from disk.
import { ArgumentError } from '../../runtime/errors.ts';
import type { Program } from '../../runtime/program.ts';
import type { Graph } from '../ir/node.ts';
import { print } from '../ir/print.ts';
import { environment } from './environment.ts';

const subjects = ['guards', 'retraces', 'passes', 'fusion', 'kernels', 'memory', 'cache'] as const;
type Subject = (typeof subjects)[number];

/** Reads the variable anew, so that a program may set it on its way. Throws ArgumentError for what cannot be shown. */
export function isWanted(subject: Subject): boolean {
  const wanted = environment('FLUXION_LOG');
  const unknown = wanted.find((name) => !(subjects as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new ArgumentError(`there is no log of '${unknown}'`, { op: 'FLUXION_LOG', fix: `ask for ${subjects.join(', ')}` });
  return wanted.includes(subject);
}

export function logged(subject: Subject, text: () => string): void {
  if (isWanted(subject)) console.error(text());
}

export function logStage(stage: string, graph: Graph): void {
  if (isWanted('passes')) console.error(`${print(graph, { name: stage })}\n`);
}

/** What there is to tell of a Program once it is compiled. */
export function logProgram({ kernels, notes, arenaBytes, liveBytes }: Program): void {
  logged('fusion', () => ['not fused:', ...notes.unfused.map((reason) => `  ${reason}`)].join('\n'));
  if (isWanted('kernels'))
    for (const { name, params, source } of kernels) console.error(`function ${name}(${params.join(', ')}) {\n${source}}\n`);
  logged('memory', () => `arena ${arenaBytes} bytes, lower bound ${liveBytes} bytes, kernels: ${kernels.length}`);
}
