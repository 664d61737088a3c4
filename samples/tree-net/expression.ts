// Boolean expressions over bits: their shapes, drawn at random, and their values.
import { randint, type Tensor } from 'fluxion';

export type Expression =
  | { readonly kind: 'bit' }
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'and' | 'or' | 'xor'; readonly left: Expression; readonly right: Expression };

const bit: Expression = { kind: 'bit' };

/** An expression of this depth at most. */
export function draw(depth: number): Expression {
  const any = (n: number): number => randint(0, n, [1]).itemSync();
  if (depth === 0) return bit;
  const kind = (['not', 'and', 'or', 'xor'] as const)[any(4)]!;
  if (kind === 'not') return { kind, of: draw(depth - 1) };
  // One side is as deep as it may be.
  const sides = [draw(depth - 1), draw(any(depth))] as const;
  const [left, right] = any(2) === 0 ? sides : [sides[1], sides[0]];
  return { kind, left, right };
}

/** As one writes it: `(not (x and x))`. */
export function written(e: Expression): string {
  switch (e.kind) {
    case 'bit':
      return 'x';
    case 'not':
      return `(not ${written(e.of)})`;
    default:
      return `(${written(e.left)} ${e.kind} ${written(e.right)})`;
  }
}

/** How many bits stand in it. */
export function width(e: Expression): number {
  return e.kind === 'bit' ? 1 : e.kind === 'not' ? width(e.of) : width(e.left) + width(e.right);
}

/** Its value, computed by tensors too: a column of `bits` ([batch, width]) for each bit. */
export function evaluate(e: Expression, bits: Tensor): Tensor {
  const columns = bits.unbind(1)[Symbol.iterator]();
  const value = (part: Expression): Tensor => {
    switch (part.kind) {
      case 'bit':
        return columns.next().value as Tensor;
      case 'not':
        return value(part.of).neg().add(1);
      default: {
        const [left, right] = [value(part.left), value(part.right)];
        return part.kind === 'xor'
          ? left.ne(right).to('int32')
          : left
              .add(right)
              .ge(part.kind === 'and' ? 2 : 1)
              .to('int32');
      }
    }
  };
  return value(e);
}
