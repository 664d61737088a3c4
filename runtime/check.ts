// Whether data that claims to be a Program is one: version, shapes, and every reference from launches to buffers and kernels.
import { bytesPerElement, type DType, dtypes } from './dtype.ts';
import { ProgramError } from './errors.ts';
import { arenaAlignment, type BufferRef, type Launch, type Program, programVersion } from './program.ts';

type Fields = { readonly [name: string]: unknown };

function demand(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new ProgramError(what(), { op: 'load', fix: 'build the program again with this version' });
}
const isFields = (x: unknown): x is Fields => typeof x === 'object' && x !== null && !Array.isArray(x);
const isSize = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;
/** Or will be one once somebody reads it. */
const isText = (x: Fields, name: string): boolean => {
  const field = Object.getOwnPropertyDescriptor(x, name);
  return typeof field?.value === 'string' || field?.get !== undefined;
};
const isTexts = (x: unknown): x is readonly string[] => Array.isArray(x) && x.every((t) => typeof t === 'string');
const isDType = (x: unknown): x is DType => dtypes.some((d) => d === x);

/** `data` as a Program; throws ProgramError that names the first thing wrong. Kernel sources are not read. */
export function checkProgram(data: unknown): Program {
  demand(isFields(data), () => 'this is no program');
  demand(
    data.version === programVersion,
    () => `the program is of version ${String(data.version)}, this runtime reads version ${programVersion}`,
  );
  demand(typeof data.name === 'string' && typeof data.target === 'string', () => 'the program has no name or no target');
  for (const list of ['inputs', 'slots', 'outputs', 'constants', 'kernels', 'launches'] as const)
    demand(Array.isArray(data[list]) && data[list].every(isFields), () => `'${list}' is no list of records`);
  demand(isSize(data.arenaBytes) && isSize(data.liveBytes), () => `the arena's size ${String(data.arenaBytes)} is no size`);
  const notes = data.notes;
  demand(isFields(notes) && isText(notes, 'graph') && isText(notes, 'fused') && isTexts(notes.unfused), () => 'the notes are missing');
  const program = data as unknown as Program;
  checkPorts(program);
  checkKernels(program);
  for (const [i, launch] of program.launches.entries()) checkLaunch(program, launch, i);
  return program;
}

function checkPorts(program: Program): void {
  for (const list of ['inputs', 'outputs'] as const)
    for (const [i, port] of program[list].entries()) {
      demand(isDType(port.dtype), () => `${list}[${i}] has no dtype`);
      demand(Array.isArray(port.shape) && port.shape.every(isSize), () => `${list}[${i}] has no shape`);
    }
  for (const [i, slot] of program.slots.entries()) demand(isDType(slot.dtype), () => `slots[${i}] has no dtype`);
  for (const [i, c] of program.constants.entries())
    demand(isDType(c.dtype) && isSize(c.length) && typeof c.base64 === 'string', () => `constants[${i}] is damaged`);
  for (const [i, { alias }] of program.outputs.entries()) {
    if (alias === undefined) continue;
    const found = alias.space === 'input' ? program.inputs[alias.index] : alias.index < i ? program.outputs[alias.index] : undefined;
    demand(found !== undefined, () => `outputs[${i}] is an alias of ${alias.space} ${alias.index}, which is not there`);
    const port = program.outputs[i]!;
    demand(
      found.dtype === port.dtype && numel(found.shape) === numel(port.shape),
      () => `outputs[${i}] and what it is an alias of differ in size`,
    );
  }
}

function checkKernels(program: Program): void {
  const names = new Set<string>();
  for (const [i, k] of program.kernels.entries()) {
    demand(
      typeof k.name === 'string' && typeof k.source === 'string' && isTexts(k.params) && isTexts(k.origin),
      () => `kernels[${i}] is damaged`,
    );
    demand(!names.has(k.name), () => `two kernels are called ${k.name}`);
    names.add(k.name);
  }
}

function checkLaunch(program: Program, launch: Launch, i: number): void {
  const kernel = program.kernels[launch.kernel];
  demand(kernel !== undefined, () => `launches[${i}] wants kernel ${launch.kernel} of ${program.kernels.length}`);
  demand(Array.isArray(launch.buffers), () => `launches[${i}] has no buffers`);
  // Beside the buffers a kernel takes the slots and `fail`.
  const wanted = kernel.params.length - 2;
  demand(
    launch.buffers.length === wanted,
    () => `launches[${i}] gives ${kernel.name} ${launch.buffers.length} buffers, it takes ${wanted}`,
  );
  for (const ref of launch.buffers) checkRef(program, ref, i);
}

function checkRef(program: Program, ref: BufferRef, i: number): void {
  switch (ref.space) {
    case 'input':
      demand(program.inputs[ref.index] !== undefined, () => `launches[${i}] reads input ${ref.index} of ${program.inputs.length}`);
      return;
    case 'output': {
      const port = program.outputs[ref.index];
      demand(
        port !== undefined && port.alias === undefined,
        () => `launches[${i}] uses output ${ref.index}, which has no buffer of its own`,
      );
      return;
    }
    case 'constant':
      demand(program.constants[ref.index] !== undefined, () => `launches[${i}] reads constant ${ref.index} of ${program.constants.length}`);
      return;
    case 'arena': {
      demand(isDType(ref.dtype) && isSize(ref.offset) && isSize(ref.length), () => `launches[${i}] has a damaged arena buffer`);
      demand(
        ref.offset % arenaAlignment === 0,
        () => `launches[${i}] uses arena offset ${ref.offset}, which is not a multiple of ${arenaAlignment}`,
      );
      const end = ref.offset + ref.length * bytesPerElement[ref.dtype];
      demand(end <= program.arenaBytes, () => `launches[${i}] reaches byte ${end} of an arena of ${program.arenaBytes}`);
      return;
    }
    default:
      ref satisfies never;
      throw new ProgramError(`launches[${i}] uses an unknown kind of buffer`, { op: 'load' });
  }
}

const numel = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
