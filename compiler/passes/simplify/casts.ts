// Casts that change nothing, and chains of them that lose nothing on the way.
import { type DType, isFloat } from '../../../runtime/dtype.ts';
import { b } from '../../ir/builder.ts';
import { dtypeOf } from '../../ir/node.ts';
import { type Rule, ruleOn } from '../rewrite.ts';

/** Dtypes that hold every value of a dtype exactly. */
const widened: Readonly<Partial<Record<DType, readonly DType[]>>> = {
  bool: ['u8', 'i32', 'i64', 'f16', 'f32', 'f64'],
  u8: ['i32', 'i64', 'f16', 'f32', 'f64'],
  i32: ['i64', 'f64'],
  f16: ['f32', 'f64'],
  f32: ['f64'],
};

export const casts: readonly Rule[] = [
  ruleOn('a cast to the same dtype is none', ['cast', 'bitcast'], ({ inputs: [v], attrs: { to } }) => (dtypeOf(v) === to ? v : undefined)),
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
