// Functions of the user as regions of control flow: traced, checked, and closed over what they read of the outside.
import { ArgumentError, DTypeError, ShapeError } from '../../../runtime/errors.ts';
import { inline } from '../../autodiff/inline.ts';
import { type Aval, sameAval } from '../../ir/aval.ts';
import { b, full, region } from '../../ir/builder.ts';
import { avalOf, type Graph, type Value } from '../../ir/node.ts';
import { wantsGradient } from '../autograd/wanted.ts';
import { tensor } from '../creation.ts';
import { dtypeName } from '../dtypes.ts';
import { type AnyFunction, avalsOf, sameStructure, type Traced, trace } from '../func/trace.ts';
import { applyToList } from '../op.ts';
import { type Flattened, flatten, type Rest, unflatten } from '../pytree.ts';
import { nextStream } from '../random.ts';
import { leafRecordOf, slotRecordOf } from '../record.ts';
import type { Tensor } from '../tensor.ts';

/** A tree all of whose leaves are tensors: numbers and booleans become tensors without dimensions. */
export function tensorsOf(op: string, tree: unknown, what: string): Flattened {
  const { tensors, rest } = flatten(tree);
  const all = [...tensors];
  const lifted = (r: Rest): Rest => {
    switch (r.kind) {
      case 'tensor':
        return r;
      case 'static':
        if (typeof r.value === 'number' || typeof r.value === 'boolean') return { kind: 'tensor', index: all.push(tensor(r.value)) - 1 };
        throw new ArgumentError(`expected ${what} to be tensors, or arrays and objects of them, got ${kindOf(r.value)}`, { op });
      default:
        return { ...r, items: r.items.map(lifted) };
    }
  };
  return flatten(unflatten(lifted(rest), all));
}

const kindOf = (value: unknown): string => (value === null ? 'null' : typeof value);

/** A traced function as part of a node: what it reads beside its arguments stands in `captures`. */
export type Body = { readonly traced: Traced; readonly avals: readonly Aval[] };

/** Runs `f` once on placeholders of `examples`, in the places of the tensors of `args`. */
export function bodyOf(op: string, f: unknown, args: Rest, examples: readonly Aval[], wanted: readonly boolean[]): Body {
  const traced = trace(op, f as AnyFunction, args, examples, { differentiates: false, wanted });
  return { traced, avals: traced.graph.outputs.map(avalOf) };
}

export const wantedOf = (tensors: readonly Tensor[]): boolean[] => tensors.map(wantsGradient);

/** What the user would fix, where two things differ that must be alike. */
type Difference = { readonly op: string; readonly fix: string; readonly text: (what: string, got: string, wanted: string) => string };

/** Throws where a result has another structure, dtype or shape than what it must fit. */
export function demandFitting(
  { op, fix, text }: Difference,
  got: { readonly rest: Rest; readonly avals: readonly Aval[] },
  wanted: { readonly rest: Rest; readonly avals: readonly Aval[] },
): void {
  if (!sameStructure(got.rest, wanted.rest))
    throw new ArgumentError(text('', structureText(got.rest), structureText(wanted.rest)), { op, fix });
  for (const [i, want] of wanted.avals.entries()) {
    const have = got.avals[i]!;
    if (sameAval(have, want)) continue;
    const which = wanted.avals.length === 1 ? '' : ` ${i}`;
    const Kind = have.dtype === want.dtype ? ShapeError : DTypeError;
    throw new Kind(text(which, typeText(have), typeText(want)), { op, fix });
  }
}

const typeText = ({ dtype, shape }: Aval): string => `${dtypeName(dtype)}[${shape}]`;
function structureText(rest: Rest): string {
  switch (rest.kind) {
    case 'tensor':
      return 'tensor';
    case 'static':
      return kindOf(rest.value);
    case 'list':
      return `[${rest.items.map(structureText).join(', ')}]`;
    case 'record':
      return `{ ${rest.keys.map((key, i) => `${key}: ${structureText(rest.items[i]!)}`).join(', ')} }`;
  }
}

/** What several bodies read of the outside, as operands of one node: tensors first, then numbers. */
export type Outside = {
  readonly captures: readonly Tensor[];
  readonly slots: readonly Value[];
  readonly avals: readonly Aval[];
  /** The inputs of a body, besides its arguments, among values that stand for the outside's. */
  readonly of: (body: Body, values: readonly Value[]) => readonly Value[];
};

export function outsideOf(bodies: readonly Body[]): Outside {
  const captures = [...new Set(bodies.flatMap(({ traced }) => traced.captures))];
  const slots = [...new Set(bodies.flatMap(({ traced }) => traced.slots))];
  const at = new Map<unknown, number>([...captures, ...slots].map((x, i) => [x, i]));
  return {
    captures,
    slots,
    avals: [...avalsOf(captures), ...slots.map(avalOf)],
    of: ({ traced }, values) => [...traced.captures, ...traced.slots].map((x) => values[at.get(x)!]!),
  };
}

/** A region over `args` and the outside; `make` gives its results from those of the body. */
export const regionOf = (
  body: Body,
  args: readonly Aval[],
  outside: Outside,
  make: (results: readonly Value[], outside: readonly Value[]) => readonly Value[],
): Graph =>
  region([...args, ...outside.avals], (inputs) => {
    const values = inputs.slice(args.length);
    return make(inline(body.traced.graph, [...inputs.slice(0, args.length), ...outside.of(body, values)]), values);
  });

/** Records one node over `operands` and the outside. */
export const applyRegions = (
  op: string,
  operands: readonly Tensor[],
  outside: Outside,
  make: (operands: readonly Value[], outside: readonly Value[]) => readonly Value[],
): Tensor[] =>
  applyToList(op, [...operands, ...outside.captures], (values) =>
    make(values.slice(0, operands.length), [...values.slice(operands.length), ...outside.slots]),
  );

/** The number of a counter-based draw, as dropout makes them. */
const isStream = (slot: Value): boolean => slotRecordOf(slot.node).source === nextStream;

/** Throws where a loop's body draws from a generator: it is recorded once, so that every turn would get the same numbers. */
export function demandNoDraws(op: string, { traced }: Body, streamsToo: boolean): void {
  const draws = traced.captures.some((t) => {
    const { node } = t.storage.value;
    return traced.made.has(t) && node.op === 'input' && leafRecordOf(node).draw !== undefined;
  });
  if (!draws && !(streamsToo && traced.slots.some(isStream))) return;
  throw new ArgumentError('the body draws random numbers, which would be the same in every turn, since it is recorded once', {
    op,
    fix: 'draw for all turns before the loop, and give scan or map the numbers as xs',
  });
}

export const drawsStreams = ({ traced }: Body): boolean => traced.slots.some(isStream);

/** The outside in turn `turn`: counter-based draws get a stream of their own in every turn. */
export const inTurn = (outside: Outside, values: readonly Value[], turn: Value): readonly Value[] =>
  values.map((v, i) => {
    const slot = outside.slots[i - outside.captures.length];
    return slot !== undefined && isStream(slot) ? b.threefry(full(0, avalOf(v)), v, turn) : v;
  });
