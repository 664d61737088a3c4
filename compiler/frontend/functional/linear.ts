// Matrix products: matmul and its relatives, linear layers, einsum.
import { ArgumentError, DTypeError, ShapeError } from '../../../runtime/errors.ts';
import { b } from '../../ir/builder.ts';
import type { Value } from '../../ir/node.ts';
import { demandIntegers, demandTensors, kindOf } from '../arguments.ts';
import { dimOf } from '../dims.ts';
import { apply } from '../op.ts';
import { broadcastShapes, broadcastTo } from '../operands.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';

function demandSameDType(op: string, x: Tensor, y: Tensor): void {
  if (x.element !== y.element)
    throw new DTypeError(`expected both to have the same dtype, but got ${x.dtype} and ${y.dtype}`, { op, fix: 'convert one with .to()' });
  if (x.element === 'bool') throw new DTypeError('is not defined for bool tensors', { op, fix: "convert with .to('float32') first" });
}

/**
 * Matrix product as `torch.matmul`: vectors are rows on the left and columns on the right, leading dimensions broadcast.
 * Throws ShapeError where inner sizes differ, DTypeError where dtypes do.
 */
export function matmul(x: Tensor, y: Tensor): Tensor {
  demandFactors(x, y);
  if (y.ndim <= 2) return apply('matmul', [x, y], (v, w) => b.dot(v, w, { batch: [], contract: [[x.ndim - 1, 0]] }));
  return batched('matmul', x, y);
}

function demandFactors(x: Tensor, y: Tensor): void {
  demandTensors('matmul', x, y);
  if (x.ndim === 0 || y.ndim === 0)
    throw new ShapeError(`both need at least one dimension, got [${x.shape}] and [${y.shape}]`, { op: 'matmul', fix: 'use mul()' });
  demandSameDType('matmul', x, y);
  const inner = x.shape.at(-1)!;
  const other = y.ndim === 1 ? y.shape[0]! : y.shape.at(-2)!;
  if (inner !== other)
    throw new ShapeError(`inner dimensions differ: [${x.shape}] x [${y.shape}] (contracting ${inner} with ${other})`, { op: 'matmul' });
}

/** Leading dimensions broadcast; a vector takes part as a matrix whose extra dimension is dropped from the result. */
function batched(op: string, x: Tensor, y: Tensor): Tensor {
  const xs = x.ndim === 1 ? [1, x.shape[0]!] : x.shape;
  const ys = y.ndim === 1 ? [y.shape[0]!, 1] : y.shape;
  const lead = broadcastShapes('matmul', [xs.slice(0, -2), ys.slice(0, -2)]);
  const n = lead.length;
  const shape = [...lead, ...(x.ndim === 1 ? [] : xs.slice(-2, -1)), ...(y.ndim === 1 ? [] : ys.slice(-1))];
  return apply(op, [x, y], (v, w) => {
    const left = broadcastTo(b.reshape(v, { shape: xs }), [...lead, ...xs.slice(-2)]);
    const right = broadcastTo(b.reshape(w, { shape: ys }), [...lead, ...ys.slice(-2)]);
    const product = b.dot(left, right, { batch: lead.map((_, i) => [i, i] as const), contract: [[n + 1, n]] });
    return b.reshape(product, { shape });
  });
}

/** Product of two matrices; nothing broadcasts. */
export function mm(x: Tensor, y: Tensor): Tensor {
  demandTensors('mm', x, y);
  if (x.ndim !== 2 || y.ndim !== 2)
    throw new ShapeError(`expects two matrices, got [${x.shape}] and [${y.shape}]`, { op: 'mm', fix: 'use matmul()' });
  return matmul(x, y);
}
/** Products of two stacks of matrices. */
export function bmm(x: Tensor, y: Tensor): Tensor {
  demandTensors('bmm', x, y);
  if (x.ndim !== 3 || y.ndim !== 3 || x.shape[0] !== y.shape[0])
    throw new ShapeError(`expects two equally long stacks of matrices, got [${x.shape}] and [${y.shape}]`, { op: 'bmm' });
  demandFactors(x, y);
  return batched('bmm', x, y);
}
/** Matrix times vector. */
export function mv(x: Tensor, y: Tensor): Tensor {
  demandTensors('mv', x, y);
  if (x.ndim !== 2 || y.ndim !== 1) throw new ShapeError(`expects a matrix and a vector, got [${x.shape}] and [${y.shape}]`, { op: 'mv' });
  return matmul(x, y);
}
/** Inner product of two vectors. */
export function dot(x: Tensor, y: Tensor): Tensor {
  demandTensors('dot', x, y);
  if (x.ndim !== 1 || y.ndim !== 1)
    throw new ShapeError(`expects two vectors, got [${x.shape}] and [${y.shape}]`, { op: 'dot', fix: 'use matmul()' });
  return matmul(x, y);
}
/** All products of an element of one vector with one of the other. */
export function outer(x: Tensor, y: Tensor): Tensor {
  demandTensors('outer', x, y);
  if (x.ndim !== 1 || y.ndim !== 1) throw new ShapeError(`expects two vectors, got [${x.shape}] and [${y.shape}]`, { op: 'outer' });
  demandSameDType('outer', x, y);
  return apply('outer', [x, y], (v, w) => b.dot(v, w, { batch: [], contract: [] }));
}

