// `fluxion explain`: what became of each compiled function of a program, why it was recorded again, and why neighbours were not fused.
import { describeUnfused, unfusedOf, watchFunctions } from '../inspect/index.ts';
import type { Invocation } from './arguments.ts';
import { dataText } from './json.ts';
import { styleOf } from './style.ts';
import { reportOn } from './subject.ts';

export async function explain(invocation: Invocation): Promise<number> {
  const functions = watchFunctions();
  return reportOn(invocation, (programs) => {
    functions.stop();
    const found = functions.explanations();
    if (invocation.options.has('json'))
      return dataText({ functions: found, programs: programs.map((p) => ({ name: p.name, unfused: unfusedOf(p) })) });
    const style = styleOf(process.stdout);
    const texts = found.map((explanation) => {
      const [head = '', ...lines] = String(explanation).split('\n');
      return [style.heading(head), ...lines].join('\n');
    });
    if (texts.length === 0) texts.push('The program compiles no function; wrap one in compile().');
    return [...texts, ...programs.map((p) => describeUnfused(p, style).trimEnd())].join('\n\n');
  });
}
