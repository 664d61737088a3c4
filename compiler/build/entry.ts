// Records one declared function at each of its sizes, twice, so that whatever is not the same in every call is found.
import { readSync } from '../../runtime/buffer.ts';
import { evaluateHost, type HostExpr } from '../../runtime/host.ts';
import { webgpuTarget } from '../../runtime/target.ts';
import { type Declaration, dimText, type InputSpec, type SpecLeaf, specLeaves, type TensorSpec } from '../frontend/aot.ts';
import type { HostCounter } from '../frontend/call.ts';
import { type AheadCall, type AheadSource, recordAhead } from '../frontend/compile/ahead.ts';
import { dtypeName, elementOf } from '../frontend/dtypes.ts';
import { type Rest, sameRest } from '../frontend/pytree.ts';
import type { Aval } from '../ir/aval.ts';
import { type Graph, isLeaf, type Node, postorder, type Value } from '../ir/node.ts';
import { print } from '../ir/print.ts';
import { BuildError, type Diagnostic, type Place, placeOfLine, type Texts } from './diagnostic.ts';
import type { ArgumentTree, BuiltDim, BuiltPort, ResultTree } from './model.ts';
import { boundsOf, combinations, dimBehind, maxVariants, openDims, type Sizes } from './shapes.ts';
import type { Written } from './sources.ts';

/** A declared function, as it is exported. */
export type Declared = { readonly name: string; readonly declaration: Declaration; readonly written: Written };

/** A number of a launch: of an argument, or an expression. */
export type SlotSource =
  | { readonly kind: 'number'; readonly index: number }
  | { readonly kind: 'host'; readonly expr: HostExpr<HostCounter> };
/** What each input of the graph stands for. */
export type EntrySource = Exclude<AheadSource, { kind: 'slot' }> | SlotSource;

export type Recorded = {
  readonly sizes: Sizes;
  readonly call: AheadCall;
  readonly sources: readonly EntrySource[];
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
  const range = dims.find((d) => 'min' in d);
  if (range !== undefined)
    throw at(
      written,
      `the dimension ${dimText(range)} is a range; list the sizes that are needed: dim('${range.name}', { sizes: [1, 8] })`,
    );
  demandParameters(declared);
  const all = combinations(dims);
  if (all.length > maxVariants)
    throw at(written, `its dimensions have ${all.length} combinations of sizes; ${maxVariants} are the most that are built`);
  const leaves = inputs.flatMap(({ name, spec }) => specLeaves(name, spec));
  const recordings = all.map((sizes) => recordAt(declared, leaves, sizes, texts));
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
    result: resultOf(declared, recordings),
    recordings,
  };
}

const diagnostic = (place: Place, message: string): Diagnostic => ({
  file: place.file,
  line: place.line,
  column: place.column,
  code: 'COMPILE',
  message,
});

const at = (place: Place, message: string): BuildError => new BuildError([diagnostic(place, message)]);

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

/** Numbers that arguments have while recording, on either side of 1, so that most that is done with them on the host shows. */
const trialNumbers = [0.6180339887498949, 2.23606797749979] as const;

function recordAt({ declaration, written }: Declared, leaves: readonly SpecLeaf[], sizes: Sizes, texts: Texts): Recorded {
  const avals = leaves.flatMap(({ spec }): Aval[] =>
    spec === 'number'
      ? []
      : [{ dtype: elementOf(spec.dtype, 'spec'), shape: spec.shape.map((d) => (typeof d === 'number' ? d : sizes[d.name]!)) }],
  );
  const count = leaves.length - avals.length;
  const [first, second] = trialNumbers.map((trial) => {
    const numbers = Array.from({ length: count }, (_, i) => trial + i);
    const call = recordAhead((placeholders) => {
      const tensors = placeholders.values();
      const given = numbers.values();
      const args = declaration.inputs.map(({ spec }) => argumentOf(spec, tensors, given));
      return (declaration.fn as (...args: unknown[]) => unknown)(...args);
    }, avals);
    return { call, numbers };
  });
  demandPlain(first!.call.rest, written);
  const sources = sourcesOf(first!, second!, written, texts);
  return { sizes, call: first!.call, sources };
}

function argumentOf(spec: InputSpec, tensors: Iterator<unknown>, numbers: Iterator<number>): unknown {
  if (spec === 'number') return numbers.next().value;
  if (specLeaves('', spec)[0]?.spec === spec) return tensors.next().value;
  const items = Object.entries(spec).map(([key, inner]) => [key, argumentOf(inner as InputSpec, tensors, numbers)] as const);
  return Array.isArray(spec) ? items.map(([, value]) => value) : Object.fromEntries(items);
}

