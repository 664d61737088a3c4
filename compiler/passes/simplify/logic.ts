// Logic: conditions, comparisons and choices. Each rule lowers the number of nodes. `not (x < y)` is not `y <= x`: NaN is neither.
import { b } from '../../ir/builder.ts';
import { number, p, value } from '../pattern.ts';
import { type Rule, rule } from '../rewrite.ts';

const [c, x, y] = [value('c'), value('x'), value('y')];

export const logic: readonly Rule[] = [
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
];
