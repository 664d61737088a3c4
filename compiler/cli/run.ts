// `fluxion run`: calls a function of a built module with inputs from files, and shows or writes what it gives.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Description, Entry, ResultTree } from '../../runtime/artifact/description.ts';
import type { EntryFunction } from '../../runtime/artifact/model.ts';
import type { TypedArray } from '../../runtime/dtype.ts';
import { FluxionError } from '../../runtime/errors.ts';
import { type Invocation, UsageError } from './arguments.ts';
import { argumentsOf, type Given, inputFrom } from './inputs.ts';
import { writeResults } from './results.ts';
import { redirectOutput } from './stdout.ts';

/** An array of a result with its path, such as `probabilities` or `0.mask`; the path of a single one is empty. */
export type NamedResult = { readonly path: string; readonly data: TypedArray; readonly shape: readonly number[] };

type BuiltModule = {
  readonly load: (
    options: object,
  ) => Promise<{ readonly functions: Readonly<Record<string, EntryFunction>>; readonly description: Description }>;
};

export async function run({ file, options }: Invocation): Promise<number> {
  const write = redirectOutput();
  const module = await builtModule(file);
  const weights = options.get('weights');
  try {
    const { functions, description } = await module.load({
      target: options.get('target'),
      ...(weights === undefined ? {} : { weights: pathToFileURL(resolve(weights)) }),
    });
    const entry = entryOf(description, options.get('entry'));
    const given = new Map<string, Given>();
    for (const [name, value] of namedValues(options.get('input') ?? '')) {
      if (given.has(name)) throw new UsageError(`the input '${name}' is given twice`);
      given.set(name, await inputFrom(entry, name, value));
    }
    const result = await functions[entry.name]!.async(...argumentsOf(entry, given));
    const text = await writeResults(result, resultsOf(entry.result, result), options.get('out'));
    if (text !== '') write(`${text}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof Error) || !isOurs(error)) throw error;
    console.error(`fluxion: ${error.message}`);
    return 1;
  }
}

/** The module may have a runtime of its own, whose classes are not ours; codes are the same. */
const isOurs = (error: Error): boolean => error instanceof FluxionError || ('what' in error && 'code' in error && 'op' in error);

async function builtModule(file: string): Promise<BuiltModule> {
  let module: Partial<BuiltModule>;
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as Partial<BuiltModule>;
  } catch (cause) {
    throw new UsageError(`${file} cannot be imported: ${(cause as Error).message}`);
  }
  if (typeof module.load !== 'function') throw new UsageError(`${file} is no built module: it has no load()`);
  return module as BuiltModule;
}

function entryOf({ entries }: Description, name: string | undefined): Entry {
  const names = entries.map((entry) => entry.name).join(', ');
  const found = name === undefined ? (entries.length === 1 ? entries[0] : undefined) : entries.find((entry) => entry.name === name);
  if (found !== undefined) return found;
  throw new UsageError(
    name === undefined ? `name one of its functions with --entry: ${names}` : `there is no function '${name}'; it has ${names}`,
  );
}

function namedValues(text: string): (readonly [string, string])[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const at = line.indexOf('=');
      if (at <= 0) throw new UsageError(`--input wants NAME=FILE, not '${line}'`);
      return [line.slice(0, at), line.slice(at + 1)] as const;
    });
}

function resultsOf(tree: ResultTree, result: unknown, path = ''): NamedResult[] {
  const inner = (key: string): string => (path === '' ? key : `${path}.${key}`);
  switch (tree.kind) {
    case 'tensor': {
      const data = result as TypedArray;
      return [{ path, data, shape: shapeOf(tree.shape, data.length) }];
    }
    case 'list':
      return tree.items.flatMap((item, i) => resultsOf(item, (result as unknown[])[i], inner(String(i))));
    case 'record':
      return tree.items.flatMap((item, i) => resultsOf(item, (result as Record<string, unknown>)[tree.keys[i]!], inner(tree.keys[i]!)));
    case 'static':
      return [];
    default:
      return tree satisfies never;
  }
}

/** Of a shape with one open dimension that is the rest; with more it is told flat. */
function shapeOf(shape: readonly (number | string)[], length: number): readonly number[] {
  const open = shape.filter((d) => typeof d === 'string').length;
  if (open > 1) return [length];
  const known = shape.reduce<number>((n, d) => n * (typeof d === 'number' ? d : 1), 1);
  return shape.map((d) => (typeof d === 'number' ? d : length / known));
}
