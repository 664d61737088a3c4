// Sorting of a row, and its first k elements: by digits of a key whose unsigned order is the wanted order, stable; few elements by insertion.
//
// An item is the key and, behind it, the place its element came from. NaN is the largest key, and -0 that of 0. Digits are bytes: one sweep
// counts all of them, and each pass deals the items out by one, lowest first; a digit that all items share takes no pass.
import { bytesPerElement, type DType } from '../../runtime/dtype.ts';
import type { FunctionBuilder, FunctionRef, Local, Node } from './function.ts';
import { noHalf } from './scalar.ts';
import { shared, type Unit } from './unit.ts';

/** What a row is and what of it is wanted. Its elements lie `inner` apart, as do those of the results. */
export type SortShape = {
  readonly dtype: DType;
  readonly order: 'i32' | 'i64';
  readonly extent: number;
  readonly inner: number;
  /** How many of the sorted elements are stored. */
  readonly kept: number;
  readonly descending: boolean;
};

/** Rows of so few elements are sorted by insertion, which moves a quarter of their square. */
const fewElements = 32;
/** So few of the first are found by holding on to them while all elements go by. */
const fewKept = 32;
const digits = 256;

type Method = 'insertion' | 'selection' | 'radix';
const methodOf = ({ extent, kept }: SortShape): Method =>
  extent <= fewElements ? 'insertion' : kept <= fewKept && kept * 4 <= extent ? 'selection' : 'radix';

/** How keys of a dtype lie in items: bytes that count, and the type they are computed in. */
function keyOf(dtype: DType): { readonly bytes: number; readonly type: 'i32' | 'i64' } {
  if (dtype === 'f16') throw noHalf();
  return { bytes: bytesPerElement[dtype], type: bytesPerElement[dtype] === 8 ? 'i64' : 'i32' };
}
const itemBytes = (dtype: DType): number => (bytesPerElement[dtype] === 8 ? 16 : 8);
const countBytes = (dtype: DType): number => bytesPerElement[dtype] * digits * 4;

/** Scratch that a row takes. */
export function sortScratch(shape: SortShape): number {
  const item = itemBytes(shape.dtype);
  switch (methodOf(shape)) {
    case 'insertion':
      return shape.extent * item;
    case 'selection':
      return shape.kept * item;
    case 'radix':
      return countBytes(shape.dtype) + 2 * shape.extent * item;
  }
}

/** Sorts the rows `from` up to `to`, of which there is at least one; `buffers` are the addresses of elements, values and places. */
export function sortRows(
  f: FunctionBuilder,
  unit: Unit,
  shape: SortShape,
  buffers: readonly [x: Node, values: Node, order: Node],
  scratch: Node,
  from: Node,
  to: Node,
): void {
  const { dtype, order, extent, inner, kept } = shape;
  const sorted = sortFunction(unit, shape);
  const lengths = [extent, kept, kept];
  const bytes = [bytesPerElement[dtype], bytesPerElement[dtype], bytesPerElement[order]];
  counting(f, from, to, (r) => {
    f.scope(() => {
      const before = f.bind(f.op('i32.div_u', f.get(r), f.i32(inner)));
      const beside = f.bind(f.op('i32.rem_u', f.get(r), f.i32(inner)));
      const starts = buffers.map((address, b) => {
        const first = f.op('i32.add', f.op('i32.mul', before, f.i32(lengths[b]! * inner)), beside);
        return f.op('i32.add', address, f.op('i32.mul', first, f.i32(bytes[b]!)));
      });
      f.call(sorted, [...starts, scratch]);
      return f.i32(0);
    });
  });
}

/** `(x, values, order, scratch)`: addresses of the first element of each row, and of scratch. */
function sortFunction(unit: Unit, shape: SortShape): FunctionRef {
  const { dtype, order, extent, inner, kept, descending } = shape;
  const name = `sort_${dtype}_${order}_${extent}_${inner}_${kept}${descending ? '_descending' : ''}`;
  return shared(unit, name, ['i32', 'i32', 'i32', 'i32'], [], (f) => {
    const row: Row = { ...shape, f, x: f.param(0), item: itemBytes(dtype) };
    switch (methodOf(shape)) {
      case 'insertion':
        gather(row, f.param(3), extent);
        storeFirst(row, f.param(3));
        break;
      case 'selection':
        gather(row, f.param(3), kept);
        select(row, f.param(3));
        storeFirst(row, f.param(3));
        break;
      case 'radix':
        storeFirst(row, deal(row, f.param(3)));
        break;
    }
    f.return_();
  });
}

