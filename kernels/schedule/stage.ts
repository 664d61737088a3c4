// Stages an expression: its values are computed once into scratch, in loops of their own, and loaded where they are used.
import { keyOfExpr } from '../keys.ts';
import type { Expr, Stmt } from '../loop.ts';
import { axis, linearize } from '../position.ts';
import { refuse } from './loops.ts';
import { freshName, type Loop, mentioned, replaceIn } from './rewrite.ts';

/** An axis that the staged expression moves with, inside the place where the scratch stands. */
export type StagedAxis = { readonly name: string; readonly extent: number };

/**
 * `body` with `expr` staged before it. The expression may depend on `axes` (loops inside `body`) and on what is in scope before it;
 * nothing in `body` may change what it reads.
 */
export function stage(body: readonly Stmt[], expr: Expr, axes: readonly StagedAxis[], base: string, taken: Set<string>): Stmt[] {
  const name = freshName(base, taken);
  const shape = axes.map((a) => a.extent);
  const at = linearize(
    axes.map((a) => axis(a.name)),
    shape,
  );
  const length = shape.reduce((n, e) => n * e, 1);
  const load: Expr = { kind: 'load', dtype: expr.dtype, buffer: name, at };
  const key = keyOfExpr(expr);
  let uses = 0;
  const used = mapExprs(body, (e) => {
    if (keyOfExpr(e) !== key) return undefined;
    uses++;
    return load;
  });
  if (uses === 0) throw refuse('stage', `the body does not use ${base}`);
  let fill: Stmt = { kind: 'store', buffer: name, at, value: expr };
  for (let d = axes.length - 1; d >= 0; d--)
    fill = { kind: 'loop', axis: axes[d]!.name, extent: axes[d]!.extent, mode: 'par', body: [fill] };
  return [{ kind: 'scratch', name, dtype: expr.dtype, length }, fill, ...used];
}

/** Statements with subexpressions replaced, those of nested statements too. */
function mapExprs(body: readonly Stmt[], f: (e: Expr) => Expr | undefined): Stmt[] {
  const expr = (e: Expr): Expr => replaceIn(e, f);
  return body.map((s): Stmt => {
    switch (s.kind) {
      case 'loop':
        return { ...s, body: mapExprs(s.body, f) };
      case 'let':
      case 'assign':
      case 'accumulate':
      case 'store':
      case 'update':
      case 'check':
        return { ...s, value: expr(s.value) };
      case 'var':
        return { ...s, init: expr(s.init) };
      case 'scratch':
        return s.init === undefined ? s : { ...s, init: expr(s.init) };
      case 'if':
        return { ...s, test: expr(s.test), then: mapExprs(s.then, f), else: mapExprs(s.else, f) };
      case 'members':
        return { ...s, body: mapExprs(s.body, f) };
      case 'library':
      case 'product':
      case 'transpose':
        return s;
      default:
        return s satisfies never;
    }
  });
}

/** The loops among `chain` that an expression moves with. */
export const axesIn = (e: Expr, chain: readonly Loop[]): Loop[] => {
  const names = mentioned(e);
  return chain.filter((l) => names.has(l.axis));
};
