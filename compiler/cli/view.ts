// `fluxion view`: all that inspection knows of a program, in one HTML file.
import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { defaultTarget } from '../frontend/device.ts';
import { type LayoutLibrary, measureGpuLimits, measureLimits, startProfile, timingOf, viewPage } from '../inspect/index.ts';
import { type Invocation, UsageError } from './arguments.ts';
import { runOnSeeds, write } from './profile.ts';
import { reportOn, subjectOf } from './subject.ts';
import { chooseDevice } from './targets.ts';

export async function view(invocation: Invocation): Promise<number> {
  const { path } = subjectOf(invocation);
  const name = basename(path);
  const out = invocation.options.get('out') ?? `${name.slice(0, name.length - extname(name).length)}.html`;
  const layout = await layoutLibrary();
  await chooseDevice(invocation);
  const profiler = startProfile();
  const onGpu = await measureGpuLimits(profiler);
  return reportOn(invocation, (programs) => {
    if (onGpu === undefined && profiler.runs().length === 0) for (const p of programs) runOnSeeds(p, profiler);
    profiler.stop();
    const runs = [...profiler.runs()];
    const timing = timingOf(programs, runs, onGpu ?? measureLimits(profiler, programs[0]?.target ?? defaultTarget()));
    const source = extname(path) === '.ir' ? undefined : { name, text: readFileSync(path, 'utf8') };
    write(out, viewPage({ title: name, programs, source, runs, timing, layout }));
    return `${out} shows ${programs.length === 1 ? 'one Program' : `${programs.length} Programs`}; it needs no server`;
  });
}

/** The one package that only this command wants: it is no dependency of ours, so that nobody else installs it. */
async function layoutLibrary(): Promise<LayoutLibrary> {
  const name = '@dagrejs/dagre';
  try {
    return await import(name);
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError(`view lays graphs out with ${name}; run \`npm install --save-dev ${name}\``);
  }
}
