// Runs a Program of WGSL: all its dispatches are recorded in one command encoder and submitted at once; nothing here waits.
import { type Buffer, emptyBuffer, release } from '../buffer.ts';
import { checkProgram } from '../check.ts';
import { DeviceError, ProgramError } from '../errors.ts';
import { aliased, checkArguments, checkBuffer, decodeConstant, type Executable, numel } from '../executable.ts';
import type { Faults } from '../faults.ts';
import { launchesOf, type Port, type Program, type Shader, type Step } from '../program.ts';
import { arenaOf, pipelineOf } from './machine.ts';
import { inputMemory, outputMemory, upload } from './memory.ts';
import { offsetOf, type Storage, storageOf } from './places.ts';
import { checkHealth, type Machine, newBuffer, usage } from './state.ts';

/** A launch in one turn of the loops around it, with the place of its block among those of all launches, in bytes. */
type Turn = { readonly shader: number; readonly storage: readonly Storage[]; readonly blockAt: number; readonly blockSize: number };

/** Uniform bindings begin at multiples of this many bytes on every adapter. */
const blockAlignment = 256;
/** The numbers of bindings, as the emitter gives them: behind the launch's block (0) the slots, the status, and then buffers. */
const [slotsBinding, statusBinding, firstBuffer] = [1, 2, 3];

