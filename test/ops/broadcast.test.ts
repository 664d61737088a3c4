import { describe, expect, it } from 'vitest';
import { b } from '../../compiler/ir/builder.ts';
import type { Value } from '../../compiler/ir/node.ts';
import { broadcastShapes, broadcastTo, castTo, promote, promoteTypes } from '../../compiler/ops/broadcast.ts';
import { evaluate, referenceOf } from '../../compiler/ops/evaluate.ts';
import type { DType } from '../../runtime/dtype.ts';
import { ShapeError } from '../../runtime/errors.ts';

const input = (dtype: DType, ...shape: number[]): Value => b.input({ dtype, shape });
const widest = (dimensioned?: DType, zeroDim?: DType, number?: DType) => ({ dimensioned, zeroDim, number });

// The whole table, op by op, is compared with PyTorch in test/oracle/promotion.slow.test.ts.
describe('promotion', () => {
  it('is to the wider of two', () => {
    expect(promoteTypes('u8', 'i32')).toBe('i32');
    expect(promoteTypes('i64', 'f16')).toBe('f16');
    expect(promoteTypes('bool', 'bool')).toBe('bool');
  });

  it('heeds 0-d tensors and numbers of a higher category only', () => {
    expect(promote(widest('f32', 'f64'))).toBe('f32');
    expect(promote(widest('i32', 'i64', 'i64'))).toBe('i32');
    expect(promote(widest('i32', 'f64'))).toBe('f64');
    expect(promote(widest('u8', undefined, 'f32'))).toBe('f32');
    expect(promote(widest('bool', 'u8', 'i64'))).toBe('u8');
    expect(promote(widest(undefined, undefined, 'i64'))).toBe('i64');
  });
});

describe('broadcasting', () => {
  it('aligns at the last axis and stretches sizes of 1', () => {
    expect(broadcastShapes('add', [3, 1, 2], [4, 1])).toEqual([3, 4, 2]);
    expect(broadcastShapes('add', [], [0, 2])).toEqual([0, 2]);
    expect(broadcastShapes('add', [1], [0])).toEqual([0]);
  });

  it('names sizes, dimension and shapes where it refuses', () => {
    expect(() => broadcastShapes('add', [5, 2], [5, 3])).toThrow(
      'add: The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 1; [5,2] and [5,3] are aligned at their last axes, where sizes must be equal or 1',
    );
    expect(() => broadcastShapes('add', [0], [2])).toThrow(ShapeError);
  });

  it('leaves a value alone that has the shape, and one that has the dtype', () => {
    const x = input('f32', 2, 1);
    expect(broadcastTo(x, [2, 1])).toBe(x);
    expect(castTo(x, 'f32')).toBe(x);
  });

  it('repeats along new axes and axes of size 1', () => {
    const x = input('f64', 2, 1);
    const y = broadcastTo(x, [2, 2, 3]);
    const [result] = evaluate({ inputs: [x], outputs: [y] }, [referenceOf('f64', [2, 1], [5, 7])]);
    expect([...result!.data]).toEqual([5, 5, 5, 7, 7, 7, 5, 5, 5, 7, 7, 7]);
  });
});
