// What the float32 functions have in common: literals, Horner's scheme, and how ln 2 and powers of 2 are approximated.

/** A float32 in WGSL. */
export const f = (value: number): string => `${Math.fround(value)}f`;

/** Horner's scheme. */
export const polynomial = (x: string, coefficients: readonly number[]): string =>
  coefficients.slice(0, -1).reduceRight((sum, c) => `(${sum}) * ${x} + ${f(c)}`, f(coefficients.at(-1)!));

/** 2^r = 1 + r q(r) for |r| <= 1/2. */
export const exp2Coefficients = [0.693147182, 0.240225941, 0.0555036627, 0.0096254386, 0.00133878982, 1.33370224e-4];

/** ln 2: leading bits, whose products with small integers are exact, and what they leave out. */
export const ln2High = 0.693359375;
export const ln2Low = -2.1219444005469057e-4;
