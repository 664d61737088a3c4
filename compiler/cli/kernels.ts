// `fluxion kernels`: the generated code of a program, and what it costs.
import { defaultTarget } from '../frontend/device.ts';
import { describePrograms } from '../inspect/index.ts';
import type { Invocation } from './arguments.ts';
import { json } from './json.ts';
import { styleOf } from './style.ts';
import { reportOn } from './subject.ts';

export async function kernels(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  return reportOn(invocation, (programs) =>
    options.has('json')
      ? json(programs, defaultTarget())
      : describePrograms(programs, { style: styleOf(process.stdout), why: options.has('why') }).trimEnd(),
  );
}
