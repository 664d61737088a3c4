// A declared function as an entry of a model: recorded at its sizes, with its arguments and its result described.
import type { ArgumentTree } from '../../runtime/artifact/description.ts';
import { webgpuTarget } from '../../runtime/target.ts';
import { type Declaration, dimText, type InputSpec, type SpecLeaf, specLeaves, type TensorSpec } from '../frontend/aot.ts';
import { dtypeName, elementOf } from '../frontend/dtypes.ts';
import { type Rest, sameRest } from '../frontend/pytree.ts';
import { type Graph, isLeaf, postorder } from '../ir/node.ts';
import type { SizeRange } from '../lower/compile.ts';
import type { Diagnostic, Texts } from './diagnostic.ts';
import type { BuiltDim, BuiltPort, BuiltVariant, ResultTree } from './model.ts';
import { fixed, overRange, type SampleAt } from './range.ts';
import { at, diagnostic, placeOfNode, type Sample, sampleOf } from './sample.ts';
import { boundsOf, combinations, dimBehind, maxVariants, openDims } from './shapes.ts';
import type { Written } from './sources.ts';

/** A declared function, as it is exported. */
export type Declared = { readonly name: string; readonly declaration: Declaration; readonly written: Written };

/** What becomes a Program: the graph of one recording, or one graph of several that differ in a size. */
export type Recorded = Pick<Sample, 'call' | 'sources'> & {
  readonly sizes: BuiltVariant['sizes'];
  readonly graph: Graph;
  /** For compilation. */
  readonly open: { readonly sizes: readonly SizeRange[] } | undefined;
};

export type RecordedEntry = Declared & {
  readonly inputs: readonly BuiltPort[];
  readonly numbers: readonly { readonly name: string; readonly doc?: string }[];
  readonly parameters: readonly { readonly name: string; readonly tree: ArgumentTree }[];
  readonly result: ResultTree;
  readonly recordings: readonly Recorded[];
};

/** Throws BuildError, or what the function throws. */
export function recordEntry(declared: Declared, texts: Texts): RecordedEntry {
  const { declaration, written } = declared;
  const { inputs } = declaration;
  const dims = openDims(inputs);
  const [range, second] = dims.filter((d) => 'min' in d);
  if (second !== undefined)
    throw at(written, `two of its dimensions are ranges; list the sizes of one: dim('${second.name}', { sizes: [1, 8] })`);
  demandParameters(declared);
  const all = combinations(dims);
  if (all.length > maxVariants)
    throw at(written, `its dimensions have ${all.length} combinations of sizes; ${maxVariants} are the most that are built`);
  const leaves = inputs.flatMap(({ name, spec }) => specLeaves(name, spec));
  const samples: Sample[] = [];
  const sampleAt: SampleAt = (sizes) => {
    const sample = sampleOf(declared, leaves, sizes, texts);
    samples.push(sample);
    return sample;
  };
  const recordings = all.flatMap((sizes) =>
    range === undefined ? [fixed(sampleAt(sizes))] : overRange(range, sizes, sampleAt, (message) => at(written, message)),
  );
  const docOf = (name: string): { doc?: string } => {
    const doc = written.parameters.find((p) => p.name === name)?.doc;
    return doc === undefined ? {} : { doc };
  };
  const tensors = leaves.filter((leaf): leaf is SpecLeaf & { spec: TensorSpec } => leaf.spec !== 'number');
  return {
    ...declared,
    inputs: tensors.map(({ path, spec }) => ({
      name: path,
      dtype: elementOf(spec.dtype, 'spec'),
      shape: spec.shape.map((d): BuiltDim => (typeof d === 'number' ? d : { dim: d.name, ...boundsOf(d), times: 1, plus: 0 })),
      ...docOf(path),
    })),
    numbers: leaves.filter((leaf) => leaf.spec === 'number').map(({ path }) => ({ name: path, ...docOf(path) })),
    parameters: parametersOf(inputs),
    result: resultOf(declared, samples),
    recordings,
  };
}

