// Opens WebGPU devices, and another one where one was lost.
import { DeviceError, DeviceLostError, OutOfMemoryError } from '../errors.ts';
import { perform } from './jobs.ts';
import { forget, type GpuBlock, readBlock, readStatus, recycle } from './memory.ts';
import { type HostRoutine, type Machine, newBuffer, usage } from './state.ts';

const howToGet = "in Node install the package 'webgpu' and a Vulkan driver; in a browser use one with WebGPU";

/** Bytes of live tensors from which on unreachable ones are looked for. */
const sweepFrom = 512 << 20;

/** A device of the best adapter that `gpu` offers. Throws DeviceError where there is none. */
export async function openDevice(gpu: GPU | undefined): Promise<GPUDevice> {
  const adapter = await gpu?.requestAdapter();
  if (adapter == null) throw new DeviceError('there is no WebGPU adapter', { op: 'webgpu', fix: howToGet });
  const { maxStorageBuffersPerShaderStage, maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
  const requiredFeatures: GPUFeatureName[] = adapter.features.has('timestamp-query') ? ['timestamp-query'] : [];
  try {
    return await adapter.requestDevice({
      requiredFeatures,
      requiredLimits: { maxStorageBuffersPerShaderStage, maxStorageBufferBindingSize, maxBufferSize },
    });
  } catch (cause) {
    throw new DeviceError(`the WebGPU adapter gives no device: ${String(cause)}`, { op: 'webgpu', fix: howToGet, cause });
  }
}

export const openMachine = async (gpu: GPU | undefined, routineOf?: Machine['routineOf']): Promise<Machine> =>
  makeMachine(await openDevice(gpu), routineOf);

export function makeMachine(device: GPUDevice, routineOf: (name: string) => HostRoutine | undefined = () => undefined): Machine {
  const m: Machine = {
    device,
    generation: 0,
    home: {
      name: 'webgpu',
      read: (block) => readBlock(m, block as GpuBlock),
      release: (block) => recycle(m, block as GpuBlock),
    },
    status: statusOf(device),
    failures: [],
    routineOf,
    arena: undefined,
    arenas: 0,
    pipelines: new Map(),
    jobs: [],
    isBusy: false,
    draining: undefined,
    raised: undefined,
    idle: new Map(),
    idleBytes: 0,
    blocks: new Set(),
    liveBytes: 0,
    sweepFrom,
    registry: new FinalizationRegistry((block) => recycle(m, block)),
    broken: undefined,
  };
  watch(m, device);
  return m;
}

const statusOf = (device: GPUDevice): GPUBuffer =>
  device.createBuffer({ label: 'status', size: 16, usage: usage.storage | usage.copyFrom | usage.copyTo });

function watch(m: Machine, device: GPUDevice): void {
  device.addEventListener('uncapturederror', ({ error }) => {
    const isMemory = error.constructor.name === 'GPUOutOfMemoryError';
    if (m.device === device)
      m.broken ??= new (isMemory ? OutOfMemoryError : DeviceError)(`WebGPU refused a call: ${error.message}`, { op: 'webgpu' });
  });
  void device.lost.then(({ reason, message }) => {
    if (m.device === device) m.broken = new DeviceLostError(reason, message);
  });
}

/**
 * Puts `device` in the place of one that was lost. What tensors had on the host is uploaded again when it is used; what lay on the lost
 * device alone is gone, and those tensors say so.
 */
export function replaceDevice(m: Machine, device: GPUDevice): void {
  m.device = device;
  m.generation++;
  m.status = statusOf(device);
  m.arena = undefined;
  m.pipelines.clear();
  m.jobs.length = 0;
  m.raised = undefined;
  m.idle.clear();
  m.idleBytes = 0;
  for (const block of [...m.blocks]) forget(m, block);
  m.broken = undefined;
  watch(m, device);
}

/** Waits until all that was submitted is done, and throws what went wrong in it. */
export async function idle(m: Machine): Promise<void> {
  await readStatus(m);
}

/** The arena, grown if it is too small. Work that was submitted before still has the old one. */
export function arenaOf(m: Machine, bytes: number): GPUBuffer {
  const { arena } = m;
  if (arena !== undefined && arena.size >= bytes) return arena;
  m.arena = newBuffer(m, 'the arena', bytes, usage.storage | usage.copyFrom | usage.copyTo);
  m.arenas++;
  if (arena !== undefined) perform(m, () => arena.destroy());
  return m.arena;
}
