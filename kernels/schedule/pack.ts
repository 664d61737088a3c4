// Panels: a factor of a contraction copied to scratch in the order in which micro-kernels walk it. Prologues are computed on the way.
import type { Position, Stmt } from '../loop.ts';
import { add, axis, linearize, mul } from '../position.ts';
import { innermostOver, loopsOver, type Stretch } from './blocks.ts';
import type { Axis, Factor } from './factors.ts';
import { freshName, rename } from './rewrite.ts';

export type Panel = {
  readonly buffer: string;
  /** Where the panel begins in its buffer. */
  readonly at: Position;
  /** The axis across the panel, where the panel starts on it, and how many of its elements lie side by side. */
  readonly across: Axis;
  readonly start: Position;
  readonly width: number;
};

/** Fills [k][across]. `order` numbers the steps of the stretch; elements across lie side by side. */
export function packPanel(
  factor: Factor,
  { buffer, at, across, start, width }: Panel,
  stretch: Stretch,
  taken: Set<string>,
): readonly Stmt[] {
  const lane = freshName('lane', taken);
  const axes = new Map([...stretch.starts].map(([name, from]) => [name, add(from, axis(name))] as const));
  axes.set(across.name, add(start, axis(lane)));
  const k = linearize(
    stretch.axes.map((a) => axis(a.name)),
    stretch.axes.map((a) => a.extent),
  );
  const fill: Stmt[] = [
    ...factor.before.map((s) => rename(s, { axes, names: new Map() })),
    {
      kind: 'store',
      buffer,
      at: add(at, mul(k, width), axis(lane)),
      value: valueAt(factor, axes),
    },
  ];
  const mode = fill.some((s) => s.kind === 'check') ? 'serial' : 'vector';
  return loopsOver(stretch.axes, 'par', innermostOver({ name: lane, extent: width }, mode, fill));
}

function valueAt(factor: Factor, axes: ReadonlyMap<string, Position>): Extract<Stmt, { kind: 'let' }>['value'] {
  const moved = rename({ kind: 'let', name: '', value: factor.value }, { axes, names: new Map() });
  return (moved as Extract<Stmt, { kind: 'let' }>).value;
}
