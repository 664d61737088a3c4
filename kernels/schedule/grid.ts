// Makes parallel loops that stand in one another one grid: what is computed between them is computed by every point of the grid instead.
import type { Stmt } from '../loop.ts';
import { withBody } from './loops.ts';
import type { Loop } from './rewrite.ts';

/** The statements with the `let`s between two parallel loops moved into the inner one, where nothing else stands between them. */
export const flattenGrids = (body: readonly Stmt[]): readonly Stmt[] =>
  body.map((s) => (s.kind === 'loop' && s.mode === 'par' ? flattened(s) : s));

function flattened(loop: Loop): Loop {
  const inner = loop.body.at(-1);
  const lets = loop.body.slice(0, -1);
  if (inner?.kind !== 'loop' || inner.mode !== 'par' || lets.some((s) => s.kind !== 'let')) return loop;
  return withBody(loop, [flattened(withBody(inner, [...lets, ...inner.body]))]);
}
