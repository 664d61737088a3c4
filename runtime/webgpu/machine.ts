// Opens WebGPU devices, and keeps what is made on one for all its Programs: the arena and pipelines.
import { DeviceError, OutOfMemoryError } from '../errors.ts';
import { type GpuBlock, readBlock, readStatus, recycle } from './memory.ts';
import { type Machine, newBuffer, usage } from './state.ts';

const howToGet = "in Node install the package 'webgpu' and a Vulkan driver; in a browser use one with WebGPU";

/** A device of the best adapter that `gpu` offers. Throws DeviceError where there is none. */
export async function openMachine(gpu: GPU | undefined): Promise<Machine> {
  const adapter = await gpu?.requestAdapter();
  if (adapter == null) throw new DeviceError('there is no WebGPU adapter', { op: 'webgpu', fix: howToGet });
  const { maxStorageBuffersPerShaderStage, maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
  try {
    return makeMachine(
      await adapter.requestDevice({ requiredLimits: { maxStorageBuffersPerShaderStage, maxStorageBufferBindingSize, maxBufferSize } }),
    );
  } catch (cause) {
    throw new DeviceError(`the WebGPU adapter gives no device: ${String(cause)}`, { op: 'webgpu', fix: howToGet, cause });
  }
}

export function makeMachine(device: GPUDevice): Machine {
  const m: Machine = {
    device,
    home: {
      name: 'webgpu',
      read: (block) => readBlock(m, block as GpuBlock),
      release: (block) => recycle(m, block as GpuBlock),
    },
    status: device.createBuffer({ label: 'status', size: 16, usage: usage.storage | usage.copyFrom | usage.copyTo }),
    failures: [],
    arena: undefined,
    arenas: 0,
    pipelines: new Map(),
    idle: new Map(),
    idleBytes: 0,
    registry: new FinalizationRegistry((block) => recycle(m, block)),
    broken: undefined,
  };
  device.addEventListener('uncapturederror', ({ error }) => {
    const isMemory = error.constructor.name === 'GPUOutOfMemoryError';
    m.broken ??= new (isMemory ? OutOfMemoryError : DeviceError)(`WebGPU refused a call: ${error.message}`, { op: 'webgpu' });
  });
  void device.lost.then(({ reason, message }) => {
    m.broken = new DeviceError(`the WebGPU device was lost (${reason}): ${message}`, { op: 'webgpu', fix: 'open the device again' });
  });
  return m;
}

/** Waits until all that was submitted is done, and throws what went wrong in it. */
export async function idle(m: Machine): Promise<void> {
  await readStatus(m);
}

/** The arena, grown if it is too small. Work that was submitted before still has the old one. */
export function arenaOf(m: Machine, bytes: number): GPUBuffer {
  if (m.arena !== undefined && m.arena.size >= bytes) return m.arena;
  const grown = newBuffer(m, 'the arena', bytes, usage.storage | usage.copyFrom | usage.copyTo);
  m.arena?.destroy();
  m.arena = grown;
  m.arenas++;
  return grown;
}

/** The pipeline of an entry point. Equal shaders of different Programs share one. */
export function pipelineOf(m: Machine, source: string, entryPoint: string): GPUComputePipeline {
  const key = `${entryPoint}\n${source}`;
  const known = m.pipelines.get(key);
  if (known !== undefined) return known;
  const module = m.device.createShaderModule({ label: entryPoint, code: source });
  const made = m.device.createComputePipeline({ label: entryPoint, layout: 'auto', compute: { module, entryPoint } });
  m.pipelines.set(key, made);
  return made;
}