/** Descriptions and parameters are in one order; where a name says otherwise, one of them is a mistake. */
function demandParameters({ declaration: { inputs }, written }: Declared): void {
  inputs.forEach(({ name, spec }, i) => {
    const { parameters } = written;
    const other = parameters.findIndex((p) => p.name === name);
    if (other >= 0 && other !== i)
      throw at(written, `input '${name}' is described as number ${i + 1}, but is parameter number ${other + 1} of the function`);
    const type = parameters[i]?.type;
    if (type === 'number' && spec !== 'number') throw at(written, `parameter '${name}' is a number: describe it as 'number'`);
    if (type === 'Tensor' && spec === 'number') throw at(written, `parameter '${name}' is a tensor: describe it by spec([...])`);
  });
}

function parametersOf(inputs: Declaration['inputs']): { name: string; tree: ArgumentTree }[] {
  let tensors = 0;
  let numbers = 0;
  const treeOf = (spec: InputSpec): ArgumentTree => {
    if (spec === 'number') return { kind: 'number', index: numbers++ };
    if (specLeaves('', spec)[0]?.spec === spec) return { kind: 'tensor', index: tensors++ };
    const keys = Object.keys(spec);
    const items = keys.map((key) => treeOf((spec as Readonly<Record<string, InputSpec>>)[key]!));
    return Array.isArray(spec) ? { kind: 'list', items } : { kind: 'record', keys, items };
  };
  return inputs.map(({ name, spec }) => ({ name, tree: treeOf(spec) }));
}

/** The result of all recordings alike, with dimensions that follow from the open ones. */
function resultOf({ declaration, written }: Declared, recordings: readonly Sample[]): ResultTree {
  const dims = openDims(declaration.inputs);
  const [{ call }] = recordings as readonly [Sample];
  const sizes = recordings.map((r) => r.sizes);
  if (recordings.some((r) => !sameRest(r.call.rest, call.rest) || r.call.results.some((aval, i) => aval.dtype !== call.results[i]!.dtype)))
    throw at(written, 'what it gives back has another structure for another size');
  const dimAt = (index: number, axis: number): BuiltDim => {
    const found = dimBehind(
      recordings.map((r) => r.call.results[index]!.shape[axis] as number),
      sizes,
      dims,
    );
    if (found === undefined) throw at(written, `dimension ${axis} of a result does not grow evenly with ${dims.map(dimText).join(', ')}`);
    return found;
  };
  const treeOf = (rest: Rest): ResultTree => {
    switch (rest.kind) {
      case 'tensor': {
        const { dtype, shape } = call.results[rest.index]!;
        if (recordings.some((r) => r.call.results[rest.index]!.shape.length !== shape.length))
          throw at(written, 'a result has another number of dimensions for another size');
        return { kind: 'tensor', index: rest.index, dtype, shape: shape.map((_, axis) => dimAt(rest.index, axis)) };
      }
      case 'list':
        return { kind: 'list', items: rest.items.map(treeOf) };
      case 'record':
        return { kind: 'record', keys: rest.keys, items: rest.items.map(treeOf) };
      case 'static':
        return { kind: 'static', value: rest.value as Extract<ResultTree, { kind: 'static' }>['value'] };
      default:
        return rest satisfies never;
    }
  };
  return treeOf(call.rest);
}

/** What a target that was asked for cannot compute, at the user's line. */
export function unfitFor(target: 'webgpu', { recordings }: RecordedEntry, texts: Texts): Diagnostic | undefined {
  for (const { call } of recordings)
    for (const node of postorder(call.graph.outputs)) {
      const stranger = node.outputs.find(({ dtype }) => !webgpuTarget.dtypes.includes(dtype));
      const place = stranger && !isLeaf(node.op) ? placeOfNode(node, texts) : undefined;
      if (stranger !== undefined && place !== undefined) return diagnostic(place, `${target} has no ${dtypeName(stranger.dtype)}`);
    }
  return undefined;
}
