// `fluxion doctor`: what this machine has, what is missing, and how to get it.
import { examine } from '../inspect/index.ts';
import type { Invocation } from './arguments.ts';
import { dataText } from './json.ts';
import { styleOf } from './style.ts';

const marks = { ok: '+', missing: '-', broken: '!' } as const;

export async function doctor({ options }: Invocation): Promise<number> {
  const findings = await examine();
  const { added, removed, aside } = styleOf(process.stdout);
  const width = Math.max(...findings.map(({ what }) => what.length));
  if (options.has('json')) console.log(dataText({ findings }));
  else
    for (const { what, state, detail, fix } of findings) {
      const line = `${marks[state]} ${what.padEnd(width)}  ${detail}`;
      console.log(state === 'ok' ? added(line) : state === 'broken' ? removed(line) : line);
      if (fix !== undefined) console.log(aside(`  ${''.padEnd(width)}  ${fix}`));
    }
  return findings.some(({ state }) => state === 'broken') ? 1 : 0;
}