/**
 * x W^T + bias for x [..., in], weight [out, in] and bias [out], as `F.linear`.
 * Throws ShapeError where `in` differs.
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  demandTensors('linear', x, weight);
  if (weight.ndim !== 2) throw new ShapeError(`weight must be [out, in], got [${weight.shape}]`, { op: 'linear' });
  if (x.ndim === 0 || x.shape.at(-1) !== weight.shape[1])
    throw new ShapeError(
      `input [${x.shape}] and weight [${weight.shape}] do not fit: ${x.shape.at(-1) ?? 'no'} features meet ${weight.shape[1]}`,
      { op: 'linear' },
    );
  demandSameDType('linear', x, weight);
  const attrs = { batch: [], contract: [[x.ndim - 1, 1]] as const };
  if (bias === undefined) return apply('linear', [x, weight], (v, w) => b.dot(v, w, attrs));
  if (bias.ndim !== 1 || bias.shape[0] !== weight.shape[0])
    throw new ShapeError(`bias [${bias.shape}] does not fit weight [${weight.shape}]`, { op: 'linear' });
  demandSameDType('linear', x, bias);
  const shape = [...x.shape.slice(0, -1), weight.shape[0]!];
  return apply('linear', [x, weight, bias], (v, w, c) => b.add(b.dot(v, w, attrs), broadcastTo(c, shape)));
}

/** beta * x + alpha * (y @ z). */
export function addmm(x: Tensor, y: Tensor, z: Tensor, options: { readonly beta?: number; readonly alpha?: number } = {}): Tensor {
  demandTensors('addmm', x, y, z);
  const product = mm(y, z);
  return (options.beta === undefined ? x : x.mul(options.beta)).add(product, options.alpha === undefined ? {} : { alpha: options.alpha });
}

