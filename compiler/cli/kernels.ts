// `fluxion kernels`: the generated code of a program, and what it costs.
import { describePrograms } from '../inspect/index.ts';
import type { Invocation } from './arguments.ts';
import { json } from './json.ts';
import { styleOf } from './style.ts';
import { reportOn } from './subject.ts';
import { retargeted } from './targets.ts';

export async function kernels(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const aimed = retargeted(invocation);
  return reportOn(invocation, (programs) =>
    options.has('json')
      ? json(aimed(programs))
      : describePrograms(aimed(programs), { style: styleOf(process.stdout), why: options.has('why') }).trimEnd(),
  );
}
