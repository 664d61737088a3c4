// The one table of WebAssembly instructions: name, encoding, operand and result types, immediates. Builder and disassembler read it.

/** A type of values. Addresses are i32. */
export type Type = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

/** What stands in the binary after the opcode. `memory` is alignment and offset; `memoryLane` a lane index beside them. */
export type ImmediateKind =
  | 'none'
  | 'block'
  | 'label'
  | 'labels'
  | 'function'
  | 'local'
  | 'i32'
  | 'i64'
  | 'f32'
  | 'f64'
  | 'v128'
  | 'lane'
  | 'shuffle'
  | 'memory'
  | 'memoryLane'
  | 'memories'
  | 'zero';

export type Opcode = {
  /** First byte of the encoding; 0xfc, 0xfd and 0xfe announce a second, variable-length number. */
  readonly prefix: number;
  readonly code: number;
  readonly operands: readonly Type[];
  readonly result: Type | undefined;
  readonly immediate: ImmediateKind;
  /** Logarithm of the alignment that is written: natural for atomics, which trap otherwise, else none is promised. */
  readonly align: number;
};

type Named<P extends string, N extends string> = { readonly [K in N as `${P}.${K}`]: Opcode };

const miscellaneous = 0xfc;
const simd = 0xfd;
const threads = 0xfe;

/** A group of instructions of one signature. `prefix` 0 means that the code is a single byte. */
function group<P extends string, N extends string>(
  name: P,
  operands: readonly Type[],
  result: Type | undefined,
  codes: Readonly<Record<N, number>>,
  prefix = 0,
  immediate: ImmediateKind = 'none',
  align = 0,
): Named<P, N> {
  const entries = Object.entries<number>(codes).map(([key, code]) => [
    `${name}.${key}`,
    { prefix: prefix === 0 ? code : prefix, code, operands, result, immediate, align } satisfies Opcode,
  ]);
  return Object.fromEntries(entries) as Named<P, N>;
}

/** Lane-wise instructions; comparisons give masks of the same width. */
const vector = <P extends string, N extends string>(name: P, arity: 1 | 2 | 3, codes: Readonly<Record<N, number>>): Named<P, N> =>
  group(name, Array<Type>(arity).fill('v128'), 'v128', codes, simd);
const shift = <P extends string>(name: P, first: number): Named<P, 'shl' | 'shr_s' | 'shr_u'> =>
  group(name, ['v128', 'i32'], 'v128', { shl: first, shr_s: first + 1, shr_u: first + 2 }, simd);
const reduced = <P extends string, N extends string>(name: P, codes: Readonly<Record<N, number>>): Named<P, N> =>
  group(name, ['v128'], 'i32', codes, simd);
const splat = <P extends string>(name: P, type: Type, code: number): Named<P, 'splat'> =>
  group(name, [type], 'v128', { splat: code }, simd);
const extract = <P extends string, N extends string>(name: P, type: Type, codes: Readonly<Record<N, number>>): Named<P, N> =>
  group(name, ['v128'], type, codes, simd, 'lane');
const replace = <P extends string>(name: P, type: Type, code: number): Named<P, 'replace_lane'> =>
  group(name, ['v128', type], 'v128', { replace_lane: code }, simd, 'lane');

/** The scalar instructions of integers start at `base` for both widths and stand in the same order. */
const integer = <P extends 'i32' | 'i64'>(type: P, test: number, base: number) => ({
  ...group(type, [type], 'i32', { eqz: test }),
  ...group(type, [type, type], 'i32', {
    eq: test + 1,
    ne: test + 2,
    lt_s: test + 3,
    lt_u: test + 4,
    gt_s: test + 5,
    gt_u: test + 6,
    le_s: test + 7,
    le_u: test + 8,
    ge_s: test + 9,
    ge_u: test + 10,
  }),
  ...group(type, [type], type, { clz: base, ctz: base + 1, popcnt: base + 2 }),
  ...group(type, [type, type], type, {
    add: base + 3,
    sub: base + 4,
    mul: base + 5,
    div_s: base + 6,
    div_u: base + 7,
    rem_s: base + 8,
    rem_u: base + 9,
    and: base + 10,
    or: base + 11,
    xor: base + 12,
    shl: base + 13,
    shr_s: base + 14,
    shr_u: base + 15,
    rotl: base + 16,
    rotr: base + 17,
  }),
});

