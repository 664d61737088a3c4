// Micro-kernels: the function of a `product` statement, which keeps its tile in vector registers while it runs along k.
//
// What V8 makes of them decides how they are written (x64, fifteen vector registers): nothing but the loop and the tile's own loads and
// stores stands in the function, the loop is not unrolled, and each operand has one pointer with everything else in immediates.
import { bytesPerElement } from '../../runtime/dtype.ts';
import type { Product, ProductDType } from '../loop.ts';
import type { FunctionBuilder, FunctionRef, Local, Node } from './function.ts';
import { shared, type Unit } from './unit.ts';

/** What a micro-kernel is made for: its tile and strides. Where the operands lie and the depth are arguments. */
export type ProductShape = Pick<Product, 'rows' | 'columns' | 'depth' | 'from'> & {
  readonly dtype: ProductDType;
  readonly a: Pick<Product['a'], 'k' | 'row' | 'spread'>;
  readonly b: Pick<Product['b'], 'k'>;
  readonly c: Pick<Product['c'], 'row'>;
};

/** Opcodes by dtype. Two products of float64 fit a vector. */
const vectors = {
  f32: { lanes: 4, load: 'v128.load32_splat', mul: 'f32x4.mul', add: 'f32x4.add', fused: 'f32x4.relaxed_madd' },
  f64: { lanes: 2, load: 'v128.load64_splat', mul: 'f64x2.mul', add: 'f64x2.add', fused: 'f64x2.relaxed_madd' },
  i32: { lanes: 4, load: 'v128.load32_splat', mul: 'i32x4.mul', add: 'i32x4.add', fused: undefined },
} as const;

/** `(a, b, c, depth)`: addresses in bytes, and how far k runs, at least 1. Products of equal shape share a function. */
export function productFunction(unit: Unit, shape: ProductShape): FunctionRef {
  const { rows, columns, depth, from, dtype, a, b, c } = shape;
  const isWide = typeof depth === 'number' && depth <= fewSteps && rows * Math.ceil(columns / vectors[dtype].lanes) > mostSums;
  const spread = a.spread === 'shuffle' ? '_shuffle' : '';
  const size = isWide ? `${rows}x${columns}x${depth}` : `${rows}x${columns}`;
  const name = `product_${dtype}_${size}_a${a.k}_${a.row}${spread}_b${b.k}_c${c.row}${from === 'c' ? '_onto' : ''}`;
  return shared(unit, name, ['i32', 'i32', 'i32', 'i32'], [], (f) =>
    isWide ? wideKernel(f, unit, { ...shape, depth }) : microKernel(f, unit, shape),
  );
}

/** Vectors of sums that registers hold. Products of more columns walk along them, if k has so few steps that these can be written out. */
const mostSums = 12;
const fewSteps = 8;

/** All elements of `a` are in vectors; each turn does all of k for one vector of columns. */
function wideKernel(f: FunctionBuilder, unit: Unit, shape: ProductShape & { readonly depth: number }): void {
  const { rows, columns, depth, from, dtype, a, b, c } = shape;
  const { lanes, load } = vectors[dtype];
  const bytes = bytesPerElement[dtype];
  const xs = Array.from({ length: rows }, (_, r) =>
    Array.from({ length: depth }, (_, k) => f.bind(f.load(load, f.param(0), (r * a.row + k * a.k) * bytes))),
  );
  const sums = Array.from({ length: rows }, () => f.local('v128'));
  const ys = Array.from({ length: depth }, () => f.local('v128'));
  const [right, into, end] = [f.local('i32', 'b'), f.local('i32', 'c'), f.local('i32', 'end')];
  const turn = (count: number): void => {
    for (const [k, y] of ys.entries()) f.set(y, f.load('v128.load', f.get(right), k * b.k * bytes));
    for (const [r, sum] of sums.entries()) {
      const start = from === 'c' ? f.load('v128.load', f.get(into), r * c.row * bytes) : f.constant({ i32x4: 0 });
      ys.forEach((y, k) => {
        f.set(sum, multiplyAdd(f, unit, dtype, xs[r]![k]!, f.get(y), k === 0 ? start : f.get(sum)));
      });
    }
    for (const [r, sum] of sums.entries()) store(f, f.get(into), f.get(sum), r * c.row * bytes, count * bytes);
  };
  f.set(right, f.param(1));
  f.set(into, f.param(2));
  f.set(end, f.op('i32.add', f.param(1), f.i32(Math.floor(columns / lanes) * 16)));
  f.loop((again) => {
    turn(lanes);
    f.set(into, f.op('i32.add', f.get(into), f.i32(16)));
    f.set(right, f.op('i32.add', f.get(right), f.i32(16)));
    f.brIf(again, f.op('i32.ne', f.get(right), f.get(end)));
  });
  if (columns % lanes > 0) turn(columns % lanes);
}

