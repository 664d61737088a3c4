// The WebGPU device of this process: found by waiting, once, and then there for everybody.
import { DeviceError, DeviceLostError } from '../../runtime/errors.ts';
import { makeMachine, openDevice, openMachine, replaceDevice } from '../../runtime/webgpu/machine.ts';
import type { Machine } from '../../runtime/webgpu/state.ts';
import { hostRoutine } from './routines.ts';

let machine: Machine | undefined;
let opening: Promise<Machine> | undefined;

/** Opens the device, or takes over `device`; a second call waits for the first. Throws DeviceError where there is no adapter. */
export async function openWebGpu(device?: GPUDevice): Promise<void> {
  if (device !== undefined && machine?.device !== device) {
    if (machine !== undefined) throw new DeviceError('webgpu has a device already', { op: 'init', fix: 'give yours before anything runs' });
    machine = makeMachine(device, hostRoutine);
  }
  if (machine !== undefined) return;
  opening ??= findGpu().then((gpu) => openMachine(gpu, hostRoutine));
  try {
    machine = await opening;
  } finally {
    opening = undefined;
  }
}

export const isWebGpuOpen = (): boolean => machine !== undefined;

/** Another device in the place of the one that was lost; nothing where it works. */
export async function reopenWebGpu(device?: GPUDevice): Promise<void> {
  const m = webgpuMachine();
  if (!(m.broken instanceof DeviceLostError)) return;
  replaceDevice(m, device ?? (await openDevice(await findGpu())));
}

/** The device. Throws DeviceError, which names what to await, before it is open. */
export function webgpuMachine(): Machine {
  if (machine === undefined)
    throw new DeviceError('the device webgpu is not open yet: finding an adapter takes a wait', {
      op: 'webgpu',
      fix: "call await init('webgpu') first",
    });
  return machine;
}

/** Where this process gets adapters from: the browser, or in Node the optional package `webgpu`. Undefined where neither is there. */
export async function findGpu(): Promise<GPU | undefined> {
  return (globalThis.navigator as { gpu?: GPU } | undefined)?.gpu ?? (await dawn());
}

/** Dawn ends the process if what `create` gives is collected. */
const kept = globalThis as { fluxionDawn?: GPU };

async function dawn(): Promise<GPU | undefined> {
  if (kept.fluxionDawn !== undefined) return kept.fluxionDawn;
  if (globalThis.process?.versions?.node === undefined) return undefined;
  // Not a constant, so that no bundler looks for it.
  const name = 'webgpu';
  let create: (flags: readonly string[]) => GPU;
  try {
    ({ create } = await import(/* @vite-ignore */ /* webpackIgnore: true */ name));
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
  kept.fluxionDawn = create([]);
  return kept.fluxionDawn;
}
