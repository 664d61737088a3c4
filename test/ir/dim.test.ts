import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bindDim, type Dim, dimAdd, dimMul, dimSub, dimText, fixed, parseDim, sym } from '../../compiler/ir/dim.ts';
import { IRError, ShapeError } from '../../runtime/errors.ts';

const n = sym('n');
const m = sym('m');
const sizes = new Map([
  ['n', 5],
  ['m', 7],
]);

/** Random arithmetic on n, m and small numbers, with the value that it has for the sizes above. */
const arithmetic: fc.Arbitrary<{ readonly dim: Dim; readonly value: number }> = fc
  .array(fc.record({ op: fc.constantFrom('+', '-', '*'), by: fc.constantFrom<Dim>(n, m, 0, 1, 2, 3, -1) }), { maxLength: 6 })
  .map((steps) => {
    let [dim, value]: [Dim, number] = [n, 5];
    for (const { op, by } of steps) {
      const other = bindDim(by, sizes);
      [dim, value] =
        op === '+' ? [dimAdd(dim, by), value + other] : op === '-' ? [dimSub(dim, by), value - other] : [dimMul(dim, by), value * other];
    }
    return { dim, value };
  });

test('arithmetic on sizes is arithmetic on their values', () => {
  fc.assert(
    fc.property(arithmetic, ({ dim, value }) => {
      expect(bindDim(dim, sizes) + 0).toBe(value + 0);
    }),
  );
});

test('a size prints and reads back as the same object', () => {
  fc.assert(
    fc.property(arithmetic, ({ dim }) => {
      expect(parseDim(dimText(dim))).toBe(dim);
    }),
  );
});

test('equal sizes are the same object, however they were computed', () => {
  expect(dimMul(dimAdd(n, 1), dimSub(n, 1))).toBe(dimSub(dimMul(n, n), 1));
  expect(dimSub(dimAdd(n, m), m)).toBe(n);
  expect(dimSub(n, n)).toBe(0);
  expect(dimText(dimSub(dimMul(2, dimMul(m, n)), 3))).toBe('2*m*n-3');
});

test('what is no size is refused', () => {
  for (const text of ['', '+', 'n+', '-', '2**n', 'n n', '2n', 'n/2', '1.5', '_n', 'n*-1', '(n)', '1e3'])
    expect(() => parseDim(text), text).toThrow(IRError);
});

test('sizes stay simple and exact', () => {
  const wide = Array.from({ length: 64 }, (_, i) => sym(`a${i}`)).reduce<Dim>(dimAdd, 0);
  expect(() => dimAdd(wide, 1)).toThrow('a size has grown too complicated');
  expect(() => dimMul(2 ** 40, dimMul(2 ** 40, n))).toThrow('a size has grown too complicated');
});

test('a symbolic size is no number', () => {
  expect(fixed(3)).toBe(3);
  expect(() => fixed(n)).toThrow(ShapeError);
  expect(bindDim(n, new Map())).toBeNaN();
});
