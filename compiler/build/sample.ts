// Records a declared function once for given sizes: twice in truth, so that whatever is not the same in every call is found.
import { readSync } from '../../runtime/buffer.ts';
import { evaluateHost, type HostExpr } from '../../runtime/host.ts';
import { type InputSpec, type SpecLeaf, specLeaves } from '../frontend/aot.ts';
import type { HostCounter } from '../frontend/call.ts';
import { type AheadCall, type AheadSource, recordAhead } from '../frontend/compile/ahead.ts';
import { elementOf } from '../frontend/dtypes.ts';
import { type Rest, sameRest } from '../frontend/pytree.ts';
import type { Aval } from '../ir/aval.ts';
import { type Graph, type Node, postorder, type Value } from '../ir/node.ts';
import { print } from '../ir/print.ts';
import { BuildError, type Diagnostic, type Place, placeOfLine, type Texts } from './diagnostic.ts';
import type { Declared } from './entry.ts';
import type { Sizes } from './shapes.ts';
import type { Written } from './sources.ts';

/** A number of a launch: of an argument, or an expression. */
export type SlotSource =
  | { readonly kind: 'number'; readonly index: number }
  | { readonly kind: 'host'; readonly expr: HostExpr<HostCounter> };
/** What each input of the graph stands for. */
export type EntrySource = Exclude<AheadSource, { kind: 'slot' }> | SlotSource;

export type Sample = { readonly sizes: Sizes; readonly call: AheadCall; readonly sources: readonly EntrySource[] };

export const diagnostic = (place: Place, message: string): Diagnostic => ({
  file: place.file,
  line: place.line,
  column: place.column,
  code: 'COMPILE',
  message,
});

/** A mistake at a place. */
export const at = (place: Place, message: string): BuildError => new BuildError([diagnostic(place, message)]);

/** Numbers that arguments have while recording, on either side of 1, so that most that is done with them on the host shows. */
const trialNumbers = [0.6180339887498949, 2.23606797749979] as const;

/** Throws BuildError, or what the function throws. */
export function sampleOf({ declaration, written }: Declared, leaves: readonly SpecLeaf[], sizes: Sizes, texts: Texts): Sample {
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

export function sameInput(a: AheadSource | EntrySource, b: AheadSource | EntrySource): boolean {
  if (a.kind === 'argument' && b.kind === 'argument') return a.index === b.index;
  if (a.kind === 'state' && b.kind === 'state') return a.storage === b.storage;
  if (a.kind !== 'constant' || b.kind !== 'constant') return false;
  const [x, y] = [readSync(a.buffer()), readSync(b.buffer())];
  return x.length === y.length && x.every((value: number | bigint, i: number) => Object.is(value, y[i]));
}

export function sameExpr(a: HostExpr<HostCounter> | undefined, b: HostExpr<HostCounter> | undefined): boolean {
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
export const placeOfNode = ({ loc }: Node, texts: Texts): Place | undefined =>
  typeof loc?.site === 'string' ? placeOfLine(loc.site, texts) : undefined;

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
