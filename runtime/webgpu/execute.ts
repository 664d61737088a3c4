// Runs a Program of WGSL: all its dispatches are recorded in one command encoder and submitted at once; the caller never waits.
import { type Buffer, emptyBuffer, release } from '../buffer.ts';
import { checkProgram } from '../check.ts';
import { DeviceError, ProgramError } from '../errors.ts';
import { aliased, checkArguments, checkBuffer, type Executable, numel } from '../executable.ts';
import type { Faults } from '../faults.ts';
import { type Dispatch, launchesOf, type Port, type Program, type Shader, type Step } from '../program.ts';
import { type Memories, record } from './encode.ts';
import { perform } from './jobs.ts';
import { arenaOf } from './machine.ts';
import { inputMemory, outputMemory, retire } from './memory.ts';
import { isHostCall, planOf } from './plan.ts';
import { type Resources, resourcesOf } from './resources.ts';
import { slotWords } from './slots.ts';
import { checkHealth, type Machine } from './state.ts';
import type { Clock } from './timestamps.ts';

/** Checks the Program and has its pipelines compiled, all at once and in the background. `clock` is told how long each launch took. */
export function bindWebGpu(data: Program, m: Machine, faults?: Faults, clock?: Clock): Executable {
  const program = checkProgram(data);
  const { shaders } = program;
  if (shaders === undefined) throw new ProgramError(`${program.name} has no shaders`, { op: 'load' });
  checkHealth(m);
  const { modules } = shaders;
  for (const { entries } of modules) for (const entry of entries) if (!isHostCall(entry)) checkBindings(m, entry);
  const failuresBefore = modules.map(({ failures }) => m.failures.push(...failures) - failures.length);
  const plan = planOf(program, modules, failuresBefore, scratchAt(program));
  const arenaBytes = arenaBytesOf(program, modules);
  const makers = makersOf(program);
  /** Made anew on every device that takes the place of a lost one. */
  let resources: Resources = resourcesOf(m, program, plan);

  function execute(inputs: readonly Buffer[], slots: Float64Array, given: readonly (Buffer | undefined)[] = []): Buffer[] {
    checkArguments(program, inputs, slots, given, checkBuffer);
    checkHealth(m);
    if (resources.generation !== m.generation) resources = resourcesOf(m, program, plan);
    const read = inputs.map((buffer, i) => inputMemory(m, buffer, nameOf(program.inputs[i]!)));
    const outputs: Buffer[] = [];
    const written: (GPUBuffer | undefined)[] = [];
    const replaced: GPUBuffer[] = [];
    try {
      program.outputs.forEach((port, i) => {
        if (port.alias !== undefined) {
          outputs.push(aliased(port.alias, inputs, outputs));
          written.push(undefined);
          return;
        }
        faults?.at?.('alloc', i);
        const buffer = given[i] ?? emptyBuffer(port.dtype, numel(port.shape), 'webgpu');
        const { memory, before } = outputMemory(m, buffer, `${nameOf(port)} of ${makers[i] ?? program.name}`);
        if (before !== undefined) replaced.push(before);
        outputs.push(buffer);
        written.push(memory);
      });
      if (faults?.at !== undefined) for (const i of launchesOf(program.steps).keys()) faults.at('launch', i);
      const memories: Memories = { arena: arenaOf(m, arenaBytes), read, written, constants: resources.constants };
      const numbers = program.slots.length === 0 ? undefined : slotWords(program, slots);
      const now = resources;
      perform(m, () => record(m, program, plan, now, memories, numbers, clock), now.pipelines);
    } catch (error) {
      for (let i = 0; i < outputs.length; i++) if (program.outputs[i]!.alias === undefined && given[i] === undefined) release(outputs[i]!);
      throw error;
    } finally {
      for (const memory of replaced) retire(m, memory);
    }
    return outputs;
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
function checkBindings({ device }: Machine, { name, bindings }: Dispatch): void {
  const statusBinding = 2;
  const buffers = bindings.filter((binding) => binding >= statusBinding).length;
  const most = device.limits.maxStorageBuffersPerShaderStage;
  if (buffers > most)
    throw new DeviceError(`${name} binds ${buffers} buffers, and this adapter allows ${most}`, {
      op: 'webgpu',
      fix: "take fewer operands at once, or use the device 'wasm'",
    });
}

const nameOf = ({ name, dtype, shape }: Port): string => `${name}: ${dtype}[${shape}]`;

/** For each output the ops, with their lines, that computed it. */
function makersOf(program: Program): readonly (string | undefined)[] {
  const makers: (string | undefined)[] = program.outputs.map(() => undefined);
  const visit = (steps: readonly Step[]): void => {
    for (const { launch } of launchesOf(steps))
      for (const ref of launch.buffers) if (ref.space === 'output') makers[ref.index] = program.kernels[launch.kernel]!.origin.at(-1);
  };
  visit(program.steps);
  return makers;
}

const scratchAt = ({ arenaBytes }: Program): number => Math.ceil(arenaBytes / 4);
const arenaBytesOf = (program: Program, modules: readonly Shader[]): number =>
  4 * (scratchAt(program) + modules.reduce((n, s) => Math.max(n, s.scratchWords), 0));