type Row = SortShape & { readonly f: FunctionBuilder; readonly x: Node; readonly item: number };

// ---- keys

const loads = { f32: 'f32.load', f64: 'f64.load', i32: 'i32.load', i64: 'i64.load', u8: 'i32.load8_u', bool: 'i32.load8_u' } as const;
const signBit = { i32: -0x8000_0000, i64: -(1n << 63n) } as const;

const nanBits = { f32: 0x7fc0_0000, f64: 0x7ff8_0000_0000_0000n } as const;

/** The type that keys are computed in, and its constants. */
function arithmetic({ f, dtype }: Row): { readonly type: 'i32' | 'i64'; readonly constant: (n: number | bigint) => Node } {
  const { type } = keyOf(dtype);
  return { type, constant: (n) => (type === 'i64' ? f.i64(BigInt(n)) : f.i32(Number(n))) };
}

const loadElement = ({ f, dtype }: Row, address: Node): Node => f.load(loads[dtype as Exclude<DType, 'f16'>], address);

/** The key of an element. */
function key(row: Row, element: Node): Node {
  const { f, dtype } = row;
  const { type, constant } = arithmetic(row);
  const ascending = (): Node => {
    switch (dtype) {
      case 'f32':
      case 'f64': {
        const x = f.bind(element);
        const zero = dtype === 'f32' ? f.f32(0) : f.f64(0);
        // Adding 0 makes 0 of -0.
        const bits = f.op(dtype === 'f32' ? 'i32.reinterpret_f32' : 'i64.reinterpret_f64', f.op(`${dtype}.add`, x, zero));
        const b = f.bind(f.select(f.op(`${dtype}.eq`, x, x), bits, constant(nanBits[dtype])));
        const flip = f.op(`${type}.or`, f.op(`${type}.shr_s`, b, constant(type === 'i64' ? 63 : 31)), constant(signBit[type]));
        return f.op(`${type}.xor`, b, flip);
      }
      case 'i32':
      case 'i64':
        return f.op(`${type}.xor`, element, constant(signBit[type]));
      case 'u8':
      case 'bool':
        return element;
      case 'f16':
        throw noHalf();
      default:
        return dtype satisfies never;
    }
  };
  return inOrder(row, ascending());
}

/** Keys of the greatest first, from keys of the least first, and back. */
function inOrder(row: Row, k: Node): Node {
  const { type, constant } = arithmetic(row);
  return row.descending ? row.f.op(`${type}.xor`, k, constant(bytesPerElement[row.dtype] === 1 ? 255 : -1)) : k;
}

/** The element of an item. Its key tells it, but for zeros and NaN, which lose their bits: those are loaded, out of order. */
function element(row: Row, item: Node, place: Node): Node {
  const { f, dtype } = row;
  const { type, constant } = arithmetic(row);
  const k = inOrder(row, keyAt(row, item));
  if (dtype !== 'f32' && dtype !== 'f64') return bytesPerElement[dtype] === 1 ? k : f.op(`${type}.xor`, k, constant(signBit[type]));
  const bound = f.bind(k);
  const wasPositive = f.op(`${type}.shr_s`, bound, constant(type === 'i64' ? 63 : 31));
  const flip = f.op(`${type}.or`, f.op(`${type}.xor`, wasPositive, constant(-1)), constant(signBit[type]));
  const bits = f.bind(f.op(`${type}.xor`, bound, flip));
  const value = f.local(dtype);
  f.set(value, f.op(dtype === 'f32' ? 'f32.reinterpret_i32' : 'f64.reinterpret_i64', bits));
  const lost = f.op('i32.or', f.op(`${type}.eqz`, bits), f.op(`${type}.eq`, bits, constant(nanBits[dtype])));
  f.if(lost, () => f.set(value, loadElement(row, elementAt(row, place))));
  const result = f.bind(f.get(value));
  f.release(value);
  return result;
}

/** Keys of four 32-bit elements. */
function keys({ f, dtype, descending }: Row, elements: Node): Node {
  const sign = f.constant({ i32x4: -0x8000_0000 });
  const ascending = (): Node => {
    if (dtype === 'i32') return f.op('v128.xor', elements, sign);
    const x = f.bind(elements);
    const bits = f.op('f32x4.add', x, f.constant({ f32x4: 0 }));
    const b = f.bind(f.op('v128.bitselect', bits, f.constant({ i32x4: 0x7fc0_0000 }), f.op('f32x4.eq', x, x)));
    return f.op('v128.xor', b, f.op('v128.or', f.op('i32x4.shr_s', b, f.i32(31)), sign));
  };
  return descending ? f.op('v128.not', ascending()) : ascending();
}

