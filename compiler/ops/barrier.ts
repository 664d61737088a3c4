// The rules of barrier: a value that is made again rather than kept. It means its first operand, and says when.
import { b } from '../ir/builder.ts';
import { inFront } from './batching.ts';
import type { RulesFor } from './rules.ts';
import { bool, f32, f64, i64 } from './samples.ts';

export const barrierRules = {
  barrier: {
    doc: 'Its first operand, made no earlier than the second: neither merged with it nor computed before.',
    derivative: { kind: 'linear', in: 'jointly', fixed: [1], transpose: (ct) => [ct, null] },
    batch: { kind: 'custom', rule: ([x, after], [isBatched], size) => [b.barrier(inFront(x!, isBatched!, size), after!)] },
    lower: { kind: 'barrier' },
    reference: ([x]) => [x!],
    samples: [
      { inputs: [f32(2, 3), f32(4)], attrs: {} },
      { inputs: [f64(), i64(2)], attrs: {} },
      { inputs: [bool(0, 2), f32(0)], attrs: {} },
    ],
    refuses: [
      { inputs: [f32(2)], attrs: {}, message: /barrier takes 2 operands, got 1/ },
      { inputs: [f32(2), f32(2), f32(2)], attrs: {}, message: /barrier takes 2 operands, got 3/ },
    ],
    ulp: 0,
  },
} satisfies RulesFor<'barrier'>;
