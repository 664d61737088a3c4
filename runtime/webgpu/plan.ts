// What a Program does on a GPU, in order: launches in every turn of the loops around them, with their blocks of numbers, and gates.
import { DeviceError, ProgramError } from '../errors.ts';
import { type BufferRef, type HostCall, launchesOf, type Program, type Shader, type Step } from '../program.ts';
import type { Gate } from './gates.ts';
import { offsetOf, type Storage, storageOf } from './places.ts';

/** A launch in one turn of the loops around it, with the place of its block among all, in bytes. */
export type Turn = {
  readonly launch: number;
  readonly shader: number;
  readonly storage: readonly Storage[];
  /** For each parameter: in which of `storage` it lies, and its first element there. */
  readonly params: readonly { readonly storage: Storage; readonly at: number }[];
  readonly blockAt: number;
  readonly blockSize: number;
  /** If the launch stands behind a gate: its flag, and the number of its first entry's dispatch among those of the flag. */
  readonly gated: { readonly flag: number; readonly first: number } | undefined;
};

export type Op =
  | { readonly kind: 'launch'; readonly turn: Turn }
  | { readonly kind: 'gate'; readonly gate: Gate; readonly blockAt: number }
  /** The flag is set for as long as the loop goes on: `open` sets it at first, and what `turn` ends with sets it again. */
  | { readonly kind: 'while'; readonly flag: number; readonly turn: readonly Op[] };

export type Plan = {
  readonly ops: readonly Op[];
  /** Blocks of launches and of gates. */
  readonly blocks: Int32Array<ArrayBuffer>;
  readonly gates: number;
  /** For each flag, where its dispatches begin among all gated ones; for each of those, the workgroups that it has when open. */
  readonly firstOf: readonly number[];
  readonly sizes: Uint32Array<ArrayBuffer>;
};

/** Uniform bindings begin at multiples of this many bytes on every adapter. */
const blockAlignment = 256;

export const isHostCall = (entry: Shader['entries'][number]): entry is HostCall => 'routine' in entry;

/** `failuresBefore`: for each shader, the failures that the machine counts before its own. `scratchAt` is in words of the arena. */
export function planOf(program: Program, modules: readonly Shader[], failuresBefore: readonly number[], scratchAt: number): Plan {
  const words: number[] = [];
  const gates: { readonly gate: Gate; readonly blockAt: number }[] = [];
  /** For each flag, the workgroups of its dispatches. */
  const dispatches: [number, number][][] = [[]];
  const ofLaunch = program.shaders!.ofLaunch;
  let next = 0;
  const block = (content: readonly number[]): { blockAt: number; blockSize: number } => {
    const blockAt = 4 * words.length;
    for (const word of content) words.push(word);
    const blockSize = 16 * Math.ceil(content.length / 4);
    while (words.length % (blockAlignment / 4) !== 0) words.push(0);
    return { blockAt, blockSize };
  };
  const launch = (buffers: readonly BufferRef[], loops: readonly number[], flag: number): Op => {
    const index = next++;
    const shader = ofLaunch[index];
    if (shader === undefined || modules[shader] === undefined) throw new ProgramError(`launch ${index} has no shader`, { op: 'load' });
    const { storage, places } = storageOf(buffers);
    const offsets = buffers.map((ref) => offsetOf(ref, loops));
    // As the struct of the shader has it: the failures before its own, where its scratch begins, an offset for each parameter.
    const numbers = block([failuresBefore[shader]!, scratchAt, ...offsets]);
    const params = places.map((place, i) => ({ storage: storage[place.buffer]!, at: offsets[i]! }));
    const gated = flag === 0 ? undefined : { flag, first: dispatches[flag]!.length };
    if (gated !== undefined)
      for (const entry of modules[shader]!.entries) {
        if (isHostCall(entry))
          throw new DeviceError('it runs on the host, which does not know whether it is to run in a branch or loop on webgpu', {
            op: entry.routine,
            fix: "move the operands with to('cpu')",
          });
        dispatches[flag]!.push([...entry.groups]);
      }
    return { kind: 'launch', turn: { launch: index, shader, storage, params, ...numbers, gated } };
  };
  const gate = (test: BufferRef | undefined, loops: readonly number[], negated: boolean, parent: number, flag: number): Op => {
    const found = test === undefined ? undefined : { storage: storageOf([test]).storage.at(-1)!, byteAt: offsetOf(test, loops) };
    const made: Gate = { test: found, negated, parent, flag };
    // Its dispatches are known in the end only.
    const { blockAt } = block([0, 0, 0, 0, 0, 0, 0, 0]);
    gates.push({ gate: made, blockAt });
    return { kind: 'gate', gate: made, blockAt };
  };
  const newFlag = (): number => dispatches.push([]) - 1;
  const walk = (steps: readonly Step[], loops: readonly number[], flag: number): Op[] =>
    steps.flatMap((step): readonly Op[] => {
      switch (step.kind) {
        case 'launch':
          return [launch(step.buffers, loops, flag)];
        case 'repeat': {
          const first = next;
          const turns: Op[] = [];
          for (let t = 0; t < step.times; t++) {
            next = first;
            for (const op of walk(step.body, [...loops, step.reverse ? step.times - 1 - t : t], flag)) turns.push(op);
          }
          if (step.times === 0) next = first + launchesOf(step.body).length;
          return turns;
        }
        case 'branch': {
          const [taken, other] = [newFlag(), newFlag()];
          // Both are decided before either runs: what runs may write over the test.
          const decided = [gate(step.test, loops, false, flag, taken), gate(step.test, loops, true, flag, other)];
          return [...decided, ...walk(step.then, loops, taken), ...walk(step.else, loops, other)];
        }
        case 'while': {
          const goesOn = newFlag();
          const inside = [...loops, 0];
          const open = gate(undefined, loops, false, flag, goesOn);
          const test = walk(step.test, inside, goesOn);
          const turn = [...test, gate(step.holds, inside, false, goesOn, goesOn), ...walk(step.body, inside, goesOn)];
          return [open, { kind: 'while', flag: goesOn, turn }];
        }
        default:
          return step satisfies never;
      }
    });
  const ops = walk(program.steps, [], 0);
  const firstOf: number[] = [];
  let count = 0;
  for (const list of dispatches) {
    firstOf.push(count);
    count += list.length;
  }
  for (const { gate: g, blockAt } of gates) {
    const numbers = [g.test?.byteAt ?? 0, Number(g.negated), g.parent, g.flag, firstOf[g.flag]!, dispatches[g.flag]!.length];
    numbers.forEach((word, i) => {
      words[blockAt / 4 + i] = word;
    });
  }
  return { ops, blocks: Int32Array.from(words), gates: gates.length, firstOf, sizes: Uint32Array.from(dispatches.flat(2)) };
}
