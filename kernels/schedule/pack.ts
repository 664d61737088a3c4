// Panels: a factor of a contraction copied to scratch in the order in which micro-kernels walk it. Prologues are computed on the way.
import type { Position, Stmt } from '../loop.ts';
import { add, axis, constant, linearize, mul } from '../position.ts';
import { innermostOver, loopsOver, type Stretch, sizeOf } from './blocks.ts';
import type { Axis, Factor } from './factors.ts';
import { freshName, rename } from './rewrite.ts';

export type Panels = {
  readonly buffer: string;
  /** Where the first panel begins in its buffer; the others follow it. */
  readonly at: Position;
  /** The axis across the panels, and where the first starts on it. */
  readonly across: Axis;
  readonly start: Position;
  /** How many elements lie side by side in each. */
  readonly widths: readonly number[];
};

/** Widths of the panels of at most `most` elements that `width` elements are cut into. */
export const widthsOf = (width: number, most: number): number[] =>
  Array.from({ length: Math.ceil(width / most) }, (_, i) => Math.min(most, width - i * most));

/** Fills [panel][k][across]. All panels are filled on one way along the stretch, so that what lies side by side is fetched together. */
export function packPanels(factor: Factor, panels: Panels, stretch: Stretch, taken: Set<string>): readonly Stmt[] {
  const moved = new Map([...stretch.starts].map(([name, from]) => [name, add(from, axis(name))] as const));
  const k = linearize(
    stretch.axes.map((a) => axis(a.name)),
    stretch.axes.map((a) => a.extent),
  );
  const steps = sizeOf(stretch.axes);
  let before = 0;
  const fill = panels.widths.flatMap((width): Stmt[] => {
    const lane = freshName('lane', taken);
    const axes = new Map(moved).set(panels.across.name, add(panels.start, constant(before), axis(lane)));
    const names = new Map(factor.before.flatMap((s) => (s.kind === 'let' ? [[s.name, freshName(s.name, taken)] as const] : [])));
    const at = add(panels.at, constant(before * steps), mul(k, width));
    before += width;
    const value: Stmt = { kind: 'store', buffer: panels.buffer, at, value: factor.value };
    const computing = [...factor.before, value].map((s) => rename(s, { axes, names }));
    const statements = [...computing.slice(0, -1), { ...(computing.at(-1) as typeof value), at: add(at, axis(lane)) }];
    const mode = statements.some((s) => s.kind === 'check') ? 'serial' : 'vector';
    return innermostOver({ name: lane, extent: width }, mode, statements);
  });
  return loopsOver(stretch.axes, 'par', fill);
}
