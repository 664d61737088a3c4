// The index map of a view says of each place of the result where its element came from.
import { describe, expect, it } from 'vitest';
import { aval } from '../../compiler/ir/aval.ts';
import { sym } from '../../compiler/ir/dim.ts';
import { avalOf, type Node } from '../../compiler/ir/node.ts';
import { opNames } from '../../compiler/ir/opset.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import { at, eachIndex } from '../../compiler/ops/reference.ts';
import { rules } from '../../compiler/ops/table.ts';
import type { Position } from '../../kernels/loop.ts';
import { axis, constant } from '../../kernels/position.ts';
import { casesOf } from './samples.ts';

const views = opNames.filter((op) => rules[op].lower.kind === 'view');
const place = (i: number): Position => axis(`i${i}`);

/** The operand's position for a result of as many axes as `n` has, by the rule of the view. */
function mapped(n: Node): readonly Position[] {
  const { lower } = rules[n.op] as {
    lower: { kind: 'view'; at: (p: readonly Position[], x: unknown, attrs: object) => readonly Position[] };
  };
  return lower.at(
    n.outputs[0]!.shape.map((_, i) => place(i)),
    avalOf(n.inputs[0]!),
    n.attrs,
  );
}

function valueAt(p: Position, index: readonly number[]): number {
  switch (p.kind) {
    case 'const':
      return p.value as number;
    case 'axis':
      return index[Number(p.axis.slice(1))]!;
    case 'add':
      return valueAt(p.a, index) + valueAt(p.b, index);
    case 'mul':
      return valueAt(p.a, index) * (p.by as number);
    case 'div':
      return Math.floor(valueAt(p.a, index) / (p.by as number));
    case 'mod':
      return valueAt(p.a, index) % (p.by as number);
    case 'value':
      throw new Error('a view depends on no data');
  }
}

describe('views', () => {
  it('are the five movements without filling', () => {
    expect([...views].sort()).toEqual(['expand', 'flip', 'permute', 'reshape', 'slice']);
  });

  it.each(views)('%s: its index map finds what its meaning moves', (op) => {
    for (const { title, node, graph, data } of casesOf(op)) {
      const map = mapped(node);
      const [result] = evaluate(graph, data);
      eachIndex(result!.shape, (index) => {
        const source = map.map((p) => valueAt(p, index));
        expect(at(data[0]!, source), `${title} at [${index}]`).toBe(at(result!, index));
      });
    }
  });

  const reshaped = (from: readonly (number | ReturnType<typeof sym>)[], to: readonly (number | ReturnType<typeof sym>)[]) => {
    const { lower } = rules.reshape;
    if (lower.kind !== 'view') throw new Error('reshape is a view');
    return lower.at(
      to.map((_, i) => place(i)),
      aval('f32', from),
      { shape: to },
    );
  };

  it('divide only by what a reshape splits or merges', () => {
    expect(reshaped([4, 3, 5], [4, 15])).toEqual([
      place(0),
      expect.objectContaining({ kind: 'div' }),
      expect.objectContaining({ kind: 'mod' }),
    ]);
    expect(reshaped([4, 1, 5], [1, 4, 5, 1])).toEqual([place(1), constant(0), place(2)]);
  });

  it('let sizes that are not known yet pass through a reshape', () => {
    const n = sym('n');
    expect(reshaped([n, 3], [1, n, 3])).toEqual([place(1), place(2)]);
  });
});
