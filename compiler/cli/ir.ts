// `fluxion ir`: the graphs of a program, as recorded or after a pass.
import { defaultTarget } from '../frontend/device.ts';
import { describeGraphs, stages } from '../inspect/index.ts';
import { type Invocation, UsageError } from './arguments.ts';
import { json } from './json.ts';
import { styleOf } from './style.ts';
import { reportOn } from './subject.ts';

export async function ir(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const stage = options.get('stage') ?? 'recorded';
  if (!stages.includes(stage)) throw new UsageError(`there is no stage '${stage}'; use ${stages.join(', ')}`);
  const target = defaultTarget();
  return reportOn(invocation, (programs) =>
    options.has('json') ? json(programs, target, stage) : describeGraphs(programs, target, stage, styleOf(process.stdout)).trimEnd(),
  );
}
