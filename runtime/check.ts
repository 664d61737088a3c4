// Whether data that claims to be a Program is one: version, shapes, and every reference from launches to buffers and kernels.
import { bytesPerElement, type DType, dtypes } from './dtype.ts';
import { ProgramError } from './errors.ts';
import { arenaAlignment, type BufferRef, type Launch, type Port, type Program, programVersion, type Step } from './program.ts';

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
  for (const list of ['inputs', 'slots', 'outputs', 'constants', 'kernels', 'steps'] as const)
    demand(Array.isArray(data[list]) && data[list].every(isFields), () => `'${list}' is no list of records`);
  demand(isSize(data.arenaBytes) && isSize(data.liveBytes), () => `the arena's size ${String(data.arenaBytes)} is no size`);
  demand(data.sizes === undefined || (Array.isArray(data.sizes) && data.sizes.every(isFields)), () => `'sizes' is no list of records`);
  const notes = data.notes;
  demand(isFields(notes) && isText(notes, 'graph') && isText(notes, 'fused') && isTexts(notes.unfused), () => 'the notes are missing');
  const program = data as unknown as Program;
  checkPorts(program);
  checkKernels(program);
  checkSteps(program, program.steps, [], { launches: 0 });
  return program;
}

function checkPorts(program: Program): void {
  for (const list of ['inputs', 'outputs'] as const)
    for (const [i, port] of program[list].entries()) {
      demand(isDType(port.dtype), () => `${list}[${i}] has no dtype`);
      demand(Array.isArray(port.shape) && port.shape.every(isSize), () => `${list}[${i}] has no shape`);
      demand(port.open === undefined || Array.isArray(port.open), () => `${list}[${i}] has damaged open axes`);
      for (const { axis, size, times, plus } of port.open ?? []) {
        const of = program.sizes?.[size];
        demand(
          isSize(times) && Number.isSafeInteger(plus) && of !== undefined && port.shape[axis] === times * of.max + plus,
          () => `${list}[${i}] has an open axis ${axis} that is not the shape's`,
        );
      }
    }
  for (const [i, { name, min, max, input, per }] of (program.sizes ?? []).entries())
    demand(
      typeof name === 'string' &&
        isSize(min) &&
        isSize(max) &&
        min <= max &&
        isSize(per) &&
        per * max === numel(program.inputs[input]?.shape ?? []),
      () => `sizes[${i}] does not follow from an input`,
    );
  for (const [i, slot] of program.slots.entries()) demand(isDType(slot.dtype), () => `slots[${i}] has no dtype`);
  for (const [i, c] of program.constants.entries())
    demand(isDType(c.dtype) && isSize(c.length) && typeof c.base64 === 'string', () => `constants[${i}] is damaged`);
  for (const [i, { alias }] of program.outputs.entries()) {
    if (alias === undefined) continue;
    const found = alias.space === 'input' ? program.inputs[alias.index] : alias.index < i ? program.outputs[alias.index] : undefined;
    demand(found !== undefined, () => `outputs[${i}] is an alias of ${alias.space} ${alias.index}, which is not there`);
    const port = program.outputs[i]!;
    demand(
      found.dtype === port.dtype && numel(found.shape) === numel(port.shape) && isOpen(found) === isOpen(port),
      () => `outputs[${i}] and what it is an alias of differ in size`,
    );
  }
}

const isOpen = ({ open }: Port): boolean => open !== undefined && open.length > 0;

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

/** Loops within loops, and branches within branches: more are no Program of ours, and would be too deep for what walks them. */
const deepest = 64;

/** `loops`: for each enclosing loop how many turns it makes, -1 where that is open. */
function checkSteps(program: Program, steps: unknown, loops: readonly number[], count: { launches: number }, depth = 0): void {
  demand(Array.isArray(steps) && steps.every(isFields), () => 'steps are no list of records');
  demand(depth < deepest, () => `steps nest more than ${deepest} deep`);
  const inside = (list: unknown, more: readonly number[] = []): void => checkSteps(program, list, [...loops, ...more], count, depth + 1);
  for (const step of steps as unknown as readonly Step[]) {
    switch (step.kind) {
      case 'launch':
        checkLaunch(program, step, count.launches++, loops);
        break;
      case 'branch':
        checkRef(program, step.test, 'a branch', loops);
        inside(step.then);
        inside(step.else);
        break;
      case 'while':
        inside(step.test, [-1]);
        checkRef(program, step.holds, 'a loop', [...loops, -1]);
        inside(step.body, [-1]);
        break;
      case 'repeat':
        demand(isSize(step.times) && typeof step.reverse === 'boolean', () => `a loop is repeated ${String(step.times)} times`);
        inside(step.body, [step.times]);
        break;
      default:
        step satisfies never;
        throw new ProgramError(`a step is of no known kind`, { op: 'load' });
    }
  }
}

function checkLaunch(program: Program, launch: Launch, i: number, loops: readonly number[]): void {
  const kernel = program.kernels[launch.kernel];
  demand(kernel !== undefined, () => `launch ${i} wants kernel ${launch.kernel} of ${program.kernels.length}`);
  demand(Array.isArray(launch.buffers), () => `launch ${i} has no buffers`);
  // Beside the buffers a kernel takes the slots and `fail`.
  const wanted = kernel.params.length - 2;
  demand(launch.buffers.length === wanted, () => `launch ${i} gives ${kernel.name} ${launch.buffers.length} buffers, it takes ${wanted}`);
  for (const ref of launch.buffers) checkRef(program, ref, `launch ${i}`, loops);
}

function checkRef(program: Program, ref: BufferRef, who: string, loops: readonly number[]): void {
  demand(isFields(ref), () => `${who} has a damaged buffer`);
  const rows = ref.rows ?? [];
  for (const { loop, length } of rows)
    demand(isSize(length) && isSize(loops[loop]), () => `${who} uses rows by a loop that is not around it`);
  /** Elements from the start of the buffer to the end of the last part that is reached. */
  const isEmpty = rows.some(({ loop }) => loops[loop] === 0);
  const reach = isEmpty ? 0 : rows.reduce((n, { loop, length }) => n + (loops[loop]! - 1) * length, rows.at(-1)?.length ?? 0);
  switch (ref.space) {
    case 'input':
      demand(
        program.inputs[ref.index] !== undefined && reach <= numel(program.inputs[ref.index]!.shape),
        () => `${who} reads input ${ref.index} of ${program.inputs.length}`,
      );
      return;
    case 'output': {
      const port = program.outputs[ref.index];
      demand(
        port !== undefined && port.alias === undefined && reach <= numel(port.shape),
        () => `${who} uses output ${ref.index}, which has no buffer of its own`,
      );
      return;
    }
    case 'constant':
      demand(program.constants[ref.index] !== undefined, () => `${who} reads constant ${ref.index} of ${program.constants.length}`);
      return;
    case 'arena': {
      demand(
        isDType(ref.dtype) && isSize(ref.offset) && isSize(ref.length) && reach <= ref.length,
        () => `${who} has a damaged arena buffer`,
      );
      demand(
        ref.offset % arenaAlignment === 0,
        () => `${who} uses arena offset ${ref.offset}, which is not a multiple of ${arenaAlignment}`,
      );
      const end = ref.offset + ref.length * bytesPerElement[ref.dtype];
      demand(end <= program.arenaBytes, () => `${who} reaches byte ${end} of an arena of ${program.arenaBytes}`);
      return;
    }
    default:
      ref satisfies never;
      throw new ProgramError(`${who} uses an unknown kind of buffer`, { op: 'load' });
  }
}

const numel = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
