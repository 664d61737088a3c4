// The WGSL of a Program: one shader for each kernel and each way in which its launches bind buffers.
import type { Kernel } from '../../kernels/loop.ts';
import { emitShader } from '../../kernels/webgpu/emit.ts';
import { launchesOf, type Program, type ProgramShaders, type Shader } from '../../runtime/program.ts';
import { storageOf } from '../../runtime/webgpu/places.ts';

export function programShaders({ steps }: Pick<Program, 'steps'>, kernels: readonly Kernel[]): ProgramShaders {
  const modules: Shader[] = [];
  const known = new Map<string, number>();
  const ofLaunch = launchesOf(steps).map(({ launch }) => {
    const { places } = storageOf(launch.buffers);
    const key = `${launch.kernel} ${places.map((p) => `${p.buffer}${p.isShifted ? '+' : ''}`).join()}`;
    const shader = known.get(key) ?? modules.push(emitShader(kernels[launch.kernel]!, places)) - 1;
    known.set(key, shader);
    return shader;
  });
  return { modules, ofLaunch };
}
