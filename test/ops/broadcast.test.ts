import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { b, lit } from '../../compiler/ir/builder.ts';
import { dtypeOf, shapeOf, type Value } from '../../compiler/ir/node.ts';
import {
  binary,
  broadcastShapes,
  broadcastTo,
  type BinaryName,
  type Num,
  type Operand,
  promote,
  unary,
  where,
} from '../../compiler/ops/broadcast.ts';
import { evaluate, referenceOf } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import type { DType } from '../../runtime/dtype.ts';
import { DTypeError, ShapeError } from '../../runtime/errors.ts';

/** A number as the frontend gives it, but with its value in the graph. */
const number = (value: number | boolean): Num => ({
  number: typeof value === 'boolean' ? 'bool' : Number.isInteger(value) ? 'int' : 'float',
  as: (dtype) => lit(value, dtype),
});
const input = (dtype: DType, ...shape: number[]): Value => b.input({ dtype, shape });

describe('promotion is that of PyTorch', () => {
  type Row = readonly [op: string, x: string, y: string, dtype: string | null, values: string | readonly (number | boolean | string)[]];
  const { rows } = JSON.parse(readFileSync(new URL('../oracle/promotion.json', import.meta.url), 'utf8')) as { rows: readonly Row[] };
  const names: Readonly<Record<string, BinaryName | 'where'>> = {
    add: 'add',
    sub: 'sub',
    mul: 'mul',
    div: 'div',
    floorDivide: 'floorDiv',
    remainder: 'rem',
    pow: 'pow',
    lt: 'lt',
    bitwiseAnd: 'bitAnd',
    maximum: 'max',
    logicalOr: 'or',
    where: 'where',
  };
  const dtypes: Readonly<Record<string, DType>> = { float32: 'f32', float64: 'f64', int32: 'i32', int64: 'i64', uint8: 'u8', bool: 'bool' };
  const operand = (text: string): Operand => {
    const [, name, size] = /^(\w+)\[(\d*)\]$/.exec(text) ?? [];
    if (name === undefined) return number(text === 'true' ? true : Number(text));
    return input(dtypes[name]!, ...(size === '' ? [] : [Number(size)]));
  };
  /** PyTorch's own special case: a bool to the power of true, written as a number. */
  const isSpecial = ([op, x, y]: Row): boolean => op === 'pow' && x.startsWith('bool') && y === 'true';

  it.each(Object.keys(names))('%s', (op) => {
    const mine = rows.filter((row) => row[0] === op && !isSpecial(row) && row[4] !== 'ZeroDivisionError');
    expect(mine.length).toBeGreaterThan(100);
    for (const row of mine) {
      const [, x, y, dtype] = row;
      const compute = (): Value =>
        names[op] === 'where' ? where(lit(true, 'bool'), operand(x), operand(y)) : binary(names[op] as BinaryName, operand(x), operand(y));
      if (dtype === null) expect(compute, `${op}(${x}, ${y})`).toThrow(DTypeError);
      else expect(dtypeOf(compute()), `${op}(${x}, ${y})`).toBe(dtypes[dtype]);
    }
  });

  it('takes float16 beside integers and wider floats', () => {
    expect(promote([input('i64', 3), input('f16')])).toBe('f16');
    expect(promote([input('f16', 3), input('f32', 3)])).toBe('f32');
    expect(promote([input('u8', 3), number(2.5)])).toBe('f32');
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

  it('leaves a value alone that has the shape', () => {
    const x = input('f32', 2, 1);
    expect(broadcastTo(x, [2, 1])).toBe(x);
  });

  it('repeats along new axes and axes of size 1', () => {
    const x = input('f64', 2, 1);
    const y = broadcastTo(x, [2, 2, 3]);
    const [result] = evaluate({ inputs: [x], outputs: [y] }, [referenceOf('f64', [2, 1], [5, 7])]);
    expect([...result!.data]).toEqual([5, 5, 5, 7, 7, 7, 5, 5, 5, 7, 7, 7]);
  });
});

describe('elementwise ops over any operands', () => {
  const run = (output: Value, inputs: readonly Value[], data: readonly Reference[]): Reference =>
    evaluate({ inputs, outputs: [output] }, data)[0]!;

  it('cast, broadcast and compute', () => {
    const [x, y] = [input('i32', 2, 1), input('f64', 2)];
    const result = run(binary('sub', x, y), [x, y], [referenceOf('i32', [2, 1], [10, 20]), referenceOf('f64', [2], [0.5, 1.5])]);
    expect(result).toEqual(referenceOf('f64', [2, 2], [9.5, 8.5, 19.5, 18.5]));
  });

  it('read arithmetic on bools as logic', () => {
    const [x, y] = [input('bool', 4), input('bool', 4)];
    const data = [referenceOf('bool', [4], [0, 0, 1, 1]), referenceOf('bool', [4], [0, 1, 0, 1])];
    expect([...run(binary('add', x, y), [x, y], data).data]).toEqual([0, 1, 1, 1]);
    expect([...run(binary('mul', x, y), [x, y], data).data]).toEqual([0, 0, 0, 1]);
  });

  it('take integers to float32 where the function is not whole', () => {
    expect(dtypeOf(unary('sqrt', input('i64', 2)))).toBe('f32');
    expect(dtypeOf(unary('neg', input('i64', 2)))).toBe('i64');
    expect(dtypeOf(unary('not', input('i64', 2)))).toBe('bool');
  });

  it('refuse bools where PyTorch does, with the way out', () => {
    expect(() => binary('sub', input('bool', 2), number(1))).toThrow(/sub: a bool is not subtracted/);
    expect(() => unary('neg', input('bool', 2))).toThrow(DTypeError);
    expect(() => where(input('f32', 2), number(1), number(2))).toThrow(/where: the condition must be bool, not f32/);
  });

  it('broadcast a condition as well', () => {
    expect(shapeOf(where(input('bool', 2, 1), input('f32', 3), number(0)))).toEqual([2, 3]);
  });
});
