// The `.d.ts` of a built module: functions with the names and literal shapes of the model, and its doc comments.
import type { ArgumentTree } from '../../../runtime/artifact/description.ts';
import { arrayNames } from '../../../runtime/executable.ts';
import { dtypeName } from '../../frontend/dtypes.ts';
import type { BuiltDim, BuiltEntry, BuiltModel, BuiltPort, ResultTree } from '../model.ts';
import { formula } from './describe.ts';
import { docComment, key, literal, parameterName } from './text.ts';

export function declaration({ entries }: BuiltModel): string {
  const declared = entries.map(
    (entry, i) => `${docOf(entry)}declare const e${i}: EntryOf<${callType(entry)}>;\nexport { e${i} as ${entry.name} };\n`,
  );
  const instance = `Instance<{ ${entries.map((entry, i) => `readonly ${key(entry.name)}: typeof e${i}`).join('; ')} }>`;
  return `import type { Elements, EntryOf, Given, Instance, LoadOptions, StateEntry } from 'fluxion/runtime';

${declared.join('\n')}
/** Loads weights and the best target that the host has, before which only \`async\` calls work; again to begin anew. */
export declare const load: (options?: LoadOptions) => Promise<${instance}>;
/** A model beside the one that the functions of this module run, with a state of its own. */
export declare const instantiate: (options?: LoadOptions) => Promise<${instance}>;
/** The weights as they are by now, by their keys. */
export declare const state: () => Promise<Map<string, StateEntry>>;
/** The same as a safetensors file, which \`load({ weights })\` goes on from. */
export declare const save: () => Promise<Uint8Array<ArrayBuffer>>;
`;
}

const dims = (shape: readonly BuiltDim[]): string =>
  `[${shape.map((d) => (typeof d === 'number' ? String(d) : literal(formula(d)))).join(', ')}]`;
export const dimsText = (shape: readonly BuiltDim[]): string =>
  `[${shape.map((d) => (typeof d === 'number' ? String(d) : `${d.dim} ${d.min} to ${d.max}`)).join(', ')}]`;

function docOf(entry: BuiltEntry): string {
  const { doc, inputs, parameters, numbers } = entry;
  const told = parameters.map(({ name, tree }, i) => {
    const parameter = parameterName(name, i);
    if (tree.kind === 'tensor') return `@param ${parameter} ${portText(inputs[tree.index]!)}`;
    if (tree.kind === 'number') return `@param ${parameter}${numbers[tree.index]!.doc === undefined ? '' : ` ${numbers[tree.index]!.doc}`}`;
    return undefined;
  });
  return docComment([doc, ...told]);
}

const portText = ({ dtype, shape, doc }: BuiltPort): string =>
  `${dtypeName(dtype)} ${dimsText(shape)}${doc === undefined ? '' : `: ${doc}`}`;

function callType({ parameters, inputs, result }: BuiltEntry): string {
  const taken = new Set<string>();
  const list = parameters.map(({ name, tree }, i) => {
    const wanted = parameterName(name, i);
    const own = taken.has(wanted) ? `p${i}_` : wanted;
    taken.add(own);
    return `${own}: ${argumentType(tree, inputs)}`;
  });
  return `(${list.join(', ')}) => ${resultType(result)}`;
}

function argumentType(tree: ArgumentTree, inputs: readonly BuiltPort[]): string {
  switch (tree.kind) {
    case 'tensor': {
      const { dtype, shape } = inputs[tree.index]!;
      return `Given<${arrayNames[dtype]}, ${dims(shape)}>`;
    }
    case 'number':
      return 'number';
    case 'list':
      return `readonly [${tree.items.map((item) => argumentType(item, inputs)).join(', ')}]`;
    case 'record':
      return `{ ${tree.keys.map((name, i) => `readonly ${key(name)}: ${argumentType(tree.items[i]!, inputs)}`).join('; ')} }`;
    default:
      return tree satisfies never;
  }
}

function resultType(tree: ResultTree): string {
  switch (tree.kind) {
    case 'tensor':
      return `Elements<${arrayNames[tree.dtype]}, ${dims(tree.shape)}>`;
    case 'list':
      return `readonly [${tree.items.map(resultType).join(', ')}]`;
    case 'record':
      return `{ ${tree.keys.map((name, i) => `readonly ${key(name)}: ${resultType(tree.items[i]!)}`).join('; ')} }`;
    case 'static':
      return literal(tree.value);
    default:
      return tree satisfies never;
  }
}