type Trial = { readonly call: AheadCall; readonly numbers: readonly number[] };

/** What inputs stand for, by two recordings that differ in the numbers that were passed alone. */
function sourcesOf(a: Trial, b: Trial, written: Written, texts: Texts): EntrySource[] {
  const culprits = `Math.random(), the clock${a.numbers.length > 0 ? ', arithmetic on a number that is passed' : ''} or state that it changes`;
  if (print(a.call.graph) !== print(b.call.graph) || !sameRest(a.call.rest, b.call.rest))
    throw at(written, `it does not do the same in every call: it depends on ${culprits}; pass what differs as a tensor`);
  return a.call.sources.map((source, i): EntrySource => {
    const other = b.call.sources[i]!;
    const refuse = (): BuildError =>
      at(
        placeOfUse(a.call.graph, i, texts) ?? written,
        `a number here is not the same in every call: it depends on ${culprits}; pass what differs as a tensor`,
      );
    if (source.kind === 'slot') {
      if (other.kind !== 'slot' || !sameExpr(source.expr, other.expr)) throw refuse();
      if (source.expr !== undefined) return { kind: 'host', expr: folded(source.expr) };
      if (Object.is(source.value, other.value)) return { kind: 'host', expr: source.value };
      const index = a.numbers.findIndex((n, k) => Object.is(n, source.value) && Object.is(b.numbers[k], other.value));
      if (index < 0) throw refuse();
      return { kind: 'number', index };
    }
    if (source.kind !== other.kind || !sameInput(source, other)) throw refuse();
    return source;
  });
}

function sameInput(a: AheadSource, b: AheadSource): boolean {
  if (a.kind === 'argument' && b.kind === 'argument') return a.index === b.index;
  if (a.kind === 'state' && b.kind === 'state') return a.storage === b.storage;
  if (a.kind !== 'constant' || b.kind !== 'constant') return false;
  const [x, y] = [readSync(a.buffer()), readSync(b.buffer())];
  return x.length === y.length && x.every((value: number | bigint, i: number) => Object.is(value, y[i]));
}

function sameExpr(a: HostExpr<HostCounter> | undefined, b: HostExpr<HostCounter> | undefined): boolean {
  if (a === undefined || b === undefined || typeof a === 'number' || typeof b === 'number') return Object.is(a, b);
  if ('counter' in a || 'counter' in b) return 'counter' in a && 'counter' in b && a.counter.owner === b.counter.owner;
  return a.fn === b.fn && a.args.length === b.args.length && a.args.every((x, i) => sameExpr(x, b.args[i]!));
}

/** With what depends on no counter computed. */
function folded(expr: HostExpr<HostCounter>): HostExpr<HostCounter> {
  if (typeof expr === 'number' || 'counter' in expr) return expr;
  const args = expr.args.map(folded);
  return args.every((x) => typeof x === 'number') ? evaluateHost({ fn: expr.fn, args }, () => 0) : { fn: expr.fn, args };
}

/** The line of the first op that reads an input of a graph. */
function placeOfUse(graph: Graph, input: number, texts: Texts): Place | undefined {
  const user = postorder(graph.outputs).find((node) => (node.inputs as readonly Value[]).includes(graph.inputs[input]!));
  return user && placeOfNode(user, texts);
}
const placeOfNode = ({ loc }: Node, texts: Texts): Place | undefined =>
  typeof loc?.site === 'string' ? placeOfLine(loc.site, texts) : undefined;

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
function resultOf({ declaration, written }: Declared, recordings: readonly Recorded[]): ResultTree {
  const dims = openDims(declaration.inputs);
  const [{ call }] = recordings as readonly [Recorded];
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
        return { kind: 'static', value: rest.value as Plain };
      default:
        return rest satisfies never;
    }
  };
  return treeOf(call.rest);
}

type Plain = Extract<ResultTree, { kind: 'static' }>['value'];

/** What is given back beside tensors can be written down. */
function demandPlain(rest: Rest, written: Written): void {
  if (rest.kind === 'list' || rest.kind === 'record') for (const item of rest.items) demandPlain(item, written);
  if (rest.kind !== 'static' || rest.value === null || ['string', 'number', 'boolean', 'undefined'].includes(typeof rest.value)) return;
  throw at(written, `it gives back ${kindOf(rest.value)}, which cannot be written down; give back tensors, numbers and text`);
}
const kindOf = (value: unknown): string => {
  if (typeof value !== 'object') return `a ${typeof value}`;
  return `an object of class ${Object.getPrototypeOf(value)?.constructor?.name ?? 'unknown'}`;
};

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
