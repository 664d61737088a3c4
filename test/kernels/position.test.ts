import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Extent, Position } from '../../kernels/loop.ts';
import {
  add,
  asConstant,
  axis,
  boundsOf,
  constant,
  div,
  linearize,
  mod,
  mul,
  positionsFrom,
  samePosition,
  simplify,
  strideOf,
  sub,
  substitute,
  valuePosition,
} from '../../kernels/position.ts';
import { runs } from '../effort.ts';

const i = axis('i');
const j = axis('j');
const k = axis('k');

/** The meaning of a position without values: floor division, non-negative remainder. */
function evaluate(p: Position, at: Readonly<Record<string, number>>): number {
  const extent = (e: Extent): number => (typeof e === 'number' ? e : at[e.size]!);
  switch (p.kind) {
    case 'const':
      return extent(p.value);
    case 'axis':
      return at[p.axis]!;
    case 'add':
      return evaluate(p.a, at) + evaluate(p.b, at);
    case 'mul':
      return evaluate(p.a, at) * extent(p.by);
    case 'div':
      return Math.floor(evaluate(p.a, at) / extent(p.by));
    case 'mod':
      return evaluate(p.a, at) - Math.floor(evaluate(p.a, at) / extent(p.by)) * extent(p.by);
    case 'value':
      throw new Error('no value expected');
  }
}

/** Random positions over axes i, j, k as a builder, so that the naive value is known beside the canonical tree. */
type Sample = { readonly position: Position; readonly value: (at: Readonly<Record<string, number>>) => number };
const sample: fc.Arbitrary<Sample> = fc.letrec<{ p: Sample }>((tie) => ({
  p: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom('i', 'j', 'k').map((name): Sample => ({ position: axis(name), value: (at) => at[name]! })),
    fc.integer({ min: -20, max: 20 }).map((c): Sample => ({ position: constant(c), value: () => c })),
    fc
      .tuple(tie('p'), tie('p'))
      .map(([a, b]): Sample => ({ position: add(a.position, b.position), value: (at) => a.value(at) + b.value(at) })),
    fc
      .tuple(tie('p'), fc.integer({ min: -4, max: 12 }))
      .map(([a, n]): Sample => ({ position: mul(a.position, n), value: (at) => a.value(at) * n })),
    fc
      .tuple(tie('p'), fc.integer({ min: 1, max: 12 }))
      .map(([a, n]): Sample => ({ position: div(a.position, n), value: (at) => Math.floor(a.value(at) / n) })),
    fc
      .tuple(tie('p'), fc.integer({ min: 1, max: 12 }))
      .map(([a, n]): Sample => ({ position: mod(a.position, n), value: (at) => a.value(at) - Math.floor(a.value(at) / n) * n })),
  ),
})).p;

describe('canonical form', () => {
  it('keeps axes in order of appearance and the constant last', () => {
    expect(add(constant(3), j, mul(i, 4), constant(2), j)).toEqual({
      kind: 'add',
      a: { kind: 'add', a: { kind: 'mul', a: j, by: 2 }, b: { kind: 'mul', a: i, by: 4 } },
      b: { kind: 'const', value: 5 },
    });
  });

  it('cancels terms', () => {
    expect(sub(add(i, j), i)).toEqual(j);
    expect(asConstant(sub(i, i))).toBe(0);
  });

  it('sees through values that are positions', () => {
    expect(valuePosition({ kind: 'position', dtype: 'i64', at: i })).toEqual(i);
  });

  it('keeps its meaning, whatever is built', () => {
    fc.assert(
      fc.property(sample, fc.nat(9), fc.nat(9), fc.nat(9), ({ position, value }, i, j, k) => {
        expect(evaluate(position, { i, j, k }) + 0).toBe(value({ i, j, k }) + 0);
      }),
      { numRuns: runs(500) },
    );
  });
});

describe('simplify', () => {
  const ranges = new Map([
    ['i', 8],
    ['j', 10],
    ['k', 3],
  ]);

  it('takes apart what linearize put together', () => {
    expect(simplify(div(add(mul(i, 10), j), 10), ranges)).toEqual(i);
    expect(simplify(mod(add(mul(i, 10), j), 10), ranges)).toEqual(j);
    expect(simplify(mod(div(add(mul(i, 30), mul(j, 3), k), 3), 10), ranges)).toEqual(j);
  });

  it('joins quotient and remainder again', () => {
    const linear = linearize(positionsFrom(i, [2, 3, 4]), [2, 3, 4]);
    expect(linear).toEqual(i);
  });

  it('keeps its meaning within the ranges', () => {
    fc.assert(
      fc.property(sample, fc.nat(7), fc.nat(9), fc.nat(2), ({ position, value }, i, j, k) => {
        const simple = simplify(position, ranges);
        expect(evaluate(simple, { i, j, k }) + 0).toBe(value({ i, j, k }) + 0);
        const { low, high } = boundsOf(simple, ranges);
        expect(value({ i, j, k })).toBeGreaterThanOrEqual(low);
        expect(value({ i, j, k })).toBeLessThanOrEqual(high);
      }),
      { numRuns: runs(500) },
    );
  });

  it('knows symbolic extents', () => {
    const n = { size: 'n' };
    const symbolic = new Map<string, Extent>([['j', n]]);
    const linear = add(mul(i, n), j);
    expect(simplify(div(linear, n), symbolic)).toEqual(i);
    expect(simplify(mod(linear, n), symbolic)).toEqual(j);
    expect(strideOf(linear, 'i')).toEqual(n);
  });
});

describe('reshape', () => {
  it('maps a tile view onto its source', () => {
    const ranges = new Map([
      ['i', 6],
      ['j', 4],
    ]);
    const [a, b, c] = positionsFrom(linearize([i, j], [6, 4]), [2, 3, 4], ranges);
    expect([a, b, c]).toEqual([div(i, 3), mod(i, 3), j]);
  });

  it('ignores axes of extent 1', () => {
    expect(positionsFrom(i, [1, 5, 1], new Map([['i', 5]]))).toEqual([constant(0), i, constant(0)]);
    expect(linearize([i, j, k], [5, 1, 3])).toEqual(add(mul(i, 3), k));
  });
});

describe('strideOf and substitute', () => {
  it('gives the coefficient of an affine axis and nothing otherwise', () => {
    expect(strideOf(add(mul(i, 12), j, constant(1)), 'i')).toBe(12);
    expect(strideOf(mul(j, 12), 'i')).toBe(0);
    expect(strideOf(add(div(i, 3), i), 'i')).toBeUndefined();
  });

  it('replaces axes, also inside the loads of values', () => {
    const indexed = valuePosition({ kind: 'load', dtype: 'i64', buffer: 'index', at: i });
    const replaced = substitute(add(mul(indexed, 4), i), new Map([['i', add(mul(j, 2), k)]]));
    const load = valuePosition({ kind: 'load', dtype: 'i64', buffer: 'index', at: add(mul(j, 2), k) });
    expect(samePosition(replaced, add(mul(load, 4), mul(j, 2), k))).toBe(true);
  });
});
