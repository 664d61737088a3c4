// `fluxion bisect`: whether what a program computes agrees with the reference, and if not, which pass is to blame.
import { bisect, describeVerdict, keepRuns, seededData, type Verdict } from '../inspect/index.ts';
import type { Invocation } from './arguments.ts';
import { dataText } from './json.ts';
import { reportOn } from './subject.ts';

export async function bisectCommand(invocation: Invocation): Promise<number> {
  const runs = keepRuns();
  return reportOn(invocation, (programs) => {
    runs.stop();
    const verdicts = programs.map(({ name, graph, target }): { name: string } & Verdict => {
      const ran = runs.firstOf(graph) ?? { graph, data: seededData(graph) };
      return { name, ...bisect(ran.graph, target, ran.data) };
    });
    if (verdicts.some(({ kind }) => kind !== 'agrees')) process.exitCode = 1;
    if (invocation.options.has('json')) return dataText({ programs: verdicts });
    return verdicts.map((verdict, i) => describeVerdict(verdict.name, programs[i]!.graph, verdict)).join('\n');
  });
}
