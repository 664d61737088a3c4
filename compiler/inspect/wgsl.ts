// The WGSL of a Program, with the kernel that each shader belongs to.
import { launchesOf, type Program } from '../../runtime/program.ts';

/** For each kernel its shaders: one for each way in which its launches bind buffers. Undefined for a Program that has none. */
export function shaderTexts({ shaders, kernels, steps }: Program): readonly (readonly string[])[] | undefined {
  if (shaders === undefined) return undefined;
  const owned = kernels.map(() => new Set<string>());
  for (const [i, { launch }] of launchesOf(steps).entries())
    owned[launch.kernel]!.add(shaders.modules[shaders.ofLaunch[i]!]!.source.trimEnd());
  return owned.map((sources) => [...sources]);
}
