// What a Program has on a device: pipelines, blocks of numbers, constants, and the buffers of its gates.
import { decodeConstant } from '../executable.ts';
import type { Program } from '../program.ts';
import { gateSource } from './gates.ts';
import { upload } from './memory.ts';
import { type Pipeline, pipelineOf } from './pipelines.ts';
import { isHostCall, type Plan } from './plan.ts';
import { slotBytes } from './slots.ts';
import { type Machine, newBuffer, usage } from './state.ts';

export type Gates = {
  readonly open: Pipeline;
  readonly test: Pipeline;
  readonly flags: GPUBuffer;
  readonly sizes: GPUBuffer;
  readonly groups: GPUBuffer;
};

/** `bound`: whether it has a bind group, the next one in order. */
export type PlainDispatch = { readonly pipeline: GPUComputePipeline; readonly x: number; readonly y: number; readonly bound: boolean };

export type Resources = {
  readonly generation: number;
  /** Of each module, for each of its entries; undefined for what the host does. */
  readonly entries: readonly (readonly (Pipeline | undefined)[])[];
  /** The same in one list, and those of gates. */
  readonly pipelines: readonly Pipeline[];
  readonly blocks: GPUBuffer;
  readonly slots: GPUBuffer;
  readonly constants: readonly GPUBuffer[];
  readonly gates: Gates | undefined;
  /** Bind groups of all dispatches, in order, by the buffers that they bind. */
  readonly groups: Map<string, readonly GPUBindGroup[]>;
  /** The dispatches of a run that looks at nothing on its way: with the bind groups, all that a run has to say. */
  dispatches: readonly PlainDispatch[] | undefined;
};

export function resourcesOf(m: Machine, program: Program, plan: Plan): Resources {
  const { device } = m;
  const entries = program.shaders!.modules.map(({ source, entries }) =>
    entries.map((entry) => (isHostCall(entry) ? undefined : pipelineOf(m, source, entry.name))),
  );
  const blocks = newBuffer(m, `the launches of ${program.name}`, plan.blocks.byteLength, usage.uniform | usage.copyTo);
  device.queue.writeBuffer(blocks, 0, plan.blocks);
  const constants = program.constants.map((c, i) => {
    const elements = decodeConstant(c);
    const memory = newBuffer(m, `constant ${i} of ${program.name}`, elements.byteLength, usage.storage | usage.copyTo);
    upload(m, memory, elements);
    return memory;
  });
  const gates = plan.gates === 0 ? undefined : gatesOf(m, program, plan);
  return {
    generation: m.generation,
    entries,
    pipelines: [...entries.flat().filter((p) => p !== undefined), ...(gates === undefined ? [] : [gates.open, gates.test])],
    blocks,
    slots: newBuffer(m, `the slots of ${program.name}`, slotBytes(program), usage.uniform | usage.copyTo),
    constants,
    gates,
    groups: new Map(),
    dispatches: undefined,
  };
}

function gatesOf(m: Machine, { name }: Program, { firstOf, sizes }: Plan): Gates {
  const flags = newBuffer(m, `the flags of ${name}`, 4 * firstOf.length, usage.storage | usage.copyTo | usage.copyFrom);
  m.device.queue.writeBuffer(flags, 0, Int32Array.of(1));
  const open = newBuffer(m, `the workgroups of ${name}`, Math.max(8, sizes.byteLength), usage.storage | usage.copyTo);
  if (sizes.length > 0) m.device.queue.writeBuffer(open, 0, sizes);
  return {
    open: pipelineOf(m, gateSource, 'open_gate'),
    test: pipelineOf(m, gateSource, 'test_gate'),
    flags,
    sizes: open,
    groups: newBuffer(m, `the dispatches of ${name}`, Math.max(12, 6 * sizes.length), usage.storage | usage.indirect),
  };
}
