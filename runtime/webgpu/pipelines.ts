// Compiled entry points: made in the background, several at a time, and shared by equal shaders of different Programs.
import { DeviceError } from '../errors.ts';
import type { Machine } from './state.ts';

export type Pipeline = {
  made: GPUComputePipeline | undefined;
  /** Over when it is made, or refused, which the machine then knows. */
  readonly making: Promise<void>;
  /** Makes it at once, for those who cannot wait. */
  readonly now: () => void;
};

export function pipelineOf(m: Machine, source: string, entryPoint: string): Pipeline {
  const key = `${entryPoint}\n${source}`;
  const known = m.pipelines.get(key);
  if (known !== undefined) return known;
  const { device } = m;
  const descriptor: GPUComputePipelineDescriptor = {
    label: entryPoint,
    layout: 'auto',
    compute: { module: device.createShaderModule({ label: entryPoint, code: source }), entryPoint },
  };
  const pipeline: Pipeline = {
    made: undefined,
    making: device.createComputePipelineAsync(descriptor).then(
      (made) => {
        pipeline.made ??= made;
      },
      (cause: unknown) => {
        m.broken ??= new DeviceError(`WebGPU refused the shader ${entryPoint}: ${String(cause)}`, { op: 'webgpu', cause });
      },
    ),
    now: () => {
      pipeline.made ??= device.createComputePipeline(descriptor);
    },
  };
  m.pipelines.set(key, pipeline);
  return pipeline;
}