function multiplyAdd(f: FunctionBuilder, unit: Unit, dtype: ProductDType, x: Node, y: Node, sum: Node): Node {
  const { mul, add, fused } = vectors[dtype];
  return fused !== undefined && unit.fused ? f.op(fused, x, y, sum) : f.op(add, sum, f.op(mul, x, y));
}

function microKernel(f: FunctionBuilder, unit: Unit, shape: ProductShape): void {
  const { rows, columns, from, dtype, a, b, c } = shape;
  const { lanes } = vectors[dtype];
  const bytes = bytesPerElement[dtype];
  const across = Math.ceil(columns / lanes);
  const sums = Array.from({ length: rows }, (_, r) => Array.from({ length: across }, (_, v) => f.local('v128', `c${r}_${v}`)));
  const place = (r: number, v: number): number => r * c.row * bytes + v * 16;
  if (from === 'c') {
    for (const [r, row] of sums.entries()) for (const [v, sum] of row.entries()) f.set(sum, f.load('v128.load', f.param(2), place(r, v)));
  }
  const [left, right, count] = [f.local('i32', 'a'), f.local('i32', 'b'), f.local('i32', 'k')];
  f.set(left, f.param(0));
  f.set(right, f.param(1));
  f.set(count, f.param(3));
  const x = f.local('v128', 'x');
  const ys = Array.from({ length: across }, (_, v) => f.local('v128', `b${v}`));
  f.loop((again) => {
    const spread = spreading(f, left, shape);
    for (const [v, y] of ys.entries()) f.set(y, f.load('v128.load', f.get(right), v * 16));
    for (const [r, row] of sums.entries()) {
      f.set(x, spread(r));
      for (const [v, sum] of row.entries()) {
        f.set(sum, multiplyAdd(f, unit, dtype, f.get(x), f.get(ys[v]!), f.get(sum)));
      }
    }
    f.set(left, f.op('i32.add', f.get(left), f.i32(a.k * bytes)));
    f.set(right, f.op('i32.add', f.get(right), f.i32(b.k * bytes)));
    f.set(count, f.op('i32.sub', f.get(count), f.i32(1)));
    f.brIf(again, f.get(count));
  });
  for (const [r, row] of sums.entries()) {
    for (const [v, sum] of row.entries()) store(f, f.param(2), f.get(sum), place(r, v), Math.min(16, (columns - v * lanes) * bytes));
  }
}

/**
 * The element of `a` in row r, in all lanes. Loads of the whole rows come first where rows are spread by shuffles: V8 11 places loads above
 * all arithmetic of a block, so that elements loaded into all lanes would need a register for each row; shuffles stay where they are.
 */
function spreading(f: FunctionBuilder, left: Local, { rows, dtype, a }: ProductShape): (r: number) => Node {
  const { lanes, load } = vectors[dtype];
  const bytes = bytesPerElement[dtype];
  const whole = a.spread === 'shuffle' ? Math.floor(rows / lanes) : 0;
  const groups = Array.from({ length: whole }, (_, g) => {
    const group = f.local('v128', `a${g}`);
    f.set(group, f.load('v128.load', f.get(left), g * 16));
    return group;
  });
  return (r) => {
    const group = groups[Math.floor(r / lanes)];
    if (group === undefined) return f.load(load, f.get(left), r * a.row * bytes);
    const first = (r % lanes) * bytes;
    const sixteen = Array.from({ length: 16 }, (_, i) => first + (i % bytes));
    return f.shuffle(f.get(group), f.get(group), sixteen);
  };
}

/** The first bytes of a vector. */
function store(f: FunctionBuilder, to: Node, value: Node, offset: number, bytes: number): void {
  if (bytes === 16) f.store('v128.store', to, value, offset);
  if (bytes === 8 || bytes === 12) f.storeLane('v128.store64_lane', to, value, 0, offset);
  if (bytes === 4 || bytes === 12) f.storeLane('v128.store32_lane', to, value, bytes === 4 ? 0 : 2, bytes === 4 ? offset : offset + 8);
}