/** beta * x + alpha * (y @ z) for stacks of matrices. */
export function baddbmm(x: Tensor, y: Tensor, z: Tensor, options: { readonly beta?: number; readonly alpha?: number } = {}): Tensor {
  demandTensors('baddbmm', x, y, z);
  const product = bmm(y, z);
  return (options.beta === undefined ? x : x.mul(options.beta)).add(product, options.alpha === undefined ? {} : { alpha: options.alpha });
}
/** Products summed over the last dimensions of both. */
export function inner(x: Tensor, y: Tensor): Tensor {
  demandTensors('inner', x, y);
  if (x.ndim === 0 || y.ndim === 0) return x.mul(y);
  return tensordot(x, y, [[-1], [-1]]);
}
/** Products summed over pairs of dimensions, or over the last `dims` of x with the first of y. */
export function tensordot(x: Tensor, y: Tensor, dims: number | readonly [readonly number[], readonly number[]] = 2): Tensor {
  demandTensors('tensordot', x, y);
  const op = 'tensordot';
  if (typeof dims !== 'number' && !Array.isArray(dims))
    throw new ArgumentError(`dims must be a count or two lists, but it is ${kindOf(dims)}`, { op });
  demandSameDType(op, x, y);
  if (typeof dims === 'number' && (!Number.isInteger(dims) || dims < 0 || dims > Math.min(x.ndim, y.ndim)))
    throw new ArgumentError(`cannot sum over ${dims} dimensions of [${x.shape}] and [${y.shape}]`, { op });
  const [left, right] =
    typeof dims === 'number'
      ? [Array.from({ length: dims }, (_, i) => x.ndim - dims + i), Array.from({ length: dims }, (_, i) => i)]
      : dims;
  demandIntegers(op, 'dims[0]', left);
  demandIntegers(op, 'dims[1]', right);
  if (left.length !== right.length) throw new ArgumentError(`dimensions [${left}] and [${right}] must be equally many`, { op });
  const contract = left.map((d, i) => [dimOf(op, d, x.ndim), dimOf(op, right[i]!, y.ndim)] as const);
  for (const [i, j] of contract)
    if (x.shape[i] !== y.shape[j]) throw new ShapeError(`dimension ${i} of [${x.shape}] and ${j} of [${y.shape}] differ`, { op });
  return apply(op, [x, y], (v, w) => b.dot(v, w, { batch: [], contract }));
}
/** Kronecker product: each element of x times the whole of y. */
export function kron(x: Tensor, y: Tensor): Tensor {
  demandTensors('kron', x, y);
  const rank = Math.max(x.ndim, y.ndim);
  const filled = (t: Tensor): number[] => [...new Array<number>(rank - t.ndim).fill(1), ...t.shape];
  const [xs, ys] = [filled(x), filled(y)];
  const product = x.reshape(xs.flatMap((n) => [n, 1])).mul(y.reshape(ys.flatMap((n) => [1, n])));
  return product.reshape(xs.map((n, i) => n * ys[i]!));
}
/** Cross product of vectors of three elements along `dim`. */
export function cross(x: Tensor, y: Tensor, dim = -1): Tensor {
  demandTensors('cross', x, y);
  const shape = broadcastShapes('cross', [x.shape, y.shape]);
  const axis = dimOf('cross', dim, shape.length);
  const [l, r] = [x.expand(shape), y.expand(shape)];
  if (shape[axis] !== 3) throw new ShapeError(`dimension ${axis} of [${shape}] must have size 3`, { op: 'cross' });
  return l
    .roll(-1, axis)
    .mul(r.roll(-2, axis))
    .sub(l.roll(-2, axis).mul(r.roll(-1, axis)));
}
/** Distances between all rows of x [..., P, M] and y [..., R, M]: [..., P, R]. The gradient at 0 is 0. */
export function cdist(x: Tensor, y: Tensor, p = 2): Tensor {
  demandTensors('cdist', x, y);
  if (x.ndim < 2 || y.ndim < 2 || x.shape.at(-1) !== y.shape.at(-1))
    throw new ShapeError(`expects [..., P, M] and [..., R, M], got [${x.shape}] and [${y.shape}]`, { op: 'cdist' });
  return x.unsqueeze(-2).sub(y.unsqueeze(-3)).norm(-1, { p });
}
/** The p-norm of x - y over all elements. */
export function dist(x: Tensor, y: Tensor, p = 2): Tensor {
  demandTensors('dist', x, y);
  return x.sub(y).norm(undefined, { p });
}

/** One operand on its way through einsum: its value and the letter of each axis. */
type Lettered = { readonly value: Value; readonly letters: string };

/**
 * Sums of products by index letters: `einsum('bij,bjk->bik', x, y)`, as `torch.einsum`. Without `->` the result has the letters
 * that occur once, in order. `...` stands for dimensions that broadcast. Operands are contracted from left to right.
 */
export function einsum(equation: string, ...operands: readonly (Tensor | readonly Tensor[])[]): Tensor {
  const tensors = operands.flat() as Tensor[];
  const plan = parseEquation(equation, tensors);
  for (const t of tensors) demandSameDType('einsum', tensors[0]!, t);
  return apply('einsum', tensors, (...values) => {
    let acc: Lettered = diagonal({ value: values[0]!, letters: plan.inputs[0]! }, plan.sizes);
    for (let i = 1; i < values.length; i++) {
      const next = diagonal({ value: values[i]!, letters: plan.inputs[i]! }, plan.sizes);
      const later = plan.output + plan.inputs.slice(i + 1).join('');
      acc = contract(sumAway(acc, next.letters + later), sumAway(next, acc.letters + later), later);
    }
    const done = sumAway(acc, plan.output);
    return b.permute(done.value, { order: [...plan.output].map((l) => done.letters.indexOf(l)) });
  });
}

type Equation = { readonly inputs: readonly string[]; readonly output: string; readonly sizes: ReadonlyMap<string, number> };

/** Letters that stand for the dimensions of an ellipsis; not writable by users. */
const ellipsisLetters = '0123456789';

