// The derivative rule of a node, looked up; here alone the tie between an op and its rule leaves the types.
import { isFloat } from '../../runtime/dtype.ts';
import { dtypeOf, type Node, type Value } from '../ir/node.ts';
import type { Maybe } from '../ops/composite/rule.ts';
import { rules } from '../ops/table.ts';

export type { Maybe };

/** `Derivative` of some op, with operands as a plain list. */
type AnyDerivative =
  | { readonly kind: 'none' }
  | { readonly kind: 'pointwise'; readonly partials: (x: readonly Value[], y: Value) => readonly Maybe[] }
  | {
      readonly kind: 'linear';
      readonly in: 'jointly' | 'each';
      readonly fixed?: readonly number[];
      readonly transpose: (ct: Value, n: Node, wanted: readonly boolean[]) => readonly Maybe[];
    }
  | {
      readonly kind: 'custom';
      readonly vjp: (cts: readonly Maybe[], n: Node, wanted: readonly boolean[]) => readonly Maybe[];
      readonly jvp: (tangents: readonly Maybe[], n: Node) => readonly Maybe[];
    };

export const derivativeOf = (n: Node): AnyDerivative => rules[n.op].derivative as unknown as AnyDerivative;

/** Integers and bools carry neither tangent nor cotangent. */
export const isContinuous = (v: Value): boolean => isFloat(dtypeOf(v));

/** Tangents go the way of the values, cotangents back. */
export type Mode = 'forward' | 'reverse';

/** Whether a change of some operand can change the results continuously; regions are seen through by those who enter them. */
export function isDifferentiable(n: Node, mode: Mode): boolean {
  switch (n.op) {
    case 'composite':
      return n.attrs.name !== 'stopGradient' || (mode === 'forward' && n.attrs.params.forward === true);
    case 'cond':
    case 'whileLoop':
    case 'scan':
    case 'kernel':
      return true;
    default:
      return derivativeOf(n).kind !== 'none';
  }
}
