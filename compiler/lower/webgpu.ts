// The WGSL of a Program: one shader for each kernel and each way in which its launches bind buffers.
import type { Kernel } from '../../kernels/loop.ts';
import { emitShader } from '../../kernels/webgpu/emit.ts';
import { DeviceError } from '../../runtime/errors.ts';
import { launchesOf, type Program, type ProgramShaders, type Shader, type Step } from '../../runtime/program.ts';
import { storageOf } from '../../runtime/webgpu/places.ts';

export function programShaders({ name, steps }: Pick<Program, 'name' | 'steps'>, kernels: readonly Kernel[]): ProgramShaders {
  refuseTests(name, steps);
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

/** What is launched cannot depend on what is computed: the whole Program is submitted at once. */
function refuseTests(program: string, steps: readonly Step[]): void {
  for (const step of steps) {
    switch (step.kind) {
      case 'launch':
        break;
      case 'repeat':
        refuseTests(program, step.body);
        break;
      case 'branch':
      case 'while':
        throw new DeviceError(`${program} tests on the way what it computed, which webgpu does not do`, {
          op: step.kind === 'branch' ? 'cond' : 'whileLoop',
          fix: "run it on the device 'wasm'",
        });
      default:
        step satisfies never;
    }
  }
}
