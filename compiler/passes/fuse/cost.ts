// What computing an element costs, in multiples of an addition: the measure by which values are recomputed rather than stored.
import { isScalarName, type OpName } from '../../ir/opset.ts';

/** Functions that are not listed are polynomials or worse, and cost `dear`. */
const cheap: Readonly<Record<string, number>> = {
  ...{ add: 1, sub: 1, mul: 1, neg: 1, abs: 1, min: 1, max: 1, eq: 1, ne: 1, lt: 1, le: 1, and: 1, or: 1, not: 1, select: 1 },
  ...{ bitAnd: 1, bitOr: 1, bitXor: 1, bitNot: 1, shl: 1, shr: 1, sign: 1, floor: 1, ceil: 1, trunc: 1, round: 2 },
  ...{ div: 3, recip: 3, sqrt: 3, rsqrt: 5, sigmoid: 12, threefry: 40 },
};
const dear = 10;

/** Ops that are no scalar function but compute; views and constants cost nothing. */
const structural: Readonly<Record<string, number>> = { cast: 1, bitcast: 1, pad: 1, concat: 2, gather: 2, randomBits: 40 };

/** Cost of one element of an op's result, its operands given. */
export const costOf = (op: OpName): number => (isScalarName(op) ? (cheap[op] ?? dear) : (structural[op] ?? 0));

/** Evaluations that may be repeated instead of storing a value once, for each element of it. */
export const recomputeBudget = 20;
/** What may be evaluated once for each element of a larger space that a value is broadcast to. */
export const broadcastBudget = 2;
/** Additions in the time of a launch: below this, anything is cheaper made again than stored by a kernel of its own. */
export const launchCost = 4096;
/** What may be evaluated again at each reading of a contraction's operand: cost x number of readings. */
export const rereadBudget = 16;
/** Of how many buffers a value may be made and still be made twice: reading them all again costs more than reading it (as in Inductor). */
export const recomputeReads = 4;
