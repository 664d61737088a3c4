// What `fluxion inspect` prints of a built model: texts that the module itself does not carry.

import type { ArgumentTree } from '../../../runtime/artifact/description.ts';
import { dtypeName } from '../../frontend/dtypes.ts';
import { type BuildTarget, type BuiltEntry, type BuiltModel, type BuiltVariant, buildTargets, type ResultTree } from '../model.ts';
import { dimsText } from './declaration.ts';

export const inspectionFormat = 'fluxion inspection 1';

export type InspectedKernel = {
  readonly name: string;
  readonly origin: readonly string[];
  readonly flops: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly source: string;
};
export type InspectedProgram = {
  readonly target: BuildTarget;
  readonly sizes: BuiltVariant['sizes'];
  readonly arenaBytes: number;
  readonly liveBytes: number;
  readonly kernels: readonly InspectedKernel[];
  readonly graph: string;
  readonly fused: string;
  readonly unfused: readonly string[];
};
export type Inspection = {
  readonly format: typeof inspectionFormat;
  readonly name: string;
  readonly source: string;
  readonly entries: readonly {
    readonly name: string;
    /** The call with its shapes: `classify(image: float32 [1, 28, 28]) -> float32 [1, 10]`. */
    readonly signature: string;
    readonly line: number;
    readonly column: number;
    readonly programs: readonly InspectedProgram[];
  }[];
};

export function inspection({ name, source, entries }: BuiltModel): string {
  const data: Inspection = {
    format: inspectionFormat,
    name,
    source: source.path,
    entries: entries.map(({ line, column, variants, ...entry }) => ({
      name: entry.name,
      signature: signatureOf(entry),
      line,
      column,
      programs: variants.flatMap(({ sizes, programs }) =>
        buildTargets.flatMap((target): InspectedProgram[] => {
          const program = programs[target]?.program;
          if (program === undefined) return [];
          const { arenaBytes, liveBytes, notes, kernels } = program;
          const { graph, fused, unfused } = notes;
          const inspected = kernels.map(({ name, origin, flops, bytesRead, bytesWritten, source }) => ({
            name,
            origin,
            flops,
            bytesRead,
            bytesWritten,
            source,
          }));
          return [{ target, sizes, arenaBytes, liveBytes, kernels: inspected, graph, fused, unfused }];
        }),
      ),
    })),
  };
  return `${JSON.stringify(data, undefined, 1)}\n`;
}

/** Names that would break a line are shown as strings. */
const shown = (name: string): string => (/^[\w$.-]+$/.test(name) ? name : JSON.stringify(name));

function signatureOf({ name, parameters, inputs, result }: Pick<BuiltEntry, 'name' | 'parameters' | 'inputs' | 'result'>): string {
  const argument = (tree: ArgumentTree): string => {
    switch (tree.kind) {
      case 'tensor': {
        const { dtype, shape } = inputs[tree.index]!;
        return `${dtypeName(dtype)} ${dimsText(shape)}`;
      }
      case 'number':
        return 'number';
      case 'list':
        return `[${tree.items.map(argument).join(', ')}]`;
      case 'record':
        return `{ ${tree.keys.map((key, i) => `${shown(key)}: ${argument(tree.items[i]!)}`).join(', ')} }`;
      default:
        return tree satisfies never;
    }
  };
  return `${name}(${parameters.map((p) => `${shown(p.name)}: ${argument(p.tree)}`).join(', ')}) -> ${resultText(result)}`;
}

function resultText(tree: ResultTree): string {
  switch (tree.kind) {
    case 'tensor':
      return `${dtypeName(tree.dtype)} ${dimsText(tree.shape)}`;
    case 'list':
      return `[${tree.items.map(resultText).join(', ')}]`;
    case 'record':
      return `{ ${tree.keys.map((key, i) => `${shown(key)}: ${resultText(tree.items[i]!)}`).join(', ')} }`;
    case 'static':
      return JSON.stringify(tree.value) ?? 'undefined';
    default:
      return tree satisfies never;
  }
}
