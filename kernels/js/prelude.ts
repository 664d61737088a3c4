// Functions that a kernel carries with it: what JavaScript's Math lacks. Only those that a kernel uses are written into its source.
import type { LibraryRoutine } from '../routines.ts';
import { linalg } from './linalg.ts';

/** The text of each, and those that it calls. */
type Entry = { readonly text: string; readonly uses?: readonly HelperName[] };

export type HelperName =
  | 'check'
  | 'erf'
  | 'softplus'
  | 'roundHalfEven'
  | 'power'
  | 'powerInteger'
  | 'powerBigInt'
  | 'floorDivide'
  | 'floorRemainder'
  | 'nonZero'
  | 'floorDivideBigInt'
  | 'floorRemainderBigInt'
  | 'minBigInt'
  | 'maxBigInt'
  | 'absBigInt'
  | 'sign'
  | 'signBigInt'
  | 'threefry'
  | 'toBigInt'
  | 'bigIntToFloat32'
  | 'bits'
  | 'productF32'
  | 'productF64'
  | 'productI32'
  | 'transposeBlock'
  | LibraryRoutine;

export const helpers: Readonly<Record<HelperName, Entry>> = {
  check: {
    text: `
function check(op, value, below) {
  if (!(value >= 0 && value < below)) fail(op, value, below);
}`,
  },
  // Sun's fdlibm s_erf.c: below 1 ulp.
  erf: {
    text: `
function erf(x) {
  const a = Math.abs(x);
  if (a < 0.84375) {
    if (a < 3.7252902984e-9) return x + 0.12837916709551259 * x;
    const z = x * x;
    const r = 0.12837916709551256 + z * (-0.3250421072470015 + z * (-0.02848174957559851 + z * (-0.005770270296489442 + z * -0.000023763016656650163)));
    const s = 1 + z * (0.39791722395915535 + z * (0.0650222499887673 + z * (0.005081306281875766 + z * (0.00013249473800432164 + z * -0.000003960228278775368))));
    return x + x * (r / s);
  }
  if (a < 1.25) {
    const s = a - 1;
    const p = -0.0023621185607526594 + s * (0.41485611868374833 + s * (-0.3722078760357013 + s * (0.31834661990116175 + s * (-0.11089469428239668 + s * (0.035478304325618236 + s * -0.002166375594868791)))));
    const q = 1 + s * (0.10642088040084423 + s * (0.540397917702171 + s * (0.07182865441419627 + s * (0.12617121980876164 + s * (0.01363708391202905 + s * 0.011984499846799107)))));
    return x < 0 ? -0.8450629115104675 - p / q : 0.8450629115104675 + p / q;
  }
  if (a >= 6) return x < 0 ? -1 : 1;
  if (!(a < 6)) return x;
  const s = 1 / (a * a);
  let r;
  let t;
  if (a < 2.857142857142857) {
    r = -0.009864944034847148 + s * (-0.6938585727071818 + s * (-10.558626225323291 + s * (-62.375332450326006 + s * (-162.39666946257347 + s * (-184.60509290671104 + s * (-81.2874355063066 + s * -9.814329344169145))))));
    t = 1 + s * (19.651271667439257 + s * (137.65775414351904 + s * (434.56587747522923 + s * (645.3872717332679 + s * (429.00814002756783 + s * (108.63500554177944 + s * (6.570249770319282 + s * -0.0604244152148581)))))));
  } else {
    r = -0.0098649429247001 + s * (-0.799283237680523 + s * (-17.757954917754752 + s * (-160.63638485582192 + s * (-637.5664433683896 + s * (-1025.0951316110772 + s * -483.5191916086514)))));
    t = 1 + s * (30.33806074348246 + s * (325.7925129965739 + s * (1536.729586084437 + s * (3199.8582195085955 + s * (2553.0504064331644 + s * (474.52854120695537 + s * -22.44095244658582))))));
  }
  const z = Math.fround(a);
  const tail = (Math.exp(-z * z - 0.5625) * Math.exp((z - a) * (z + a) + r / t)) / a;
  return x < 0 ? tail - 1 : 1 - tail;
}`,
  },
  softplus: {
    text: `
function softplus(x) {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}`,
  },
  roundHalfEven: {
    text: `
function roundHalfEven(x) {
  const a = Math.abs(x);
  if (!(a < 4503599627370496)) return x;
  const r = a + 4503599627370496 - 4503599627370496;
  return x < 0 || Object.is(x, -0) ? -r : r;
}`,
  },
  power: {
    text: `
function power(x, y) {
  return x === 1 || (x === -1 && (y === Infinity || y === -Infinity)) ? 1 : x ** y;
}`,
  },
  powerInteger: {
    text: `
function powerInteger(x, y) {
  if (y < 0) return x === 1 ? 1 : x === -1 ? 1 - 2 * (y & 1) : 0;
  let result = 1;
  for (let base = x, n = y; n > 0; n >>= 1, base = Math.imul(base, base)) if (n & 1) result = Math.imul(result, base);
  return result;
}`,
  },
  powerBigInt: {
    text: `
function powerBigInt(x, y) {
  if (y < 0n) return x === 1n ? 1n : x === -1n ? 1n - 2n * (y & 1n) : 0n;
  let result = 1n;
  for (let base = x, n = y; n > 0n; n >>= 1n, base = BigInt.asIntN(64, base * base)) if (n & 1n) result = BigInt.asIntN(64, result * base);
  return result;
}`,
  },
  floorDivide: {
    text: `
function floorDivide(x, y) {
  const r = x % y;
  if (y === 0) return x / y;
  const q = (x - r) / y;
  return Math.round(r !== 0 && x < 0 !== y < 0 ? q - 1 : q);
}`,
  },
  floorRemainder: {
    text: `
function floorRemainder(x, y) {
  const r = x % y;
  return r !== 0 && r < 0 !== y < 0 ? r + y : r;
}`,
  },
  nonZero: {
    text: `
function nonZero(divisor) {
  if (Number(divisor) === 0) fail('division by zero');
  return divisor;
}`,
  },
  floorDivideBigInt: {
    text: `
function floorDivideBigInt(x, y) {
  const r = x % y;
  return BigInt.asIntN(64, r !== 0n && r < 0n !== y < 0n ? x / y - 1n : x / y);
}`,
  },
  floorRemainderBigInt: {
    text: `
function floorRemainderBigInt(x, y) {
  const r = x % y;
  return r !== 0n && r < 0n !== y < 0n ? r + y : r;
}`,
  },
  minBigInt: {
    text: `
function minBigInt(x, y) {
  return y < x ? y : x;
}`,
  },
  maxBigInt: {
    text: `
function maxBigInt(x, y) {
  return y > x ? y : x;
}`,
  },
  absBigInt: {
    text: `
function absBigInt(x) {
  return BigInt.asIntN(64, x < 0n ? -x : x);
}`,
  },
  sign: {
    text: `
function sign(x) {
  return x > 0 ? 1 : x < 0 ? -1 : 0;
}`,
  },
  signBigInt: {
    text: `
function signBigInt(x) {
  return x < 0n ? -1n : x > 0n ? 1n : 0n;
}`,
  },
  // Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
  threefry: {
    text: `
function threefry(key, stream, index) {
  const third = 0x1bd11bda ^ key ^ stream;
  let a = (index + key) | 0;
  let b = stream | 0;
  const four = (r0, r1, r2, r3, k0, k1, round) => {
    a = (a + b) | 0;
    b = ((b << r0) | (b >>> (32 - r0))) ^ a;
    a = (a + b) | 0;
    b = ((b << r1) | (b >>> (32 - r1))) ^ a;
    a = (a + b) | 0;
    b = ((b << r2) | (b >>> (32 - r2))) ^ a;
    a = (a + b) | 0;
    b = ((b << r3) | (b >>> (32 - r3))) ^ a;
    a = (a + k0) | 0;
    b = (b + k1 + round) | 0;
  };
  four(13, 15, 26, 6, stream, third, 1);
  four(17, 29, 16, 24, third, key, 2);
  four(13, 15, 26, 6, key, stream, 3);
  four(17, 29, 16, 24, stream, third, 4);
  four(13, 15, 26, 6, third, key, 5);
  return a;
}`,
  },
  toBigInt: {
    text: `
function toBigInt(x) {
  return Number.isFinite(x) ? BigInt.asIntN(64, BigInt(Math.trunc(x))) : 0n;
}`,
  },
  // Through float64 a 63-bit integer would be rounded twice: the bits that float64 lacks are kept as one sticky bit.
  bigIntToFloat32: {
    text: `
function bigIntToFloat32(x) {
  const a = x < 0n ? -x : x;
  if (a < 9007199254740992n) return Math.fround(Number(x));
  const high = (a >> 12n) | ((a & 4095n) === 0n ? 0n : 1n);
  return Math.fround(Number(x < 0n ? -high : high) * 4096);
}`,
  },
  bits: { text: `\nconst bits = new DataView(new ArrayBuffer(8));` },
  // Stable merge sort of each row's indices; NaN counts as the largest value, as in PyTorch.
  sort: {
    text: `
function sort(x, values, order, outer, extent, inner, descending, k) {
  const kept = k < 0 ? extent : k;
  const row = new Array(extent).fill(x[0]);
  const sign = descending ? -1 : 1;
  const compare = (i, j) => {
    const a = row[i];
    const b = row[j];
    return a < b ? -sign : a > b ? sign : a === b ? 0 : sign * ((a !== a ? 1 : 0) - (b !== b ? 1 : 0));
  };
  let from = new Int32Array(extent);
  let to = new Int32Array(extent);
  for (let o = 0; o < outer; o++) {
    for (let n = 0; n < inner; n++) {
      for (let i = 0; i < extent; i++) {
        row[i] = x[(o * extent + i) * inner + n];
        from[i] = i;
      }
      for (let width = 1; width < extent; width *= 2) {
        for (let start = 0; start < extent; start += 2 * width) {
          const middle = Math.min(start + width, extent);
          const end = Math.min(start + 2 * width, extent);
          for (let i = start, j = middle, at = start; at < end; at++) {
            to[at] = i < middle && (j >= end || compare(from[i], from[j]) <= 0) ? from[i++] : from[j++];
          }
        }
        [from, to] = [to, from];
      }
      for (let i = 0; i < kept; i++) {
        values[(o * kept + i) * inner + n] = row[from[i]];
        order[(o * kept + i) * inner + n] = order instanceof BigInt64Array ? BigInt(from[i]) : from[i];
      }
    }
  }
}`,
  },
  productF32: { text: productText('productF32', 'Math.fround(sum + Math.fround(x * y))') },
  productF64: { text: productText('productF64', 'sum + x * y') },
  productI32: { text: productText('productI32', '(sum + Math.imul(x, y)) | 0') },
  transposeBlock: {
    text: `
/** A block of a matrix, transposed. */
function transposeBlock(rows, columns, to, toAt, toRow, from, fromAt, fromRow) {
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) to[toAt + c * toRow + r] = from[fromAt + r * fromRow + c];
  }
}`,
  },
  ...linalg,
};

/** A block of a matrix product; each sum runs along k in order. */
function productText(name: string, step: string): string {
  return `
function ${name}(rows, columns, depth, a, aAt, aK, aRow, b, bAt, bK, c, cAt, cRow, adds) {
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < columns; j++) {
      let sum = adds ? c[cAt + r * cRow + j] : 0;
      for (let k = 0; k < depth; k++) {
        const x = a[aAt + r * aRow + k * aK];
        const y = b[bAt + k * bK + j];
        sum = ${step};
      }
      c[cAt + r * cRow + j] = sum;
    }
  }
}`;
}

/** The functions named and all that they call, in the order of the table. */
export function preludeOf(used: ReadonlySet<HelperName>): string[] {
  return (Object.keys(helpers) as HelperName[]).filter((name) => used.has(name)).flatMap((name) => helpers[name].text.trim().split('\n'));
}
