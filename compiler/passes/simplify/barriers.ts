// Barriers: what costs nothing to have is not made again, and what is always there is not waited for. Each rule moves a barrier towards inputs.
import { b, build } from '../../ir/builder.ts';
import { isLeaf, type Node } from '../../ir/node.ts';
import { type Rule, ruleOn } from '../rewrite.ts';

const isMovement = ({ op }: Node): boolean => op === 'reshape' || op === 'permute' || op === 'expand' || op === 'slice' || op === 'flip';
const isConstant = ({ op }: Node): boolean => op === 'literal' || op === 'iota' || op === 'size';

export const barriers: readonly Rule[] = [
  ruleOn('a barrier before a constant or a number is none', ['barrier'], ({ inputs: [x] }) =>
    isConstant(x.node) || x.node.op === 'slot' ? x : undefined,
  ),
  ruleOn('a barrier before a view is a view of a barrier', ['barrier'], ({ inputs: [{ node }, after] }) =>
    isMovement(node) ? build(node.op, [b.barrier(node.inputs[0]!, after)], node.attrs).values[0] : undefined,
  ),
  ruleOn('to wait for a view is to wait for what it shows', ['barrier'], ({ inputs: [x, { node }] }) =>
    isMovement(node) ? b.barrier(x, node.inputs[0]!) : undefined,
  ),
  ruleOn('to wait for what is always there is to wait for nothing but oneself', ['barrier'], ({ inputs: [x, after] }) =>
    after !== x && (isLeaf(after.node.op) || isConstant(after.node)) ? b.barrier(x, x) : undefined,
  ),
];
