// Every pair of dtypes through every kind of op: result dtypes, values and refusals as PyTorch's.
import { describe, expect, it } from 'vitest';
import * as fx from '../../compiler/index.ts';
import { difference, readOracle, type Stored, tensorOf } from './tensors.ts';

/** Function, operands as `dtype[size]` or a number, dtype of the result (null: refused), its elements (or the refusal). */
type Row = readonly [fn: string, x: string, y: string, dtype: fx.DTypeName | null, values: readonly (number | boolean | string)[] | string];

type Two = (x: fx.Tensor, y: fx.Operand) => fx.Tensor;
const functions: Readonly<Record<string, Two>> = {
  add: fx.add,
  sub: fx.sub,
  mul: fx.mul,
  div: fx.div,
  floorDivide: fx.floorDivide,
  remainder: fx.remainder,
  pow: fx.pow,
  lt: fx.lt,
  maximum: fx.maximum,
  bitwiseAnd: fx.bitwiseAnd,
  logicalOr: fx.logicalOr,
  add_: fx.add_,
  sub_: fx.sub_,
  mul_: fx.mul_,
  div_: fx.div_,
  where: (x, y) => fx.where(fx.tensor([true, false, true]), x, y),
  cat: (x, y) => fx.cat([x, y as fx.Tensor]),
};

function operand(text: string, numbers: readonly number[]): fx.Operand {
  const match = /^(\w+)\[(3?)\]$/.exec(text);
  if (match === null) return text === 'true' ? true : Number(text);
  const dtype = match[1] as fx.DTypeName;
  const data = dtype === 'bool' ? [true, false, true] : numbers;
  return tensorOf(match[2] === '3' ? { dtype, shape: [3], data } : { dtype, shape: [], data: data.slice(0, 1) });
}

/** Where we mean to differ, and why. */
const deliberate = (row: Row): string | undefined =>
  row[0] === 'pow' && row[1].startsWith('bool') && row[2] === 'true'
    ? 'a bool to the power of true is an exception of its own in PyTorch'
    : undefined;

describe('promotion', () => {
  const { rows } = readOracle<{ rows: readonly Row[] }>('promotion');

  it.each(Object.keys(functions))('%s', (fn) => {
    const failures: string[] = [];
    for (const row of rows.filter((r) => r[0] === fn && deliberate(r) === undefined)) {
      const [, x, y, dtype, values] = row;
      const run = (): fx.Tensor => functions[fn]!(operand(x, [1, 2, 3]) as fx.Tensor, operand(y, [2, 3, 4]));
      const name = `${fn}(${x}, ${y})`;
      try {
        const result = run();
        if (dtype === null) {
          result.dataSync();
          failures.push(`${name} was not refused: ${String(values)}`);
        } else {
          const what = difference(result, { dtype, shape: result.shape, data: values } as Stored);
          if (what !== undefined) failures.push(`${name}: ${what}`);
          if (result.numel() !== values.length) failures.push(`${name}: ${result.numel()} elements`);
        }
      } catch (error) {
        if (dtype !== null || !(error instanceof fx.FluxionError)) failures.push(`${name}: ${String(error)}`);
      }
    }
    if (failures.length > 0) expect.fail(failures.join('\n'));
  });
});
