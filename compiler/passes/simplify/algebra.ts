// Algebra that holds bit for bit in IEEE arithmetic and in wrapping integers. Each rule lowers the number of nodes or the cost of one,
// or brings constants to the right.
import { isFloat, isInteger } from '../../../runtime/dtype.ts';
import { b, build } from '../../ir/builder.ts';
import { literalNumber, literalOf } from '../../ir/literal.ts';
import { dtypeOf, shapeOf, type Value } from '../../ir/node.ts';
import { literalIn, number, p, value } from '../pattern.ts';
import { type Rule, rule, ruleOn } from '../rewrite.ts';
import { splatTo } from './splat.ts';

const [c, x, y] = [value('c'), value('x'), value('y')];
const ifInteger = (v: Value): Value | undefined => (isInteger(dtypeOf(v)) ? v : undefined);

/** Powers of two whose reciprocal is normal in every float dtype: dividing by them is multiplying by the reciprocal, rounded alike. */
function exactReciprocal(v: number): number | undefined {
  const exponent = Math.log2(Math.abs(v));
  return Number.isInteger(exponent) && Math.abs(exponent) <= 14 ? 1 / v : undefined;
}

export const algebra: readonly Rule[] = [
  ruleOn(
    'constants stand right',
    ['add', 'mul', 'min', 'max', 'eq', 'ne', 'and', 'or', 'bitAnd', 'bitOr', 'bitXor'],
    ({ op, inputs: [l, r] }) => (literalIn(l) !== undefined && literalIn(r) === undefined ? build(op, [r, l]).values[0]! : undefined),
  ),
  rule('x * 1 = x', p.mul(x, number(1)), ({ x }) => x),
  rule('x * -1 = -x', p.mul(x, number(-1)), ({ x }) => b.neg(x)),
  rule('x / 1 = x', p.div(x, number(1)), ({ x }) => x),
  rule('1 / x = recip x', p.div(number(1), x), ({ x }) => b.recip(x)),
  ruleOn('x / 2^k = x * 2^-k', ['div'], ({ inputs: [l, r] }) => {
    const literal = literalIn(r)?.attrs.value;
    const factor = literal === undefined ? undefined : exactReciprocal(literalNumber(literal));
    return factor === undefined ? undefined : b.mul(l, splatTo(b.literal({ value: literalOf(factor, dtypeOf(r)) }), shapeOf(r)));
  }),
  // x + 0 is no identity: it turns -0 into 0.
  rule('x + (-0) = x', p.add(x, number(-0)), ({ x }) => x),
  rule('x - 0 = x', p.sub(x, number(0)), ({ x }) => x),
  rule('x + 0 = x for integers', p.add(x, number(0)), ({ x }) => ifInteger(x)),
  rule('x ** 1 = x', p.pow(x, number(1)), ({ x }) => x),
  rule('-(-x) = x', p.neg(p.neg(x)), ({ x }) => x),
  rule('x + (-y) = x - y', p.add(x, p.neg(y)), ({ x, y }) => b.sub(x, y)),
  rule('(-x) + y = y - x', p.add(p.neg(x), y), ({ x, y }) => b.sub(y, x)),
  rule('x - (-y) = x + y', p.sub(x, p.neg(y)), ({ x, y }) => b.add(x, y)),
  rule('(-x) * (-y) = x * y', p.mul(p.neg(x), p.neg(y)), ({ x, y }) => b.mul(x, y)),
  rule('(-x) / (-y) = x / y', p.div(p.neg(x), p.neg(y)), ({ x, y }) => b.div(x, y)),
  rule('abs(-x) = abs x', p.abs(p.neg(x)), ({ x }) => b.abs(x)),
  rule('abs(abs x) = abs x', p.abs(p.abs(x)), ({ x }) => b.abs(x)),
  rule('min(x, x) = x', p.min(x, x), ({ x }) => x),
  rule('max(x, x) = x', p.max(x, x), ({ x }) => x),
  ruleOn('rounding twice is rounding once', ['floor', 'ceil', 'trunc', 'round'], ({ inputs: [v] }) =>
    v.node.op === 'floor' || v.node.op === 'ceil' || v.node.op === 'trunc' || v.node.op === 'round' ? v : undefined,
  ),
  rule('not not x = x', p.not(p.not(x)), ({ x }) => x),
  rule('not (x = y) is x != y', p.not(p.eq(x, y)), ({ x, y }) => b.ne(x, y)),
  rule('not (x != y) is x = y', p.not(p.ne(x, y)), ({ x, y }) => b.eq(x, y)),
  rule('x and x = x', p.and(x, x), ({ x }) => x),
  rule('x or x = x', p.or(x, x), ({ x }) => x),
  rule('x and true = x', p.and(x, number(1)), ({ x }) => x),
  rule('x or false = x', p.or(x, number(0)), ({ x }) => x),
  rule('bitNot bitNot x = x', p.bitNot(p.bitNot(x)), ({ x }) => x),
  rule('select(c, x, x) = x', p.select(c, x, x), ({ x }) => x),
  rule('select(true, x, y) = x', p.select(number(1), x, y), ({ x }) => x),
  rule('select(false, x, y) = y', p.select(number(0), x, y), ({ y }) => y),
  rule('select(not c, x, y) = select(c, y, x)', p.select(p.not(c), x, y), ({ c, x, y }) => b.select(c, y, x)),
  rule('select(c, 1, 0) = cast c', p.select(c, number(1), number(0)), ({ c }, { dtype }) => {
    return dtype === 'bool' ? c : b.cast(c, { to: dtype });
  }),
  ...casts(),
];

function casts(): readonly Rule[] {
  /** Dtypes that hold every value of a dtype exactly. */
  const widened: Readonly<Record<string, readonly string[]>> = {
    bool: ['u8', 'i32', 'i64', 'f16', 'f32', 'f64'],
    u8: ['i32', 'i64', 'f16', 'f32', 'f64'],
    i32: ['i64', 'f64'],
    f16: ['f32', 'f64'],
    f32: ['f64'],
  };
  return [
    ruleOn('a cast to the same dtype is none', ['cast', 'bitcast'], ({ inputs: [v], attrs: { to } }) =>
      dtypeOf(v) === to ? v : undefined,
    ),
    ruleOn('a cast of a widening cast is one cast', ['cast'], ({ inputs: [v], attrs: { to } }) => {
      if (v.node.op !== 'cast') return undefined;
      const [inner] = v.node.inputs;
      const from = dtypeOf(inner);
      const via = dtypeOf(v);
      if (!(widened[from]?.includes(via) ?? false)) return undefined;
      // A float too large for an integer has no agreed value, an integer that wraps has: the two ways may differ.
      if (from === to) return inner;
      const isSafe = isFloat(to) || isFloat(from) === isFloat(via) || (widened[from]?.includes(to) ?? false);
      return isSafe ? b.cast(inner, { to }) : undefined;
    }),
  ];
}
