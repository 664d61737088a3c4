// The graph of gradients as users walk it, against PyTorch's: every differentiable function of the oracle, name by name and edge by edge.
import { describe, expect, it } from 'vitest';
import * as fx from '../../compiler/index.ts';
import { calls as linalgCalls } from '../linalg/calls.ts';
import { type Args, type Call, calls } from './calls.ts';
import { readOracle, type Stored, tensorOf } from './tensors.ts';

type T = fx.Tensor;
type Recorded = {
  readonly name: string;
  readonly fn: string;
  readonly inputs: readonly (Stored | null)[];
  readonly args: Args;
  readonly grads?: readonly (Stored | null)[];
};
type Case = { readonly file: string; readonly name: string; readonly trees: readonly string[] } & Partial<Omit<Recorded, 'name'>>;

/** Functions that only this file calls. */
const own: Readonly<Record<string, Call>> = {
  div: ([x], args) => fx.div(args.numerator as number, x!),
  sub: ([x], args) => fx.sub(args.from as number, x!),
  pow: ([x, y], args) => (args.base === undefined ? fx.pow(x!, y ?? (args.exponent as number)) : fx.pow(args.base as number, x!)),
  split: ([x], args) => x!.split(args.splitSize as number, args.dim as number),
  select: ([x], args) => x!.select(args.dim as number, args.index as number),
  squeeze: ([x], args) => (args.dim === undefined ? x!.squeeze() : x!.squeeze(args.dim as number)),
  t: ([x]) => x!.t(),
  reshape: ([x], args) => (args.of === undefined ? x! : x!.t()).reshape(args.shape as number[]),
  view: ([x], args) => x!.view(args.shape as number[]),
  expand: ([x], args) => x!.expand(args.shape as number[]),
  roll: ([x], args) => x!.roll(args.shifts as number, args.dim as number),
  trace: ([x]) => x!.trace(),
  clone: ([x]) => x!.clone(),
  contiguous: ([x]) => x!.t().contiguous(),
  max: ([x], args) => (args.dim === undefined ? x!.max() : Object.values(x!.max(args.dim as number)).slice(0, 1)),
  index: (inputs, args) => fx.index(inputs[0]!, ...(args.index as unknown[]).map((i) => indexOf(i, inputs))),
  clamp: ([x, y], args) => (args.bound === undefined ? x!.clamp(args.min as number, args.max as number) : x!.clamp(undefined, y!)),
  abs_: ([x]) => x!.mul(1).abs_(),
  mulView: ([x]) => x!.mul(1).select(0, 0).mul_(2),
};
type StoredIndex =
  | number
  | { readonly input: number }
  | { readonly start: number | null; readonly stop: number | null; readonly step: number | null };
function indexOf(stored: unknown, inputs: readonly T[]): fx.Index {
  const i = stored as StoredIndex;
  if (typeof i === 'number') return i;
  return 'input' in i ? inputs[i.input]! : fx.range(i.start ?? undefined, i.stop ?? undefined, i.step ?? undefined);
}

function treeOf(fn: fx.GradFn | null, index: number, leaves: readonly (T | undefined)[]): string {
  if (fn === null) return '-';
  if (fn.variable !== undefined) return `#${leaves.indexOf(fn.variable)}`;
  const inner = fn.nextFunctions.map(([next, at]) => treeOf(next, at, leaves));
  return `${fn.name}${index === 0 ? '' : `:${index}`}(${inner.join(', ')})`;
}

const files = new Map<string, ReadonlyMap<string, Recorded>>();
function callOf(c: Case): Recorded {
  if (c.fn !== undefined) return c as Recorded;
  if (!files.has(c.file)) files.set(c.file, new Map(readOracle<{ cases: readonly Recorded[] }>(c.file).cases.map((d) => [d.name, d])));
  return files.get(c.file)!.get(c.name)!;
}

function ours(c: Case): string[] {
  const { fn, inputs, args, grads } = callOf(c);
  const isFloat = (s: Stored): boolean => s.dtype.startsWith('float');
  const leaves = inputs.map((s, i) => (s === null ? undefined : tensorOf(s, grads === undefined ? isFloat(s) : grads[i] != null)));
  const call =
    c.file === 'linalg' ? (linalgCalls[fn.replace('linalg.', '')] as Call) : c.file === 'names' ? (own[fn] ?? calls[fn]!) : calls[fn]!;
  const result = call(leaves as T[], args);
  return [result].flat().flatMap((t) => (t.gradFn === null ? [] : [treeOf(t.gradFn, fx.autograd.getGradientEdge(t).index, leaves)]));
}

/** Where we mean to differ from PyTorch, by function, and why. */
const reasons = {
  operator: '2 / a is written div(2, a), which is torch.div(2, a) and has the name of that',
  parts: 'one op of ours where PyTorch shows the parts that it is made of, which depend on reductions, weights and versions',
  whole: 'made of other ops here, where PyTorch has a function of its own',
  overload: 'an option that PyTorch has an overload for does not change the op here',
  kernel: 'PyTorch names a kernel of its own, or a detail of its memory layout',
  order: 'products and views in another order, with the same result',
  write: 'a write through a view shows the function that made the part, and its name has no C++ namespace',
  constant: 'piecewise constant: no gradient, so no function',
  view: 'a range that covers a whole dimension is a view of its own here, and a view that changes nothing may be missing',
} as const;
const deliberate: Readonly<Record<string, keyof typeof reasons>> = {
  rdiv: 'operator',
  einsum: 'parts',
  crossEntropy: 'parts',
  l1Loss: 'parts',
  klDiv: 'parts',
  instanceNorm: 'parts',
  repeatInterleave: 'parts',
  cosineSimilarity: 'order',
  normalize: 'overload',
  varMean: 'whole',
  stdMean: 'whole',
  glu: 'whole',
  addmm: 'whole',
  trace: 'whole',
  take: 'whole',
  maskedSelect: 'whole',
  adaptiveAvgPool2d: 'whole',
  'linalg.cross': 'whole',
  'linalg.matrixNorm': 'order',
  'linalg.matrixPower': 'order',
  'linalg.multiDot': 'order',
  'linalg.cond': 'order',
  'linalg.vectorNorm': 'constant',
  div: 'overload',
  sort: 'overload',
  clamp: 'overload',
  softmax: 'overload',
  scaledDotProductAttention: 'kernel',
  index: 'view',
  expand: 'view',
  setIndex: 'write',
  mulView: 'write',
};

const { cases } = readOracle<{ cases: readonly Case[] }>('names');
const differs = (c: Case): boolean => ours(c).join('; ') !== c.trees.join('; ');

describe('the graph of gradients has the names and edges of PyTorch', () => {
  const byFunction = new Map<string, Case[]>();
  for (const c of cases) byFunction.set(callOf(c).fn, [...(byFunction.get(callOf(c).fn) ?? []), c]);

  it.each([...byFunction.keys()].filter((fn) => !Object.hasOwn(deliberate, fn)))('%s', (fn) => {
    for (const c of byFunction.get(fn)!) expect({ [c.name]: ours(c) }).toEqual({ [c.name]: c.trees });
  });
  it('where it differs on purpose, it does, and nowhere more than it did', () => {
    const different = Object.keys(deliberate).map((fn) => byFunction.get(fn)!.filter(differs).length);
    expect(Object.keys(deliberate).filter((_, i) => different[i] === 0)).toEqual([]);
    expect(different.reduce((n, d) => n + d)).toBe(74);
  });
});
