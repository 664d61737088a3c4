// Accumulators of reductions: scalars inside a row, or arrays in scratch where several rows are walked side by side.
import type { Expr, Position } from '../../kernels/loop.ts';
import { zero } from '../../kernels/position.ts';
import type { ScalarName } from '../../kernels/scalar.ts';
import { type DType, greatest, isFloat, least } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import type { Target } from '../../runtime/target.ts';
import { literalOf } from '../ir/literal.ts';
import { dtypeOf, type Node } from '../ir/node.ts';
import { rules } from '../ops/table.ts';
import { identifier } from './names.ts';
import { declare, emit, loop, type Nest } from './nest.ts';

/** `width` is the number of rows side by side; with 1 the accumulator is a scalar and positions do not count. */
export type Accumulator = {
  readonly node: Node;
  readonly name: string;
  /** Where the best element lies: of arg reductions only. */
  readonly index: string | undefined;
  readonly fn: ScalarName;
  readonly dtype: DType;
  readonly width: number;
  /** The dtype of its parts, if it is summed up in blocks: sums in their own precision lose digits as they grow. */
  readonly partDType: DType | undefined;
};

/** Sums of up to so many floats in their own precision are not cut into blocks; lanes divide a run among them. */
export const longestRun = ({ lanes }: Target, width: number): number => (lanes > 1 && width === 1 ? 1024 : 128);

/** Declares the accumulator of a reduction of `count` elements in the innermost open body, at its identity. */
export function accumulatorFor(nest: Nest, node: Node, target: Target, width: number, count: number): Accumulator {
  const lower = rules[node.op].lower;
  const operand = dtypeOf(node.inputs[0]!);
  const base = identifier(node.name || node.op);
  if (lower.kind === 'argReduction') {
    const fn = lower.fn;
    const best = reserve(nest, `${base}_value`, operand, identity(fn, operand), width);
    const index = reserve(nest, base, 'i32', integer(0), width);
    return { node, name: best, index, fn, dtype: operand, width, partDType: undefined };
  }
  if (lower.kind !== 'reduction') throw new InternalError(`${node.op} is no reduction`, { op: 'lower' });
  const fn = lower.fn;
  const own = fn === 'add' || fn === 'mul' ? target.accumulate[operand] : operand;
  const inBlocks = fn === 'add' && isFloat(own) && own === operand && count > longestRun(target, width);
  // What adds up the blocks of a single row is not in the inner loop, and may be as wide as the target has it.
  const dtype = inBlocks && width === 1 && target.dtypes.includes('f64') ? 'f64' : own;
  const name = reserve(nest, base, dtype, identity(fn, dtype), width);
  return { node, name, index: undefined, fn, dtype, width, partDType: inBlocks ? own : undefined };
}

/** A second accumulator of the same reduction, for a block of its elements. */
export function partOf(nest: Nest, whole: Accumulator): Accumulator {
  const { fn, width, partDType: dtype } = whole;
  if (dtype === undefined) return whole;
  return { ...whole, dtype, partDType: undefined, name: reserve(nest, `${whole.name}_part`, dtype, identity(fn, dtype), width) };
}

function reserve(nest: Nest, base: string, dtype: DType, init: Expr, width: number): string {
  const name = declare(nest, base);
  emit(nest, width === 1 ? { kind: 'var', name, init } : { kind: 'scratch', name, dtype, length: width, init });
  return name;
}

const integer = (value: number): Expr => ({ kind: 'literal', ...literalOf(value, 'i32') });
/** What an empty reduction gives: fn(identity, x) = x. */
export function identity(fn: ScalarName, dtype: DType): Expr {
  const values: Readonly<Record<string, number | bigint>> = { add: 0, mul: 1, max: least[dtype], min: greatest[dtype] };
  const value = values[fn];
  if (value === undefined) throw new InternalError(`${fn} has no identity`, { op: 'lower' });
  return { kind: 'literal', ...literalOf(value, dtype) };
}

const read = ({ name, dtype, width }: Accumulator, at: Position): Expr =>
  width === 1 ? { kind: 'ref', dtype, name } : { kind: 'load', dtype, buffer: name, at };

/** Adds one element, `value`, that lies at `place` of the reduced axis; `at` is its row among those side by side. */
export function accumulate(nest: Nest, a: Accumulator, at: Position, value: Expr, place: Position): void {
  if (a.index !== undefined) {
    accumulateIndex(nest, a, a.index, at, value, place);
    return;
  }
  const cast: Expr = value.dtype === a.dtype ? value : { kind: 'cast', dtype: a.dtype, value };
  emit(
    nest,
    a.width === 1
      ? { kind: 'accumulate', name: a.name, fn: a.fn, value: cast }
      : { kind: 'update', buffer: a.name, at, fn: a.fn, value: cast },
  );
}

/** The first of several equal ones stays; the first NaN stays for good. */
function accumulateIndex(nest: Nest, a: Accumulator, index: string, at: Position, value: Expr, place: Position): void {
  const best = read(a, at);
  const test = (fn: ScalarName, ...args: readonly Expr[]): Expr => ({ kind: 'call', dtype: 'bool', fn, args });
  const isBetter = test('not', a.fn === 'max' ? test('le', value, best) : test('le', best, value));
  const where: Expr = { kind: 'position', dtype: 'i32', at: place };
  emit(nest, {
    kind: 'if',
    // A NaN that is best already makes every comparison false, and `not` true: it must not be replaced.
    test: isFloat(a.dtype) ? test('and', test('eq', best, best), isBetter) : isBetter,
    then:
      a.width === 1
        ? [
            { kind: 'assign', name: a.name, value },
            { kind: 'assign', name: index, value: where },
          ]
        : [
            { kind: 'store', buffer: a.name, at, value },
            { kind: 'store', buffer: index, at, value: where },
          ],
    else: [],
  });
}

/** Adds a finished block to the whole. */
export function fold(nest: Nest, part: Accumulator, whole: Accumulator): void {
  if (whole.width === 1) accumulate(nest, whole, zero, read(part, zero), zero);
  else loop(nest, { name: `${part.name}_at`, extent: whole.width }, 'par', (at) => accumulate(nest, whole, at, read(part, at), at));
}

/** The reduction's result, in its own dtype. */
export function resultOf(a: Accumulator, at: Position): Expr {
  const dtype = dtypeOf(a.node.values[0]!);
  const held: Expr = a.index === undefined ? read(a, at) : read({ ...a, name: a.index, dtype: 'i32' }, at);
  return held.dtype === dtype ? held : { kind: 'cast', dtype, value: held };
}
