// PyTorch's answers in linear algebra: values, gradients, and what is refused.
import { describe, expect, it } from 'vitest';
import { autograd, FluxionError, linalg, type Tensor, tensor } from '../../compiler/index.ts';
import { difference, readOracle, type Stored, tensorOf } from '../oracle/tensors.ts';

type Args = Readonly<Record<string, unknown>>;
type Case = {
  readonly name: string;
  readonly fn: string;
  readonly inputs: readonly Stored[];
  readonly args: Args;
  readonly outputs?: readonly Stored[];
  readonly grads?: readonly (Stored | null)[];
  readonly error?: string;
};

/** Numbers that JSON cannot say are texts; so are orders with a name. */
const order = (v: unknown): linalg.MatrixOrder | undefined =>
  v === 'Infinity' || v === '-Infinity' ? Number(v) : (v as linalg.MatrixOrder);

const calls: Readonly<Record<string, (x: readonly Tensor[], args: Args) => Tensor | readonly Tensor[]>> = {
  det: ([A]) => linalg.det(A!),
  slogdet: ([A]) => Object.values(linalg.slogdet(A!)),
  inv: ([A]) => linalg.inv(A!),
  matrixPower: ([A], { n }) => linalg.matrixPower(A!, n as number),
  solve: ([A, B], args) => linalg.solve(A!, B!, args),
  cholesky: ([A], args) => linalg.cholesky(A!, args),
  solveTriangular: ([A, B], args) => linalg.solveTriangular(A!, B!, args as linalg.TriangularOptions),
  qr: ([A], args) => Object.values(linalg.qr(A!, args)),
  svdvals: ([A]) => linalg.svdvals(A!),
  pinv: ([A]) => linalg.pinv(A!),
  matrixRank: ([A]) => linalg.matrixRank(A!),
  cond: ([A], { p }) => linalg.cond(A!, order(p)),
  matrixNorm: ([A], { ord, dim, keepdim }) =>
    linalg.matrixNorm(A!, order(ord), dim as [number, number] | undefined, { keepdim: keepdim === true }),
  vectorNorm: ([x], { ord, dim }) => linalg.vectorNorm(x!, order(ord) as number | undefined, dim as number | undefined),
  eigvalsh: ([A], args) => linalg.eigvalsh(A!, args),
  lstsqSolution: ([A, B]) => linalg.lstsq(A!, B!).solution,
  multiDot: (xs) => linalg.multiDot(xs),
  cross: ([x, y]) => linalg.cross(x!, y!),
};

function cotangent(t: Tensor): Tensor {
  return tensor(
    Float64Array.from({ length: t.numel() }, (_, k) => ((k % 7) + 1) / 4),
    { dtype: t.dtype },
  ).reshape(t.shape);
}

function run(c: Case): { readonly inputs: readonly Tensor[]; readonly outputs: readonly Tensor[] } {
  const inputs = c.inputs.map((s, i) => tensorOf(s, c.grads?.[i] != null));
  const result = calls[c.fn.replace('linalg.', '')]!(inputs, c.args);
  return { inputs, outputs: Array.isArray(result) ? (result as Tensor[]) : [result as Tensor] };
}

/** Elimination in another order of operations moves the last digits, the more the worse the condition. */
const slack = 32;

function expectAsPyTorch(c: Case): void {
  const { inputs, outputs } = run(c);
  const roots = outputs.filter((t) => t.requiresGrad);
  if (c.grads !== undefined) autograd.backward(roots, roots.map(cotangent));
  const found = [
    ...outputs.map((t, i) => difference(t, c.outputs![i]!, slack)),
    ...(c.grads ?? []).map((g, i) => (g === null ? undefined : difference(inputs[i]!.grad!, g, 4 * slack))),
  ];
  expect(found, c.name).toEqual(found.map(() => undefined));
}

describe('linear algebra is as in PyTorch', () => {
  const { cases } = readOracle<{ cases: readonly Case[] }>('linalg');
  it.each(cases.filter((c) => c.error === undefined))('$name', expectAsPyTorch);
  it.each(cases.filter((c) => c.error !== undefined))('$name is refused', (c) => {
    expect(() => {
      for (const t of run(c).outputs) t.dataSync();
    }).toThrow(FluxionError);
  });
});
