// A branch on data: both functions are recorded, and the device runs the one that is wanted.
import { ArgumentError, DTypeError, ShapeError } from '../../../runtime/errors.ts';
import { b } from '../../ir/builder.ts';
import type { Graph } from '../../ir/node.ts';
import { dtypeName } from '../dtypes.ts';
import { avalsOf } from '../func/trace.ts';
import { isTensor, unflatten } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { applyRegions, type Body, bodyOf, demandFitting, outsideOf, regionOf, tensorsOf, wantedOf } from './regions.ts';

/**
 * `whenTrue(...operands)` or `whenFalse(...operands)`, by a bool that stays on the device: inside `compile` the step remains one Program,
 * where `if (pred.itemSync())` would end it. Both give results of the same structure, shapes and dtypes, and both may read tensors of the
 * outside. As `torch.cond` and `jax.lax.cond`; gradients flow through the branch that ran. A JavaScript boolean picks its branch at once.
 */
export function cond<A extends readonly unknown[], R>(
  pred: Tensor | boolean,
  whenTrue: (...operands: A) => R,
  whenFalse: (...operands: A) => R,
  operands: A = [] as unknown as A,
): R {
  const op = 'cond';
  for (const f of [whenTrue, whenFalse])
    if (typeof f !== 'function')
      throw new ArgumentError(`expected two functions, got ${typeof f}`, { op, fix: 'write cond(p, () => x, () => y)' });
  const given: unknown = operands;
  if (!Array.isArray(given))
    throw new ArgumentError(`the operands come as an array, got ${typeof given}`, { op, fix: 'write cond(p, f, g, [x])' });
  if (typeof pred === 'boolean') return pred ? whenTrue(...operands) : whenFalse(...operands);
  demandTest(op, 'the predicate', pred);
  const { tensors, rest } = tensorsOf(op, operands, 'the operands');
  const avals = avalsOf(tensors);
  const [then, otherwise] = [whenTrue, whenFalse].map((f) => bodyOf(op, f, rest, avals, wantedOf(tensors))) as [Body, Body];
  demandFitting(
    {
      op,
      text: (what, got, wanted) => `the branches differ: result${what} is ${wanted} of the first and ${got} of the second`,
      fix: 'make both return the same structure, shapes and dtypes, by expand() or .to() where they differ',
    },
    { rest: otherwise.traced.result, avals: otherwise.avals },
    { rest: then.traced.result, avals: then.avals },
  );
  const outside = outsideOf([then, otherwise]);
  const results = applyRegions(op, [pred, ...tensors], outside, ([test, ...values], more) =>
    b.cond(
      [test!, ...values, ...more],
      {},
      [then, otherwise].map((body) => regionOf(body, avals, outside, (ys) => ys)) as unknown as readonly [Graph, Graph],
    ),
  );
  return unflatten(then.traced.result, results) as R;
}

/** Throws where `test` is no bool without dimensions. */
export function demandTest(op: string, what: string, test: unknown): asserts test is Tensor {
  if (!isTensor(test))
    throw new ArgumentError(`expected ${what} to be a bool tensor, got ${typeof test}`, { op, fix: 'compare tensors: x.sum().gt(0)' });
  if (test.element !== 'bool')
    throw new DTypeError(`expected ${what} to be bool, got ${dtypeName(test.element)}`, { op, fix: 'compare it: x.ne(0)' });
  if (test.ndim !== 0)
    throw new ShapeError(`expected ${what} to have no dimensions, got shape [${test.shape}]`, { op, fix: 'reduce it by any() or all()' });
}
