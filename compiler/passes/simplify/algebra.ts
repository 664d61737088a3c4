// Algebra that holds bit for bit in IEEE arithmetic and in wrapping integers. Each rule lowers the number of nodes or the cost of one,
// or brings constants to the right.
import { isInteger } from '../../../runtime/dtype.ts';
import { b, build } from '../../ir/builder.ts';
import { literalNumber, literalOf } from '../../ir/literal.ts';
import { dtypeOf, shapeOf, type Value } from '../../ir/node.ts';
import { literalIn, number, p, value } from '../pattern.ts';
import { type Rule, rule, ruleOn } from '../rewrite.ts';
import { splatTo } from './splat.ts';

const [x, y] = [value('x'), value('y')];
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
];
