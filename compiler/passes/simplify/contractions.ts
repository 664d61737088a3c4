// Permutes disappear in the axes of a dot.
import { b } from '../../ir/builder.ts';
import { shapeOf } from '../../ir/node.ts';
import { type Rule, ruleOn } from '../rewrite.ts';

const isAscending = (axes: readonly number[]): boolean => axes.every((axis, i) => i === 0 || axis > axes[i - 1]!);
const free = (rank: number, used: readonly number[]): number[] =>
  Array.from({ length: rank }, (_, i) => i).filter((i) => !used.includes(i));

export const contractions: readonly Rule[] = [
  ruleOn('a dot of a permute takes its axes elsewhere', ['dot'], ({ inputs: [x, y], attrs: { batch, contract } }) => {
    const used = [...batch, ...contract];
    if (x.node.op === 'permute') {
      const { order } = x.node.attrs;
      if (
        isAscending(
          free(
            order.length,
            used.map((p) => p[0]),
          ).map((i) => order[i]!),
        )
      ) {
        const moved = (pairs: typeof batch): typeof batch => pairs.map(([l, r]) => [order[l]!, r] as const);
        return b.dot(x.node.inputs[0], y, { batch: moved(batch), contract: moved(contract) });
      }
    }
    if (y.node.op === 'permute') {
      const { order } = y.node.attrs;
      if (
        isAscending(
          free(
            order.length,
            used.map((p) => p[1]),
          ).map((i) => order[i]!),
        )
      ) {
        const moved = (pairs: typeof batch): typeof batch => pairs.map(([l, r]) => [l, order[r]!] as const);
        return b.dot(x, y.node.inputs[0], { batch: moved(batch), contract: moved(contract) });
      }
    }
    return undefined;
  }),
  ruleOn(
    'a permute of a dot that exchanges its operands is the dot exchanged',
    ['permute'],
    ({ inputs: [v], attrs: { order } }, _result, { isOnce }) => {
      if (v.node.op !== 'dot' || !isOnce(v)) return undefined;
      const [x, y] = v.node.inputs;
      const { batch, contract } = v.node.attrs;
      const batches = batch.length;
      const left = shapeOf(x).length - batches - contract.length;
      const right = shapeOf(y).length - batches - contract.length;
      const exchanged = [
        ...free(batches, []),
        ...free(right, []).map((i) => batches + left + i),
        ...free(left, []).map((i) => batches + i),
      ];
      if (!order.every((axis, i) => axis === exchanged[i])) return undefined;
      const turned = (pairs: typeof batch): typeof batch => pairs.map(([l, r]) => [r, l] as const);
      return b.dot(y, x, { batch: turned(batch), contract: turned(contract) });
    },
  ),
];
