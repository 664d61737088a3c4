// Transposition of a block: four rows at a time are loaded, turned in registers by shuffles, and stored as columns.
import { bytesPerElement, type DType } from '../../runtime/dtype.ts';
import type { Transpose } from '../loop.ts';
import type { FunctionBuilder, FunctionRef, Node } from './function.ts';
import { isWide, type Lanes, laneCount, loadLanes, partsOf, storeLanes } from './lanes.ts';
import { shared, type Unit } from './unit.ts';

/** What a function is made for; where the blocks lie are its arguments. */
export type TransposeShape = Pick<Transpose, 'rows' | 'columns'> & {
  readonly dtype: DType;
  readonly to: Pick<Transpose['to'], 'row'>;
  readonly from: Pick<Transpose['from'], 'row'>;
};

/** `(to, from)`, both addresses in bytes. */
export function transposeFunction(unit: Unit, shape: TransposeShape): FunctionRef {
  const { rows, columns, dtype, to, from } = shape;
  return shared(unit, `transpose_${dtype}_${rows}x${columns}_${to.row}_${from.row}`, ['i32', 'i32'], [], (f) => {
    // Bytes stay what they are: a bool needs no mask.
    transposition(f, dtype === 'bool' ? { ...shape, dtype: 'u8' } : shape);
    f.return_();
  });
}

/** Strips of four rows; the last may be narrower. */
function transposition(f: FunctionBuilder, shape: TransposeShape): void {
  const { rows, dtype, from } = shape;
  const bytes = bytesPerElement[dtype];
  const whole = Math.floor(rows / laneCount);
  const [into, out] = [f.local('i32', 'to'), f.local('i32', 'from')];
  f.set(into, f.param(0));
  f.set(out, f.param(1));
  if (whole > 0) {
    const left = f.local('i32', 'strips');
    f.set(left, f.i32(whole));
    f.loop((again) => {
      strip(f, shape, f.get(into), f.get(out), laneCount);
      f.set(into, f.op('i32.add', f.get(into), f.i32(laneCount * bytes)));
      f.set(out, f.op('i32.add', f.get(out), f.i32(laneCount * from.row * bytes)));
      f.set(left, f.op('i32.sub', f.get(left), f.i32(1)));
      f.brIf(again, f.get(left));
    });
  }
  if (rows % laneCount > 0) strip(f, shape, f.get(into), f.get(out), rows % laneCount);
}

/** Some rows, at most four, along all columns. */
function strip(f: FunctionBuilder, { columns, dtype, to, from }: TransposeShape, firstTo: Node, firstFrom: Node, rows: number): void {
  const bytes = bytesPerElement[dtype];
  const whole = Math.floor(columns / laneCount);
  const [into, out] = [f.local('i32'), f.local('i32')];
  f.set(into, firstTo);
  f.set(out, firstFrom);
  const block = (width: number): void => {
    f.scope(() => {
      const loaded = Array.from({ length: laneCount }, (_, r) =>
        loadLanes(f, dtype, f.get(out), Math.min(r, rows - 1) * from.row * bytes).map((part) => f.bind(part)),
      );
      const turned = transposed(f, dtype, loaded);
      for (let c = 0; c < width; c++) storeLanes(f, dtype, f.get(into), c * to.row * bytes, turned[c]!, rows);
      return f.i32(0);
    });
  };
  if (whole > 0) {
    const left = f.local('i32');
    f.set(left, f.i32(whole));
    f.loop((again) => {
      block(laneCount);
      f.set(into, f.op('i32.add', f.get(into), f.i32(laneCount * to.row * bytes)));
      f.set(out, f.op('i32.add', f.get(out), f.i32(laneCount * bytes)));
      f.set(left, f.op('i32.sub', f.get(left), f.i32(1)));
      f.brIf(again, f.get(left));
    });
    f.release(left);
  }
  if (columns % laneCount > 0) block(columns % laneCount);
  f.release(into);
  f.release(out);
}

/** Four rows of four elements as four columns. */
function transposed(f: FunctionBuilder, dtype: DType, rows: readonly Lanes[]): Lanes[] {
  const width = isWide(dtype) ? 8 : 4;
  if (isWide(dtype)) {
    return rows.map((_, c) =>
      Array.from({ length: partsOf(dtype) }, (_, part) =>
        f.bind(elements(f, width, rows[2 * part]![c >> 1]!, rows[2 * part + 1]![c >> 1]!, [c % 2, 2 + (c % 2)])),
      ),
    );
  }
  const [a, b, c, d] = rows.map((row) => row[0]!) as [Node, Node, Node, Node];
  const low = [0, 4, 1, 5];
  const high = [2, 6, 3, 7];
  const [ab, cd] = [f.bind(elements(f, width, a, b, low)), f.bind(elements(f, width, c, d, low))];
  const [ab2, cd2] = [f.bind(elements(f, width, a, b, high)), f.bind(elements(f, width, c, d, high))];
  const [first, second] = [
    [0, 1, 4, 5],
    [2, 3, 6, 7],
  ];
  return [
    [f.bind(elements(f, width, ab, cd, first!))],
    [f.bind(elements(f, width, ab, cd, second!))],
    [f.bind(elements(f, width, ab2, cd2, first!))],
    [f.bind(elements(f, width, ab2, cd2, second!))],
  ];
}

/** Elements of two vectors side by side, by their place among them. */
const elements = (f: FunctionBuilder, width: number, x: Node, y: Node, which: readonly number[]): Node =>
  f.shuffle(
    x,
    y,
    which.flatMap((e) => Array.from({ length: width }, (_, byte) => e * width + byte)),
  );
