// Prints every kernel that the compiler makes of the graphs and training steps beside this file, so that two commits can be compared by text.
import { readdirSync, readFileSync } from 'node:fs';
import { parseModule } from '../../compiler/ir/parse.ts';
import { onCompile } from '../../compiler/jit/structure.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { FluxionError } from '../../runtime/errors.ts';
import { launchesOf, type Program } from '../../runtime/program.ts';
import { jsTarget } from '../../runtime/target.ts';
import type { Step } from './steps.ts';

const folder = new URL('.', import.meta.url);

/** All that a change of the compiler can change: the code, what it is bound to, and where intermediates lie. */
function programText({ kernels, steps, arenaBytes, notes }: Program): string {
  const code = kernels.map(
    (k) => `-- ${k.name}(${k.params.join(', ')}) flops ${k.flops} read ${k.bytesRead} written ${k.bytesWritten}\n${k.source}`,
  );
  const calls = launchesOf(steps).map(({ launch: { kernel, buffers } }) => `launch ${kernels[kernel]!.name} ${JSON.stringify(buffers)}`);
  return [notes.fused, ...code, ...calls, `arena ${arenaBytes}`].join('\n');
}

/** What one of the commits refuses is a difference to be shown, not the end of the comparison. */
function attempt(make: () => string): string {
  try {
    return make();
  } catch (error) {
    if (error instanceof FluxionError) return `refused: ${error.message}`;
    throw error;
  }
}

for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith('.ir')) continue;
  for (const { name, graph } of parseModule(readFileSync(new URL(file, folder), 'utf8'), { file })) {
    console.log(`== ${file} @${name}\n${attempt(() => programText(compileGraph(graph, jsTarget)))}\n`);
  }
}

/** The Programs of two rounds of a step; the second round shows whether they serve again. */
function programsOf(make: () => Step): string {
  const programs: Program[] = [];
  const stop = onCompile(({ program }) => void programs.push(program));
  try {
    const step = make();
    for (let round = 0; round < 2; round++) step();
  } finally {
    stop();
  }
  return programs.map(programText).join('\n');
}

// Loaded here, so that a commit whose public names are others still shows the graphs above.
const { steps } = await import('./steps.ts');
for (const [name, make] of Object.entries(steps)) console.log(`== step ${name}\n${attempt(() => programsOf(make))}\n`);