function parseEquation(equation: string, tensors: readonly Tensor[]): Equation {
  const refuse = (what: string): never => {
    throw new ShapeError(`'${equation}': ${what}`, { op: 'einsum' });
  };
  if (typeof equation !== 'string')
    throw new ArgumentError('the equation must be a string', { op: 'einsum', fix: "write einsum('ij,jk->ik', x, y)" });
  const [left, right, more] = equation.replaceAll(/\s/g, '').split('->');
  const terms = (left ?? '').split(',');
  if (more !== undefined || !/^[A-Za-z.,]*$/.test(left ?? '') || !/^[A-Za-z.]*$/.test(right ?? ''))
    refuse('only letters, commas, one -> and ... have a meaning');
  if (terms.length !== tensors.length) refuse(`${terms.length} terms for ${tensors.length} operands`);
  tensors.forEach((t, i) => {
    if (!isTensor(t)) refuse(`operand ${i} is no tensor`);
  });
  let dots = 0;
  const ranks = terms.map((term, i) => {
    const rank = tensors[i]!.ndim - term.replace('...', '').length;
    if (term.includes('...')) dots = Math.max(dots, rank);
    if (term.includes('...') ? rank < 0 : rank !== 0) refuse(`term '${term}' does not fit shape [${tensors[i]!.shape}]`);
    return rank;
  });
  const spread = (count: number): string => ellipsisLetters.slice(dots - count, dots);
  const inputs = terms.map((term, i) => term.replace('...', spread(ranks[i]!)));
  const sizes = new Map<string, number>();
  for (const [i, letters] of inputs.entries()) {
    for (const [axis, l] of [...letters].entries()) {
      const n = tensors[i]!.shape[axis]!;
      const known = sizes.get(l);
      if (known !== undefined && known !== n && known !== 1 && n !== 1) refuse(`'${l}' is ${known} in one operand and ${n} in another`);
      sizes.set(l, known === undefined || known === 1 ? n : known);
    }
  }
  const all = inputs.join('');
  const implicit =
    spread(dots) +
    [...new Set(all)]
      .filter((l) => !ellipsisLetters.includes(l) && all.indexOf(l) === all.lastIndexOf(l))
      .sort()
      .join('');
  const output = right === undefined ? implicit : right.replace('...', spread(dots));
  if (new Set(output).size !== output.length) refuse('a letter stands twice in the result');
  for (const l of output) if (!sizes.has(l)) refuse(`'${l}' of the result is in no operand`);
  return { inputs, output, sizes };
}

/** A letter that stands twice takes the diagonal; axes of size 1 grow to their letter's size. */
function diagonal({ value, letters }: Lettered, sizes: ReadonlyMap<string, number>): Lettered {
  let v = broadcastTo(
    value,
    [...letters].map((l) => sizes.get(l)!),
  );
  let names = letters;
  for (let i = 0; i < names.length; i++) {
    const j = names.indexOf(names[i]!, i + 1);
    if (j < 0) continue;
    const n = sizes.get(names[i]!)!;
    const rest = [...names].map((_, axis) => axis).filter((axis) => axis !== i && axis !== j);
    const front = b.permute(v, { order: [i, j, ...rest] });
    const others = rest.map((axis) => sizes.get(names[axis]!)!);
    // Element (i, i) of an n x n matrix is every (n + 1)-th of its elements in order.
    const others0 = others.map(() => 0);
    const padded = b.pad(b.reshape(front, { shape: [n * n, ...others] }), zeroLike(v), {
      low: [0, ...others0],
      high: [n, ...others0],
      interior: [0, ...others0],
    });
    const first = b.slice(b.reshape(padded, { shape: [n, n + 1, ...others] }), {
      start: [0, 0, ...others0],
      stop: [n, 1, ...others],
      step: [1, 1, ...others.map(() => 1)],
    });
    v = b.reshape(first, { shape: [n, ...others] });
    names = names[i]! + rest.map((axis) => names[axis]!).join('');
    i = -1;
  }
  return { value: v, letters: names };
}
const zeroLike = (v: Value): Value => b.literal({ value: { dtype: v.node.outputs[v.index]!.dtype, bits: 0n } });

/** Sums over letters that nobody needs any more. */
function sumAway({ value, letters }: Lettered, needed: string): Lettered {
  const axes = [...letters].map((_, i) => i).filter((i) => !needed.includes(letters[i]!));
  return axes.length === 0
    ? { value, letters }
    : { value: b.sum(value, { axes }), letters: [...letters].filter((l) => needed.includes(l)).join('') };
}

/** One dot: shared letters that are needed later are batch axes, the others are contracted. */
function contract(x: Lettered, y: Lettered, later: string): Lettered {
  const shared = [...x.letters].filter((l) => y.letters.includes(l));
  const pair = (l: string): readonly [number, number] => [x.letters.indexOf(l), y.letters.indexOf(l)];
  const batch = shared.filter((l) => later.includes(l));
  const gone = shared.filter((l) => !later.includes(l));
  const free = (o: Lettered): string => [...o.letters].filter((l) => !shared.includes(l)).join('');
  return {
    value: b.dot(x.value, y.value, { batch: batch.map(pair), contract: gone.map(pair) }),
    letters: batch.join('') + free(x) + free(y),
  };
}