// ---- items

const keyAt = ({ f, dtype }: Row, item: Node, offset = 0): Node => f.load(`${keyOf(dtype).type}.load`, item, offset);
const placeAt = ({ f, item }: Row, address: Node): Node => f.load('i32.load', address, item / 2);
const isLess = ({ f, dtype }: Row, a: Node, b: Node): Node => f.op(`${keyOf(dtype).type}.lt_u`, a, b);

function storeItem({ f, dtype, item }: Row, address: Node, k: Node, place: Node): void {
  f.store(`${keyOf(dtype).type}.store`, address, k);
  f.store('i32.store', address, place, item / 2);
}

function moveItem({ f, item }: Row, to: Node, from: Node, offset = 0, fromOffset = 0): void {
  if (item === 16) f.store('v128.store', to, f.load('v128.load', from, fromOffset), offset);
  else f.store('i64.store', to, f.load('i64.load', from, fromOffset), offset);
}

/** Runs `body` for i from `from` up to `to`; there is at least one turn. */
function counting(f: FunctionBuilder, from: Node, to: Node, body: (i: Local) => void): void {
  const i = f.local('i32');
  f.set(i, from);
  f.loop((again) => {
    body(i);
    f.set(i, f.op('i32.add', f.get(i), f.i32(1)));
    f.brIf(again, f.op('i32.lt_s', f.get(i), to));
  });
  f.release(i);
}

const elementAt = ({ f, x, dtype, inner }: Row, i: Node): Node =>
  f.op('i32.add', x, f.op('i32.mul', i, f.i32(inner * bytesPerElement[dtype])));

// ---- few elements

/** The first `count` elements as sorted items. */
function gather(row: Row, items: Node, count: number): void {
  const { f, item } = row;
  if (count === 0) return;
  counting(f, f.i32(0), f.i32(count), (i) => {
    f.scope(() => {
      const end = f.op('i32.add', items, f.op('i32.mul', f.get(i), f.i32(item)));
      insert(row, items, end, f.bind(key(row, loadElement(row, elementAt(row, f.get(i))))), f.get(i));
      return f.i32(0);
    });
  });
}

/** Puts an item behind those before `end` that are not greater; greater ones move up by one. */
function insert(row: Row, items: Node, end: Node, k: Node, place: Node): void {
  const { f, item } = row;
  const at = f.local('i32');
  f.set(at, end);
  f.block((found) =>
    f.loop((again) => {
      f.brIf(found, f.op('i32.eq', f.get(at), items));
      const before = f.bind(f.op('i32.sub', f.get(at), f.i32(item)));
      f.brIf(found, f.op('i32.eqz', isLess(row, k, keyAt(row, before))));
      moveItem(row, f.get(at), before);
      f.set(at, before);
      f.br(again);
    }),
  );
  storeItem(row, f.get(at), k, place);
  f.release(at);
}

/** Goes through the elements behind the first `kept`: one that is less than the last item takes a place among them, and the last goes. */
function select(row: Row, items: Node): void {
  const { f, dtype, extent, inner, kept, item } = row;
  if (kept === 0) return;
  const last = f.bind(f.op('i32.add', items, f.i32((kept - 1) * item)));
  const offer = (element: Node, place: Node): void => {
    const k = f.bind(key(row, element));
    f.if(isLess(row, k, keyAt(row, last)), () => insert(row, items, last, k, place));
  };
  const i = f.local('i32');
  f.set(i, f.i32(kept));
  const vectors = inner === 1 && (dtype === 'f32' || dtype === 'i32') ? Math.floor((extent - kept) / 4) : 0;
  if (vectors > 0) {
    const end = kept + 4 * vectors;
    f.loop((again) => {
      const address = f.bind(elementAt(row, f.get(i)));
      const less = f.op('i32x4.lt_u', keys(row, f.load('v128.load', address)), f.load('v128.load32_splat', last));
      f.if(f.op('v128.any_true', less), () => {
        for (let l = 0; l < 4; l++) {
          const element = f.load(dtype === 'f32' ? 'f32.load' : 'i32.load', address, 4 * l);
          f.scope(() => {
            offer(element, f.op('i32.add', f.get(i), f.i32(l)));
            return f.i32(0);
          });
        }
      });
      f.set(i, f.op('i32.add', f.get(i), f.i32(4)));
      f.brIf(again, f.op('i32.lt_s', f.get(i), f.i32(end)));
    });
  }
  if (kept + 4 * vectors < extent)
    counting(f, f.get(i), f.i32(extent), (j) => {
      f.scope(() => {
        offer(loadElement(row, elementAt(row, f.get(j))), f.get(j));
        return f.i32(0);
      });
    });
  f.release(i);
}

