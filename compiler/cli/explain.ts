// `fluxion explain`: what became of each compiled function of a program, and why it was recorded again.
import { watchFunctions } from '../inspect/compiled.ts';
import type { Invocation } from './arguments.ts';
import { styleOf } from './style.ts';
import { reportOn } from './subject.ts';

export async function explain(invocation: Invocation): Promise<number> {
  const functions = watchFunctions();
  return reportOn(invocation, () => {
    const found = functions.explanations();
    if (invocation.options.has('json')) return JSON.stringify({ functions: found }, undefined, 2);
    if (found.length === 0) return 'The program compiles no function; wrap one in compile().';
    const { heading } = styleOf(process.stdout);
    return found
      .map((explanation) => {
        const [head = '', ...lines] = String(explanation).split('\n');
        return [heading(head), ...lines].join('\n');
      })
      .join('\n\n');
  });
}
