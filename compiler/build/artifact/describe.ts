// A built model as the data that its module carries: names become indices, and code goes into files of its own.
import {
  artifactVersion,
  type Description,
  type Dim,
  type Entry,
  packProgram,
  type ResultTree as Result,
  type Slot,
  type TargetData,
  type Variant,
} from '../../../runtime/artifact/description.ts';
import { hashBytes, hashData } from '../../../runtime/artifact/hash.ts';
import { ArgumentError, InternalError } from '../../../runtime/errors.ts';
import { mapCounters } from '../../../runtime/host.ts';
import type { BoundProgram, BuildTarget, BuiltDim, BuiltEntry, BuiltModel, OpenBuiltDim, ResultTree } from '../model.ts';
import type { WeightFile } from './weights.ts';

export function describe(model: BuiltModel, { weights, bytes }: WeightFile): Description {
  const counterOf = indexIn(
    model.counters.map(({ key }) => key),
    'counter',
  );
  const description = {
    version: artifactVersion,
    name: model.name,
    entries: model.entries.map(
      ({ name, inputs, numbers, parameters, result, advances }): Entry => ({
        name,
        inputs: inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape: shape.map(dimOf) })),
        numbers: numbers.map((n) => n.name),
        parameters,
        result: resultOf(result),
        advances: advances.map(({ key, to }) => ({ counter: counterOf(key), to: mapCounters(to, (c) => ({ counter: counterOf(c) })) })),
      }),
    ),
    weights,
    file: { bytes: bytes.length, hash: hashBytes(bytes) },
    counters: model.counters,
  };
  return { ...description, hash: hashData(description) };
}

/** An open dimension is called by its name, or by the formula over it. */
export const formula = ({ dim, times, plus }: OpenBuiltDim): string =>
  `${times === 1 ? '' : `${times} * `}${dim}${plus === 0 ? '' : plus > 0 ? ` + ${plus}` : ` - ${-plus}`}`;

const dimOf = (d: BuiltDim): Dim => (typeof d === 'number' ? d : { dim: d.dim, min: d.min, max: d.max });

function resultOf(tree: ResultTree): Result {
  switch (tree.kind) {
    case 'tensor':
      return { kind: 'tensor', index: tree.index, shape: tree.shape.map((d) => (typeof d === 'number' ? d : formula(d))) };
    case 'list':
      return { kind: 'list', items: tree.items.map(resultOf) };
    case 'record':
      return { kind: 'record', keys: tree.keys, items: tree.items.map(resultOf) };
    case 'static':
      if (typeof tree.value === 'number' && !Number.isFinite(tree.value))
        throw new ArgumentError(`a result that is always ${tree.value} cannot be written`, { op: 'build', fix: 'return a tensor instead' });
      return tree;
    default:
      return tree satisfies never;
  }
}

function indexIn(keys: readonly string[], what: string): (key: string) => number {
  const index = new Map(keys.map((key, i) => [key, i]));
  return (key) => {
    const found = index.get(key);
    if (found === undefined) throw new InternalError(`there is no ${what} ${JSON.stringify(key)}`, { op: 'build' });
    return found;
  };
}

/** The Programs of all entries for a target, in order; undefined where the model was not built for it. */
export function programsFor({ entries }: BuiltModel, target: BuildTarget): readonly (readonly BoundProgram[])[] | undefined {
  const found = entries.map(({ variants }) => variants.map(({ programs }) => programs[target]));
  const missing = entries.find((_, i) => found[i]!.includes(undefined));
  if (missing === undefined) return found as BoundProgram[][];
  if (found.every((programs) => programs.every((p) => p === undefined))) return undefined;
  throw new ArgumentError(`${missing.name} has no program for ${target}, which other functions of the model have`, {
    op: 'build',
    fix: 'give all functions of a file the same targets',
  });
}

export function targetData(model: BuiltModel, programs: readonly (readonly BoundProgram[])[]): TargetData {
  const weightOf = indexIn(
    model.weights.map(({ key }) => key),
    'weight',
  );
  const counterOf = indexIn(
    model.counters.map(({ key }) => key),
    'counter',
  );
  const variantOf = ({ program, inputs, slots, outputs }: BoundProgram, entry: BuiltEntry, v: number): Variant => ({
    sizes: Object.entries(entry.variants[v]!.sizes).map(([dim, size]) =>
      typeof size === 'number' ? ([dim, size, size] as const) : ([dim, size.min, size.max] as const),
    ),
    program: packProgram(program),
    inputs: inputs.map((binding) => (binding.from === 'input' ? binding.index : ~weightOf(binding.key))),
    slots: slots.map((slot): Slot => {
      switch (slot.from) {
        case 'number':
          return { number: slot.index };
        case 'host':
          return { host: mapCounters(slot.expr, (c) => ({ counter: counterOf(c) })) };
        default:
          return slot satisfies never;
      }
    }),
    outputs: outputs.map((binding) => (binding.to === 'result' ? binding.index : ~weightOf(binding.key))),
  });
  const data = {
    version: artifactVersion,
    entries: programs.map((variants, e) => variants.map((bound, v) => variantOf(bound, model.entries[e]!, v))),
  };
  return { ...data, hash: hashData(data) };
}
