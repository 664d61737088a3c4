// Constant folding on literals, where every target computes the same bits; and computing once what is the same at every element.
import { type ScalarName, scalar, scalarNames } from '../../../kernels/scalar.ts';
import { type DType, isFloat, isInteger } from '../../../runtime/dtype.ts';
import { b, build } from '../../ir/builder.ts';
import { type Literal, literalBigInt, literalNumber, literalOf } from '../../ir/literal.ts';
import { type Node, shapeOf, type Value } from '../../ir/node.ts';
import { isScalarName } from '../../ir/opset.ts';
import { splatOf } from '../pattern.ts';
import { type Rule, ruleOn } from '../rewrite.ts';
import { splatTo } from './splat.ts';

type Fold<T> = Readonly<Partial<Record<ScalarName, (...x: readonly T[]) => T | boolean>>>;

/** Correctly rounded in every dtype: float64 arithmetic rounded once more gives the same bits (Figueroa 1995). What is absent is not folded. */
const floats = Object.fromEntries(
  (
    [
      'add',
      'sub',
      'mul',
      'div',
      'neg',
      'abs',
      'sign',
      'min',
      'max',
      'recip',
      'sqrt',
      'floor',
      'ceil',
      'trunc',
      'round',
      'eq',
      'ne',
      'lt',
      'le',
    ] as const
  ).map((fn) => [fn, scalar[fn].f64]),
) as Fold<number>;

/** `Math.min` takes no bigint. */
function lesser(x: bigint, y: bigint): bigint {
  if (x < y) return x;
  return y;
}

/** Exact, then wrapped by `literalOf`. */
const integers: Fold<bigint> = {
  add: (x, y) => x! + y!,
  sub: (x, y) => x! - y!,
  mul: (x, y) => x! * y!,
  neg: (x) => -x!,
  min: (x, y) => lesser(x!, y!),
  max: (x, y) => (lesser(x!, y!) === x! ? y! : x!),
  eq: (x, y) => x === y,
  ne: (x, y) => x !== y,
  lt: (x, y) => x! < y!,
  le: (x, y) => x! <= y!,
  bitAnd: (x, y) => x! & y!,
  bitOr: (x, y) => x! | y!,
  bitXor: (x, y) => x! ^ y!,
};

const bools: Fold<bigint> = {
  and: (x, y) => x! & y!,
  or: (x, y) => x! | y!,
  not: (x) => 1n - x!,
  eq: (x, y) => x === y,
  ne: (x, y) => x !== y,
};

/** The literal that a function gives for literals; undefined where targets might differ. */
function folded(fn: ScalarName, operands: readonly Literal[], to: DType): Literal | undefined {
  const { dtype } = operands[0]!;
  if (isFloat(dtype)) {
    const value = floats[fn]?.(...operands.map(literalNumber));
    return value === undefined ? undefined : literalOf(value, to);
  }
  const value = (dtype === 'bool' ? bools : integers)[fn]?.(...operands.map(literalBigInt));
  return value === undefined ? undefined : literalOf(value, to);
}

const range: Readonly<Partial<Record<DType, number>>> = { u8: 2 ** 8, i32: 2 ** 31, i64: 2 ** 53 };

/** A literal in another dtype, where the value is representable or rounds once. */
function castLiteral(l: Literal, to: DType): Literal | undefined {
  if (!isFloat(l.dtype)) {
    const value = literalBigInt(l);
    if (isFloat(to) && (value > 2n ** 53n || value < -(2n ** 53n))) return undefined;
    return literalOf(to === 'bool' ? value !== 0n : value, to);
  }
  const value = literalNumber(l);
  if (to === 'bool') return literalOf(value !== 0, to);
  if (isInteger(to) && !(Math.trunc(value) > (to === 'u8' ? -1 : -range[to]!) && value < range[to]!)) return undefined;
  return literalOf(value, to);
}

const literalsOf = (node: Node): readonly Literal[] | undefined => {
  const literals: Literal[] = [];
  for (const { node: input } of node.inputs) {
    if (input.op !== 'literal') return undefined;
    literals.push(input.attrs.value);
  }
  return literals.length === 0 ? undefined : literals;
};

export const folding: readonly Rule[] = [
  ruleOn('a function of literals is a literal', scalarNames, (node) => {
    const literals = literalsOf(node);
    const value = literals === undefined ? undefined : folded(node.op, literals, node.outputs[0]!.dtype);
    return value === undefined ? undefined : b.literal({ value });
  }),
  ruleOn('a cast of a literal is a literal', ['cast'], ({ inputs: [{ node }], attrs: { to } }) => {
    const value = node.op === 'literal' ? castLiteral(node.attrs.value, to) : undefined;
    return value === undefined ? undefined : b.literal({ value });
  }),
  ruleOn('what is the same at every element is computed once', [...scalarNames, 'cast', 'bitcast'], (node, { shape }) => {
    if (shape.length === 0) return undefined;
    const scalars = node.inputs.map(splatOf);
    return isAll(scalars) ? splatTo(build(node.op, scalars, node.attrs).values[0]!, shape) : undefined;
  }),
  ruleOn('a function of equal expands is an expand', scalarNames, (node) => {
    if (!isScalarName(node.op) || node.inputs.length < 2) return undefined;
    const at = node.inputs
      .map((v) => (splatOf(v) === undefined && v.node.op === 'expand' ? v.node.attrs.at : undefined))
      .find((a) => a !== undefined);
    if (at === undefined) return undefined;
    const inner = node.inputs.map((v) => withoutExpand(v, at));
    return isAll(inner) ? b.expand(build(node.op, inner).values[0]!, { shape: node.outputs[0]!.shape, at }) : undefined;
  }),
];

const isAll = (values: readonly (Value | undefined)[]): values is readonly Value[] => values.every((v) => v !== undefined);

/** What an expand at these axes, or of a 0-d value, is made of, in the shape without them. */
function withoutExpand(v: Value, at: readonly number[]): Value | undefined {
  const scalar = splatOf(v);
  if (scalar !== undefined)
    return splatTo(
      scalar,
      shapeOf(v).filter((_, i) => !at.includes(i)),
    );
  if (v.node.op !== 'expand') return undefined;
  const same = v.node.attrs.at.length === at.length && v.node.attrs.at.every((a) => at.includes(a));
  return same ? v.node.inputs[0] : undefined;
}
