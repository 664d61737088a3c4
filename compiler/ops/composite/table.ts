// All composites by name, and how one is recorded: as one node, whose body is built once per name, options and operand types.
import { InternalError } from '../../../runtime/errors.ts';
import { type Aval, sameAval } from '../../ir/aval.ts';
import { build, region } from '../../ir/builder.ts';
import { dimKey, mix, type Params } from '../../ir/codec.ts';
import { avalOf, type Graph, type NodeOf, type Value } from '../../ir/node.ts';
import * as activation from './activation.ts';
import { scaledDotProductAttention } from './attention.ts';
import { constrain } from './constrain.ts';
import { crossEntropy, crossEntropyOfProbabilities, nllLoss } from './crossEntropy.ts';
import { dropout } from './dropout.ts';
import { stopGradient, withHistory } from './history.ts';
import * as linalg from './linalg.ts';
import * as loss from './loss.ts';
import { batchNorm, batchNormEval, groupNorm, layerNorm, rmsNorm } from './normalize.ts';
import * as pairs from './pairs.ts';
import { avgPool, maxPool, maxPoolIndices } from './pooling.ts';
import type { AnyComposite, Applied, CompositeRule } from './rule.ts';
import { logSoftmax, logsumexp, softmax } from './softmax.ts';
import { mean, norm, std, variance, xlogy } from './statistics.ts';

export const composites = {
  ...activation,
  ...loss,
  ...linalg,
  ...pairs,
  ...{ softmax, logSoftmax, logsumexp },
  ...{ nllLoss, crossEntropy, crossEntropyOfProbabilities },
  ...{ layerNorm, rmsNorm, batchNorm, batchNormEval, groupNorm },
  ...{ mean, variance, std, norm, xlogy },
  ...{ maxPool, maxPoolIndices, avgPool },
  ...{ scaledDotProductAttention, dropout },
  ...{ stopGradient, withHistory, constrain },
};

export type CompositeName = keyof typeof composites;
export const compositeNames = Object.keys(composites) as readonly CompositeName[];
export type CompositeInputs<N extends CompositeName> = (typeof composites)[N] extends CompositeRule<infer I, infer _P> ? I : never;
export type CompositeParams<N extends CompositeName> = (typeof composites)[N] extends CompositeRule<infer _I, infer P> ? P : never;

/** The rule of a name that a graph holds; undefined where the graph came from a text that uses names of its own. */
export const ruleOf = (name: string): AnyComposite | undefined =>
  Object.hasOwn(composites, name) ? (composites[name as CompositeName] as unknown as AnyComposite) : undefined;

/** A composite node as its rule sees it. */
export const applied = (n: NodeOf<'composite'>): Applied<readonly Value[], Params> => ({
  inputs: n.inputs,
  results: n.values,
  params: n.attrs.params,
  composite: recordComposite,
});

/** One body: kept with the very attributes that a node gets, whose hash keys are then known. */
type Body = {
  readonly avals: readonly Aval[];
  readonly attrs: { readonly name: string; readonly params: Params };
  readonly regions: readonly [Graph];
};

/** Bodies by a hash of name, options and operand types; a hit is confirmed by equality. */
const bodies = new Map<number, Body[]>();
let kept = 0;
/** A program that meets ever new shapes must not hold all their bodies: at this many they are dropped, and the live ones built again. */
const maxBodies = 4096;

/** Records the composite `name` as one node and gives its results. */
export function composite<N extends CompositeName>(name: N, inputs: CompositeInputs<N>, params: CompositeParams<N>): readonly Value[] {
  return recordComposite(name, inputs, params);
}

/** The same for a name that a graph holds, with its options as they stand there. */
export function recordComposite(name: string, inputs: readonly Value[], params: Params): readonly Value[] {
  const { attrs, regions } = bodyOf(name, inputs, params);
  return build('composite', inputs, attrs, regions).values;
}

function bodyOf(name: string, inputs: readonly Value[], params: Params): Body {
  const key = keyOf(name, inputs, params);
  const bucket = bodies.get(key);
  if (bucket !== undefined) for (const body of bucket) if (fits(body, name, inputs, params)) return body;
  if (kept >= maxBodies) {
    bodies.clear();
    kept = 0;
  }
  const rule = ruleOf(name);
  if (rule === undefined) throw new InternalError(`there is no composite '${name}'`);
  const avals = inputs.map(avalOf);
  const body: Body = { avals, attrs: { name, params: { ...params } }, regions: [region(avals, (xs) => rule.body(xs, params))] };
  kept++;
  if (bodies.has(key)) bodies.get(key)!.push(body);
  else bodies.set(key, [body]);
  return body;
}

function keyOf(name: string, inputs: readonly Value[], params: Params): number {
  let h = textKey(name);
  for (const v of inputs) {
    const { dtype, shape } = avalOf(v);
    h = mix(h, dtype.charCodeAt(0) * 256 + dtype.charCodeAt(1));
    for (const d of shape) h = mix(h, dimKey(d));
  }
  for (const option in params) h = mix(h, optionKey(params[option]!));
  return h;
}

type Option = Params[string];
function optionKey(v: Option): number {
  switch (typeof v) {
    case 'number':
      return v | 0;
    case 'boolean':
      return v ? 1 : 0;
    case 'string':
      return textKey(v);
    default:
      return v.reduce(mix, v.length);
  }
}
/** Ends and length tell our few names apart well enough; a collision only costs a comparison. */
const textKey = (t: string): number =>
  mix(t.length, t.charCodeAt(0) * 65536 + t.charCodeAt(t.length >> 1) * 256 + t.charCodeAt(t.length - 1));

const sameOption = (a: Option, c: Option | undefined): boolean =>
  Object.is(a, c) || (typeof a === 'object' && typeof c === 'object' && a.length === c.length && a.every((v, i) => Object.is(v, c[i])));

function fits(body: Body, name: string, inputs: readonly Value[], params: Params): boolean {
  if (body.attrs.name !== name || body.avals.length !== inputs.length) return false;
  for (let i = 0; i < inputs.length; i++) {
    const known = body.avals[i]!;
    const given = avalOf(inputs[i]!);
    if (known !== given && !sameAval(known, given)) return false;
  }
  let options = 0;
  for (const option in params) {
    if (!sameOption(params[option]!, body.attrs.params[option])) return false;
    options++;
  }
  return options === Object.keys(body.attrs.params).length;
}