// ---- many elements

/** All elements as sorted items; gives their address. */
function deal(row: Row, scratch: Node): Node {
  const { f, dtype, extent, item } = row;
  const { bytes } = keyOf(dtype);
  const counts = scratch;
  const [from, to] = [f.local('i32', 'from'), f.local('i32', 'to')];
  f.set(from, f.op('i32.add', scratch, f.i32(countBytes(dtype))));
  f.set(to, f.op('i32.add', f.get(from), f.i32(extent * item)));
  f.memoryFill(counts, f.i32(0), f.i32(countBytes(dtype)));
  const countOf = (of: Node, d: number): Node => f.op('i32.add', counts, f.op('i32.shl', f.load('i32.load8_u', of, d), f.i32(2)));
  counting(f, f.i32(0), f.i32(extent), (i) => {
    f.scope(() => {
      const at = f.bind(f.op('i32.add', f.get(from), f.op('i32.mul', f.get(i), f.i32(item))));
      storeItem(row, at, key(row, loadElement(row, elementAt(row, f.get(i)))), f.get(i));
      for (let d = 0; d < bytes; d++) {
        const count = f.bind(countOf(at, d));
        f.store('i32.store', count, f.op('i32.add', f.load('i32.load', count, d * digits * 4), f.i32(1)), d * digits * 4);
      }
      return f.i32(0);
    });
  });
  for (let d = 0; d < bytes; d++) {
    const offset = d * digits * 4;
    const isShared = f.op('i32.eq', f.load('i32.load', countOf(f.get(from), d), offset), f.i32(extent));
    f.if(f.op('i32.eqz', isShared), () => {
      startsOf(f, counts, offset, f.get(to), item);
      const end = f.bind(f.op('i32.add', f.get(from), f.i32(extent * item)));
      const at = f.local('i32');
      f.set(at, f.get(from));
      f.loop((again) => {
        f.scope(() => {
          const count = f.bind(countOf(f.get(at), d));
          const place = f.bind(f.load('i32.load', count, offset));
          moveItem(row, place, f.get(at));
          f.store('i32.store', count, f.op('i32.add', place, f.i32(item)), offset);
          return f.i32(0);
        });
        f.set(at, f.op('i32.add', f.get(at), f.i32(item)));
        f.brIf(again, f.op('i32.lt_u', f.get(at), end));
      });
      f.release(at);
      const other = f.bind(f.get(from));
      f.set(from, f.get(to));
      f.set(to, other);
    });
  }
  return f.get(from);
}

/** Turns counts of a digit into the addresses where items of that digit begin. */
function startsOf(f: FunctionBuilder, counts: Node, offset: number, to: Node, item: number): void {
  const next = f.local('i32');
  f.set(next, to);
  counting(f, f.i32(0), f.i32(digits), (i) => {
    f.scope(() => {
      const count = f.bind(f.op('i32.add', counts, f.op('i32.shl', f.get(i), f.i32(2))));
      const many = f.bind(f.load('i32.load', count, offset));
      f.store('i32.store', count, f.get(next), offset);
      f.set(next, f.op('i32.add', f.get(next), f.op('i32.mul', many, f.i32(item))));
      return f.i32(0);
    });
  });
  f.release(next);
}

// ---- results

const stores = { f32: 'f32.store', f64: 'f64.store', i32: 'i32.store', i64: 'i64.store', u8: 'i32.store8', bool: 'i32.store8' } as const;

/** Values and places of the first items. */
function storeFirst(row: Row, items: Node): void {
  const { f, dtype, order, inner, kept, item } = row;
  if (kept === 0) return;
  const at = f.local('i32');
  f.set(at, items);
  counting(f, f.i32(0), f.i32(kept), (i) => {
    f.scope(() => {
      const place = f.bind(placeAt(row, f.get(at)));
      const to = (results: Node, bytes: number): Node => f.op('i32.add', results, f.op('i32.mul', f.get(i), f.i32(inner * bytes)));
      const value = element(row, f.get(at), place);
      f.store(stores[dtype as Exclude<DType, 'f16'>], to(f.param(1), bytesPerElement[dtype]), value);
      if (order === 'i32') f.store('i32.store', to(f.param(2), 4), place);
      else f.store('i64.store', to(f.param(2), 8), f.op('i64.extend_i32_u', place));
      return f.i32(0);
    });
    f.set(at, f.op('i32.add', f.get(at), f.i32(item)));
  });
  f.release(at);
}
