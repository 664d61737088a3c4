// Nested arrays as users write them: their shape, their elements in order, and their dtype.
import type { DType, TypedArray } from '../../runtime/dtype.ts';
import { ArgumentError, ShapeError } from '../../runtime/errors.ts';
import type { Nested } from './methods/observe.ts';

export type Parsed = { readonly values: ArrayLike<number | bigint | boolean>; readonly shape: readonly number[]; readonly element: DType };

const elementByArray = new Map<unknown, DType>([
  [Float32Array, 'f32'],
  [Float64Array, 'f64'],
  [Int32Array, 'i32'],
  [BigInt64Array, 'i64'],
  [Uint8Array, 'u8'],
]);

/** Reads a literal. Throws ShapeError where rows differ, ArgumentError for what is no number, each naming the index path. */
export function parseNested(op: string, data: Nested | TypedArray): Parsed {
  if (ArrayBuffer.isView(data)) {
    const element = elementByArray.get(data.constructor);
    if (element === undefined)
      throw new ArgumentError(`elements of a ${data.constructor.name} have no dtype here`, {
        op,
        fix: 'convert to a Float32Array or Int32Array',
      });
    return { values: data.slice(), shape: [data.length], element };
  }
  const shape = shapeOf(op, data);
  const values: (number | bigint | boolean)[] = [];
  collect(op, data, shape, 0, '', values);
  return { values, shape, element: elementFor(values) };
}

/** The deepest nesting that is read; deeper data are no tensor. */
const maxDimensions = 64;

function shapeOf(op: string, data: Nested): number[] {
  const shape: number[] = [];
  for (let at: Nested | undefined = data; Array.isArray(at); at = (at as readonly Nested[])[0]) {
    shape.push(at.length);
    if (shape.length > maxDimensions) throw new ShapeError(`literals nest more than ${maxDimensions} deep`, { op });
  }
  return shape;
}

function collect(
  op: string,
  data: Nested,
  shape: readonly number[],
  depth: number,
  path: string,
  out: (number | bigint | boolean)[],
): void {
  const expected = shape[depth];
  if (Array.isArray(data)) {
    if (expected === undefined)
      throw new ShapeError(`expected a number at ${path || 'the top'}, found an array of length ${data.length}`, { op });
    if (data.length !== expected)
      throw new ShapeError(`expected an array of length ${expected} at ${path || 'the top'}, found length ${data.length}`, {
        op,
        fix: 'make all rows equally long',
      });
    for (let i = 0; i < data.length; i++) {
      if (!(i in data)) throw new ArgumentError(`nothing stands at ${path}[${i}]: the array is sparse`, { op });
      collect(op, (data as readonly Nested[])[i]!, shape, depth + 1, `${path}[${i}]`, out);
    }
    return;
  }
  if (expected !== undefined)
    throw new ShapeError(`expected an array of length ${expected} at ${path || 'the top'}, found ${describe(data)}`, {
      op,
      fix: 'make all rows equally long',
    });
  if (typeof data !== 'number' && typeof data !== 'boolean' && typeof data !== 'bigint')
    throw new ArgumentError(`${describe(data)} at ${path || 'the top'} is no number`, { op });
  if (typeof data === 'bigint' && BigInt.asIntN(64, data) !== data)
    throw new ArgumentError(`${data} at ${path || 'the top'} does not fit 64 bits`, { op });
  out.push(data);
}

const describe = (v: unknown): string =>
  typeof v === 'string' ? JSON.stringify(v.slice(0, 40)) : v === null ? 'null' : typeof v === 'object' ? 'an object' : String(v);

/** By kind, never by value: `1` and `1.5` are both float32, so that data decide no dtype; bigints are int64. */
function elementFor(values: readonly (number | bigint | boolean)[]): DType {
  if (values.length === 0) return 'f32';
  if (values.every((v) => typeof v === 'boolean')) return 'bool';
  return values.every((v) => typeof v !== 'number') && values.some((v) => typeof v === 'bigint') ? 'i64' : 'f32';
}