/** Checks the Program, compiles its pipelines, and uploads constants and what launches need to know. */
export function bindWebGpu(data: Program, m: Machine, faults?: Faults): Executable {
  const program = checkProgram(data);
  const { shaders } = program;
  if (shaders === undefined) throw new ProgramError(`${program.name} has no shaders`, { op: 'load' });
  checkHealth(m);
  const { device } = m;
  const { modules } = shaders;
  for (const { entries } of modules) for (const entry of entries) checkBindings(m, entry);
  const pipelines = modules.map(({ source, entries }) => entries.map((entry) => pipelineOf(m, source, entry.name)));
  const { turns, blocks } = planTurns(program, m, modules, shaders.ofLaunch);
  const launchBlocks = newBuffer(m, `the launches of ${program.name}`, blocks.byteLength, usage.uniform | usage.copyTo);
  device.queue.writeBuffer(launchBlocks, 0, blocks);
  const slotBlock = newBuffer(m, `the slots of ${program.name}`, slotBytes(program), usage.uniform | usage.copyTo);
  const constants = program.constants.map((c, i) => {
    const elements = decodeConstant(c);
    const memory = newBuffer(m, `constant ${i} of ${program.name}`, elements.byteLength, usage.storage | usage.copyTo);
    upload(m, memory, elements);
    return memory;
  });
  const arenaBytes = arenaBytesOf(program, modules);

  function execute(inputs: readonly Buffer[], slots: Float64Array, given: readonly (Buffer | undefined)[] = []): Buffer[] {
    checkArguments(program, inputs, slots, given, checkBuffer);
    checkHealth(m);
    const read = inputs.map((buffer, i) => inputMemory(m, buffer, nameOf(program.inputs[i]!)));
    const outputs: Buffer[] = [];
    const written: (GPUBuffer | undefined)[] = [];
    const replaced: Buffer[] = [];
    try {
      program.outputs.forEach((port, i) => {
        if (port.alias !== undefined) {
          outputs.push(aliased(port.alias, inputs, outputs));
          written.push(undefined);
          return;
        }
        faults?.at?.('alloc', i);
        const buffer = given[i] ?? emptyBuffer(port.dtype, numel(port.shape), 'webgpu');
        const { memory, before } = outputMemory(m, buffer, nameOf(port));
        if (before !== undefined) replaced.push({ ...buffer, block: before });
        outputs.push(buffer);
        written.push(memory);
      });
      if (faults?.at !== undefined) for (const i of launchesOf(program.steps).keys()) faults.at('launch', i);
      submit(read, written, slots);
    } catch (error) {
      for (let i = 0; i < outputs.length; i++) if (program.outputs[i]!.alias === undefined && given[i] === undefined) release(outputs[i]!);
      throw error;
    }
    for (const buffer of replaced) release(buffer);
    return outputs;
  }

  function submit(read: readonly GPUBuffer[], written: readonly (GPUBuffer | undefined)[], slots: Float64Array): void {
    const arena = arenaOf(m, arenaBytes);
    if (program.slots.length > 0) device.queue.writeBuffer(slotBlock, 0, slotWords(program, slots));
    const memoryOf = (storage: Storage): GPUBuffer => {
      switch (storage.space) {
        case 'arena':
          return arena;
        case 'input':
          return read[storage.index]!;
        case 'output':
          return written[storage.index]!;
        case 'constant':
          return constants[storage.index]!;
        default:
          return storage satisfies never;
      }
    };
    const encoder = device.createCommandEncoder({ label: program.name });
    const pass = encoder.beginComputePass({ label: program.name });
    for (const { shader, storage, blockAt, blockSize } of turns) {
      const resourceOf = (binding: number): GPUBufferBinding => {
        if (binding >= firstBuffer) return { buffer: memoryOf(storage[binding - firstBuffer]!) };
        if (binding === statusBinding) return { buffer: m.status };
        return binding === slotsBinding ? { buffer: slotBlock } : { buffer: launchBlocks, offset: blockAt, size: blockSize };
      };
      modules[shader]!.entries.forEach(({ bindings, groups: [x, y] }, k) => {
        const pipeline = pipelines[shader]![k]!;
        pass.setPipeline(pipeline);
        if (bindings.length > 0) {
          const entries = bindings.map((binding) => ({ binding, resource: resourceOf(binding) }));
          pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
        }
        pass.dispatchWorkgroups(x, y);
      });
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  return {
    program,
    execute,
    run: () => {
      throw new DeviceError('what runs on webgpu cannot be waited for at once', { op: 'run', fix: 'execute over buffers and await them' });
    },
    arena: () => {
      throw new DeviceError('the arena of webgpu is out of reach', { op: 'run' });
    },
  };
}

/** More buffers than a stage of this adapter may bind would be refused long after the call. */
function checkBindings({ device }: Machine, { name, bindings }: Shader['entries'][number]): void {
  const buffers = bindings.filter((binding) => binding >= statusBinding).length;
  const most = device.limits.maxStorageBuffersPerShaderStage;
  if (buffers > most)
    throw new DeviceError(`${name} binds ${buffers} buffers, and this adapter allows ${most}`, {
      op: 'webgpu',
      fix: "take fewer operands at once, or use the device 'wasm'",
    });
}

const nameOf = ({ name, dtype, shape }: Port): string => `${name}: ${dtype}[${shape}]`;

const scratchAt = ({ arenaBytes }: Program): number => Math.ceil(arenaBytes / 4);
const arenaBytesOf = (program: Program, modules: readonly Shader[]): number =>
  4 * (scratchAt(program) + modules.reduce((n, s) => Math.max(n, s.scratchWords), 0));

/** All launches in the order in which they happen, and their blocks one behind the other. */
function planTurns(
  program: Program,
  m: Machine,
  modules: readonly Shader[],
  ofLaunch: readonly number[],
): { readonly turns: readonly Turn[]; readonly blocks: Int32Array<ArrayBuffer> } {
  const failuresBefore = modules.map(({ failures }) => m.failures.push(...failures) - failures.length);
  const turns: Turn[] = [];
  const words: number[] = [];
  let next = 0;
  const walk = (steps: readonly Step[], loops: readonly number[]): void => {
    for (const step of steps) {
      if (step.kind === 'launch') {
        const shader = ofLaunch[next++];
        if (shader === undefined || modules[shader] === undefined)
          throw new ProgramError(`launch ${next - 1} has no shader`, { op: 'load' });
        const blockAt = 4 * words.length;
        // As the struct of the shader has it: the failures before its own, where its scratch begins, an offset for each parameter.
        words.push(failuresBefore[shader]!, scratchAt(program));
        for (const ref of step.buffers) words.push(offsetOf(ref, loops));
        const blockSize = 16 * Math.ceil((4 * words.length - blockAt) / 16);
        while (words.length % (blockAlignment / 4) !== 0) words.push(0);
        turns.push({ shader, storage: storageOf(step.buffers).storage, blockAt, blockSize });
      } else if (step.kind === 'repeat') {
        const first = next;
        for (let t = 0; t < step.times; t++) {
          next = first;
          walk(step.body, [...loops, step.reverse ? step.times - 1 - t : t]);
        }
        if (step.times === 0) next = first + launchesOf(step.body).length;
      } else {
        throw new ProgramError(`${program.name} tests on the way what it computed`, { op: 'load' });
      }
    }
  };
  walk(program.steps, []);
  return { turns, blocks: Int32Array.from(words) };
}

const slotBytes = ({ slots }: Program): number => Math.max(16, 4 * slots.reduce((n, { dtype }) => n + (dtype === 'i64' ? 2 : 1), 0));

/** Slots as 32-bit words. */
function slotWords(program: Program, slots: Float64Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(slotBytes(program)));
  let at = 0;
  program.slots.forEach(({ dtype }, i) => {
    const value = slots[i]!;
    if (dtype === 'i64') {
      view.setBigInt64(at, BigInt(Math.trunc(value) || 0), true);
      at += 4;
    } else if (dtype === 'f32') view.setFloat32(at, value, true);
    else view.setInt32(at, dtype === 'bool' ? Number(value !== 0) : dtype === 'u8' ? value & 255 : value, true);
    at += 4;
  });
  return new Uint8Array(view.buffer);
}