const floating = <P extends 'f32' | 'f64'>(type: P, test: number, base: number) => ({
  ...group(type, [type, type], 'i32', { eq: test, ne: test + 1, lt: test + 2, gt: test + 3, le: test + 4, ge: test + 5 }),
  ...group(type, [type], type, {
    abs: base,
    neg: base + 1,
    ceil: base + 2,
    floor: base + 3,
    trunc: base + 4,
    nearest: base + 5,
    sqrt: base + 6,
  }),
  ...group(type, [type, type], type, {
    add: base + 7,
    sub: base + 8,
    mul: base + 9,
    div: base + 10,
    min: base + 11,
    max: base + 12,
    copysign: base + 13,
  }),
});

const comparisons = (first: number) => ({
  eq: first,
  ne: first + 1,
  lt_s: first + 2,
  lt_u: first + 3,
  gt_s: first + 4,
  gt_u: first + 5,
  le_s: first + 6,
  le_u: first + 7,
  ge_s: first + 8,
  ge_u: first + 9,
});
const floatComparisons = (first: number) => ({ eq: first, ne: first + 1, lt: first + 2, gt: first + 3, le: first + 4, ge: first + 5 });

export const opcodes = {
  // control
  unreachable: { prefix: 0x00, code: 0x00, operands: [], result: undefined, immediate: 'none', align: 0 },
  block: { prefix: 0x02, code: 0x02, operands: [], result: undefined, immediate: 'block', align: 0 },
  loop: { prefix: 0x03, code: 0x03, operands: [], result: undefined, immediate: 'block', align: 0 },
  if: { prefix: 0x04, code: 0x04, operands: ['i32'], result: undefined, immediate: 'block', align: 0 },
  else: { prefix: 0x05, code: 0x05, operands: [], result: undefined, immediate: 'none', align: 0 },
  end: { prefix: 0x0b, code: 0x0b, operands: [], result: undefined, immediate: 'none', align: 0 },
  br: { prefix: 0x0c, code: 0x0c, operands: [], result: undefined, immediate: 'label', align: 0 },
  br_if: { prefix: 0x0d, code: 0x0d, operands: ['i32'], result: undefined, immediate: 'label', align: 0 },
  br_table: { prefix: 0x0e, code: 0x0e, operands: ['i32'], result: undefined, immediate: 'labels', align: 0 },
  return: { prefix: 0x0f, code: 0x0f, operands: [], result: undefined, immediate: 'none', align: 0 },
  call: { prefix: 0x10, code: 0x10, operands: [], result: undefined, immediate: 'function', align: 0 },
  // Not pushed by `op`: the operand has any type.
  drop: { prefix: 0x1a, code: 0x1a, operands: [], result: undefined, immediate: 'none', align: 0 },
  select: { prefix: 0x1b, code: 0x1b, operands: [], result: undefined, immediate: 'none', align: 0 },
  // Operand or result has the local's type.
  ...group('local', [], undefined, { get: 0x20, set: 0x21, tee: 0x22 }, 0, 'local'),
  // constants
  ...group('i32', [], 'i32', { const: 0x41 }, 0, 'i32'),
  ...group('i64', [], 'i64', { const: 0x42 }, 0, 'i64'),
  ...group('f32', [], 'f32', { const: 0x43 }, 0, 'f32'),
  ...group('f64', [], 'f64', { const: 0x44 }, 0, 'f64'),
  ...group('v128', [], 'v128', { const: 0x0c }, simd, 'v128'),
  // scalar arithmetic
  ...integer('i32', 0x45, 0x67),
  ...integer('i64', 0x50, 0x79),
  ...floating('f32', 0x5b, 0x8b),
  ...floating('f64', 0x61, 0x99),
  // conversions between scalars
  ...group('i32', ['i64'], 'i32', { wrap_i64: 0xa7 }),
  ...group('i32', ['f32'], 'i32', { trunc_f32_s: 0xa8, trunc_f32_u: 0xa9, reinterpret_f32: 0xbc }),
  ...group('i32', ['f64'], 'i32', { trunc_f64_s: 0xaa, trunc_f64_u: 0xab }),
  ...group('i32', ['f32'], 'i32', { trunc_sat_f32_s: 0, trunc_sat_f32_u: 1 }, miscellaneous),
  ...group('i32', ['f64'], 'i32', { trunc_sat_f64_s: 2, trunc_sat_f64_u: 3 }, miscellaneous),
  ...group('i32', ['i32'], 'i32', { extend8_s: 0xc0, extend16_s: 0xc1 }),
  ...group('i64', ['i32'], 'i64', { extend_i32_s: 0xac, extend_i32_u: 0xad }),
  ...group('i64', ['i64'], 'i64', { extend8_s: 0xc2, extend16_s: 0xc3, extend32_s: 0xc4 }),
  ...group('i64', ['f64'], 'i64', { trunc_f64_s: 0xb0, reinterpret_f64: 0xbd }),
  ...group('i64', ['f32'], 'i64', { trunc_sat_f32_s: 4, trunc_sat_f32_u: 5 }, miscellaneous),
  ...group('i64', ['f64'], 'i64', { trunc_sat_f64_s: 6, trunc_sat_f64_u: 7 }, miscellaneous),
  ...group('f32', ['i32'], 'f32', { convert_i32_s: 0xb2, convert_i32_u: 0xb3, reinterpret_i32: 0xbe }),
  ...group('f32', ['i64'], 'f32', { convert_i64_s: 0xb4, convert_i64_u: 0xb5 }),
  ...group('f32', ['f64'], 'f32', { demote_f64: 0xb6 }),
  ...group('f64', ['i32'], 'f64', { convert_i32_s: 0xb7, convert_i32_u: 0xb8 }),
  ...group('f64', ['i64'], 'f64', { convert_i64_s: 0xb9, convert_i64_u: 0xba, reinterpret_i64: 0xbf }),
  ...group('f64', ['f32'], 'f64', { promote_f32: 0xbb }),
  // memory, scalar
  ...group('i32', ['i32'], 'i32', { load: 0x28, load8_s: 0x2c, load8_u: 0x2d, load16_s: 0x2e, load16_u: 0x2f }, 0, 'memory'),
  ...group('i64', ['i32'], 'i64', { load: 0x29, load8_s: 0x30, load8_u: 0x31, load32_s: 0x34, load32_u: 0x35 }, 0, 'memory'),
  ...group('f32', ['i32'], 'f32', { load: 0x2a }, 0, 'memory'),
  ...group('f64', ['i32'], 'f64', { load: 0x2b }, 0, 'memory'),
  ...group('i32', ['i32', 'i32'], undefined, { store: 0x36, store8: 0x3a, store16: 0x3b }, 0, 'memory'),
  ...group('i64', ['i32', 'i64'], undefined, { store: 0x37, store8: 0x3c, store32: 0x3e }, 0, 'memory'),
  ...group('f32', ['i32', 'f32'], undefined, { store: 0x38 }, 0, 'memory'),
  ...group('f64', ['i32', 'f64'], undefined, { store: 0x39 }, 0, 'memory'),
  ...group('memory', ['i32', 'i32', 'i32'], undefined, { copy: 10 }, miscellaneous, 'memories'),
  ...group('memory', ['i32', 'i32', 'i32'], undefined, { fill: 11 }, miscellaneous, 'zero'),
  // memory, vector
  ...group(
    'v128',
    ['i32'],
    'v128',
    {
      load: 0x00,
      load8x8_s: 0x01,
      load8x8_u: 0x02,
      load16x4_s: 0x03,
      load16x4_u: 0x04,
      load32x2_s: 0x05,
      load32x2_u: 0x06,
      load8_splat: 0x07,
      load16_splat: 0x08,
      load32_splat: 0x09,
      load64_splat: 0x0a,
      load32_zero: 0x5c,
      load64_zero: 0x5d,
    },
    simd,
    'memory',
  ),
  ...group('v128', ['i32', 'v128'], undefined, { store: 0x0b }, simd, 'memory'),
  ...group(
    'v128',
    ['i32', 'v128'],
    'v128',
    { load8_lane: 0x54, load16_lane: 0x55, load32_lane: 0x56, load64_lane: 0x57 },
    simd,
    'memoryLane',
  ),
  ...group(
    'v128',
    ['i32', 'v128'],
    undefined,
    { store8_lane: 0x58, store16_lane: 0x59, store32_lane: 0x5a, store64_lane: 0x5b },
    simd,
    'memoryLane',
  ),
  // atomics
  ...group('memory', ['i32', 'i32'], 'i32', { 'atomic.notify': 0x00 }, threads, 'memory', 2),
  ...group('memory', ['i32', 'i32', 'i64'], 'i32', { 'atomic.wait32': 0x01 }, threads, 'memory', 2),
  ...group('atomic', [], undefined, { fence: 0x03 }, threads, 'zero'),
  ...group('i32', ['i32'], 'i32', { 'atomic.load': 0x10 }, threads, 'memory', 2),
  ...group('i32', ['i32', 'i32'], undefined, { 'atomic.store': 0x17 }, threads, 'memory', 2),
  ...group('i32', ['i32', 'i32'], 'i32', { 'atomic.rmw.add': 0x1e, 'atomic.rmw.sub': 0x25 }, threads, 'memory', 2),
  ...group('i32', ['i32', 'i32'], 'i32', { 'atomic.rmw.or': 0x33, 'atomic.rmw.xchg': 0x41 }, threads, 'memory', 2),
  ...group('i32', ['i32', 'i32', 'i32'], 'i32', { 'atomic.rmw.cmpxchg': 0x48 }, threads, 'memory', 2),
  // vectors: lanes
  ...group('i8x16', ['v128', 'v128'], 'v128', { shuffle: 0x0d }, simd, 'shuffle'),
  ...vector('i8x16', 2, { swizzle: 0x0e }),
  ...splat('i8x16', 'i32', 0x0f),
  ...splat('i16x8', 'i32', 0x10),
  ...splat('i32x4', 'i32', 0x11),
  ...splat('i64x2', 'i64', 0x12),
  ...splat('f32x4', 'f32', 0x13),
  ...splat('f64x2', 'f64', 0x14),
  ...extract('i8x16', 'i32', { extract_lane_s: 0x15, extract_lane_u: 0x16 }),
  ...replace('i8x16', 'i32', 0x17),
  ...extract('i16x8', 'i32', { extract_lane_s: 0x18, extract_lane_u: 0x19 }),
  ...replace('i16x8', 'i32', 0x1a),
  ...extract('i32x4', 'i32', { extract_lane: 0x1b }),
  ...replace('i32x4', 'i32', 0x1c),
  ...extract('i64x2', 'i64', { extract_lane: 0x1d }),
  ...replace('i64x2', 'i64', 0x1e),
  ...extract('f32x4', 'f32', { extract_lane: 0x1f }),
  ...replace('f32x4', 'f32', 0x20),
  ...extract('f64x2', 'f64', { extract_lane: 0x21 }),
  ...replace('f64x2', 'f64', 0x22),
  // vectors: bits
  ...vector('v128', 1, { not: 0x4d }),
  ...vector('v128', 2, { and: 0x4e, andnot: 0x4f, or: 0x50, xor: 0x51 }),
  ...vector('v128', 3, { bitselect: 0x52 }),
  ...reduced('v128', { any_true: 0x53 }),
  // vectors: integers
  ...vector('i8x16', 2, comparisons(0x23)),
  ...vector('i16x8', 2, comparisons(0x2d)),
  ...vector('i32x4', 2, comparisons(0x37)),
  ...vector('i64x2', 2, { eq: 0xd6, ne: 0xd7, lt_s: 0xd8, gt_s: 0xd9, le_s: 0xda, ge_s: 0xdb }),
  ...vector('i8x16', 1, { abs: 0x60, neg: 0x61, popcnt: 0x62 }),
  ...reduced('i8x16', { all_true: 0x63, bitmask: 0x64 }),
  ...vector('i8x16', 2, { narrow_i16x8_s: 0x65, narrow_i16x8_u: 0x66, add: 0x6e, add_sat_s: 0x6f, add_sat_u: 0x70, sub: 0x71 }),
  ...vector('i8x16', 2, { sub_sat_s: 0x72, sub_sat_u: 0x73, min_s: 0x76, min_u: 0x77, max_s: 0x78, max_u: 0x79, avgr_u: 0x7b }),
  ...shift('i8x16', 0x6b),
  ...vector('i16x8', 1, { extadd_pairwise_i8x16_s: 0x7c, extadd_pairwise_i8x16_u: 0x7d, abs: 0x80, neg: 0x81 }),
  ...reduced('i16x8', { all_true: 0x83, bitmask: 0x84 }),
  ...vector('i16x8', 2, { narrow_i32x4_s: 0x85, narrow_i32x4_u: 0x86, add: 0x8e, sub: 0x91, mul: 0x95 }),
  ...vector('i16x8', 2, { min_s: 0x96, min_u: 0x97, max_s: 0x98, max_u: 0x99 }),
  ...vector('i16x8', 1, { extend_low_i8x16_s: 0x87, extend_high_i8x16_s: 0x88, extend_low_i8x16_u: 0x89, extend_high_i8x16_u: 0x8a }),
  ...shift('i16x8', 0x8b),
  ...vector('i32x4', 1, { extadd_pairwise_i16x8_s: 0x7e, extadd_pairwise_i16x8_u: 0x7f, abs: 0xa0, neg: 0xa1 }),
  ...reduced('i32x4', { all_true: 0xa3, bitmask: 0xa4 }),
  ...vector('i32x4', 1, { extend_low_i16x8_s: 0xa7, extend_high_i16x8_s: 0xa8, extend_low_i16x8_u: 0xa9, extend_high_i16x8_u: 0xaa }),
  ...shift('i32x4', 0xab),
  ...vector('i32x4', 2, { add: 0xae, sub: 0xb1, mul: 0xb5, min_s: 0xb6, min_u: 0xb7, max_s: 0xb8, max_u: 0xb9, dot_i16x8_s: 0xba }),
  ...vector('i64x2', 1, { abs: 0xc0, neg: 0xc1 }),
  ...reduced('i64x2', { all_true: 0xc3, bitmask: 0xc4 }),
  ...vector('i64x2', 1, { extend_low_i32x4_s: 0xc7, extend_high_i32x4_s: 0xc8, extend_low_i32x4_u: 0xc9, extend_high_i32x4_u: 0xca }),
  ...shift('i64x2', 0xcb),
  ...vector('i64x2', 2, { add: 0xce, sub: 0xd1, mul: 0xd5 }),
  ...vector('i64x2', 2, { extmul_low_i32x4_s: 0xdc, extmul_high_i32x4_s: 0xdd, extmul_low_i32x4_u: 0xde, extmul_high_i32x4_u: 0xdf }),
  // vectors: floats
  ...vector('f32x4', 2, floatComparisons(0x41)),
  ...vector('f64x2', 2, floatComparisons(0x47)),
  ...vector('f32x4', 1, { ceil: 0x67, floor: 0x68, trunc: 0x69, nearest: 0x6a, abs: 0xe0, neg: 0xe1, sqrt: 0xe3 }),
  ...vector('f32x4', 2, { add: 0xe4, sub: 0xe5, mul: 0xe6, div: 0xe7, min: 0xe8, max: 0xe9, pmin: 0xea, pmax: 0xeb }),
  ...vector('f64x2', 1, { ceil: 0x74, floor: 0x75, trunc: 0x7a, nearest: 0x94, abs: 0xec, neg: 0xed, sqrt: 0xef }),
  ...vector('f64x2', 2, { add: 0xf0, sub: 0xf1, mul: 0xf2, div: 0xf3, min: 0xf4, max: 0xf5, pmin: 0xf6, pmax: 0xf7 }),
  // vectors: conversions
  ...vector('f32x4', 1, { demote_f64x2_zero: 0x5e, convert_i32x4_s: 0xfa, convert_i32x4_u: 0xfb }),
  ...vector('f64x2', 1, { promote_low_f32x4: 0x5f, convert_low_i32x4_s: 0xfe, convert_low_i32x4_u: 0xff }),
  ...vector('i32x4', 1, { trunc_sat_f32x4_s: 0xf8, trunc_sat_f32x4_u: 0xf9, trunc_sat_f64x2_s_zero: 0xfc, trunc_sat_f64x2_u_zero: 0xfd }),
  // vectors: relaxed, whose results may differ between machines where their operands are out of the ordinary
  ...vector('i8x16', 2, { relaxed_swizzle: 0x100 }),
  ...vector('i32x4', 1, { relaxed_trunc_f32x4_s: 0x101, relaxed_trunc_f32x4_u: 0x102 }),
  ...vector('f32x4', 3, { relaxed_madd: 0x105, relaxed_nmadd: 0x106 }),
  ...vector('f64x2', 3, { relaxed_madd: 0x107, relaxed_nmadd: 0x108 }),
  ...vector('i8x16', 3, { relaxed_laneselect: 0x109 }),
  ...vector('i16x8', 3, { relaxed_laneselect: 0x10a }),
  ...vector('i32x4', 3, { relaxed_laneselect: 0x10b }),
  ...vector('i64x2', 3, { relaxed_laneselect: 0x10c }),
  ...vector('f32x4', 2, { relaxed_min: 0x10d, relaxed_max: 0x10e }),
  ...vector('f64x2', 2, { relaxed_min: 0x10f, relaxed_max: 0x110 }),
} as const satisfies Record<string, Opcode>;

export type OpName = keyof typeof opcodes;

/** The encodings of types in the binary. */
export const typeCodes: Readonly<Record<Type, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
/** The block type without results. */
export const emptyBlock = 0x40;
