// `fluxion memory`: where intermediates lie while a program runs, and what waits for backward.
import { describeMemory, memoryOf } from '../inspect/index.ts';
import type { Invocation } from './arguments.ts';
import { dataText } from './json.ts';
import { styleOf } from './style.ts';
import { reportOn } from './subject.ts';

export async function memory(invocation: Invocation): Promise<number> {
  return reportOn(invocation, (programs) => {
    const reports = programs.map(memoryOf);
    if (invocation.options.has('json')) return dataText({ programs: reports });
    return reports
      .map((report) => describeMemory(report, styleOf(process.stdout)))
      .join('\n')
      .trimEnd();
  });
}
