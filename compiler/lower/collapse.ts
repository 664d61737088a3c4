// Merges perfectly nested loops where every position walks them as one: contiguous memory of any rank becomes a single flat loop.
import type { Expr, Position, Stmt } from '../../kernels/loop.ts';
import { axis, mapPositions, strideOf, substitute, zero } from '../../kernels/position.ts';

/** The statements with loops merged, innermost first. `names` are those that the kernel has already. */
export function collapse(stmts: readonly Stmt[], names: ReadonlySet<string>): readonly Stmt[] {
  return stmts.map((stmt): Stmt => {
    switch (stmt.kind) {
      case 'loop':
        return merge({ ...stmt, body: collapse(stmt.body, names) }, names);
      case 'if':
        return { ...stmt, then: collapse(stmt.then, names), else: collapse(stmt.else, names) };
      default:
        return stmt;
    }
  });
}

type Loop = Extract<Stmt, { kind: 'loop' }>;

function merge(outer: Loop, names: ReadonlySet<string>): Loop {
  const inner = outer.body.length === 1 ? outer.body[0]! : undefined;
  if (inner?.kind !== 'loop' || inner.mode !== outer.mode || inner.step !== undefined || outer.step !== undefined) return outer;
  if (typeof inner.extent !== 'number' || typeof outer.extent !== 'number') return outer;
  if (!walkAsOne(inner.body, outer.axis, inner.axis, inner.extent)) return outer;
  // Axes merged alike in several phases share a name, as their parts did.
  const joined = outer.axis + inner.axis;
  const merged = names.has(joined) ? `${joined}_flat` : joined;
  const by = new Map<string, Position>([
    [outer.axis, zero],
    [inner.axis, axis(merged)],
  ]);
  const body = inner.body.map((stmt) => mapStatement(stmt, (at) => substitute(at, by)));
  return { ...outer, axis: merged, extent: outer.extent * inner.extent, body };
}

/** Whether one step of the outer axis moves every position as far as a whole run of the inner one. */
function walkAsOne(body: readonly Stmt[], outer: string, inner: string, extent: number): boolean {
  let fits = true;
  const check = (at: Position): Position => {
    const far = strideOf(at, outer);
    const near = strideOf(at, inner);
    fits &&= typeof far === 'number' && typeof near === 'number' && far === near * extent;
    return at;
  };
  for (const stmt of body) {
    mapStatement(stmt, check);
    if (!fits) return false;
  }
  return true;
}

/** The statement with each position in it replaced by `f` of it. */
function mapStatement(stmt: Stmt, f: (at: Position) => Position): Stmt {
  const expr = (e: Expr): Expr => mapPositions(e, f);
  const all = (body: readonly Stmt[]): readonly Stmt[] => body.map((s) => mapStatement(s, f));
  const place = <T extends { readonly at: Position }>(p: T): T => ({ ...p, at: f(p.at) });
  switch (stmt.kind) {
    case 'loop':
      return { ...stmt, body: all(stmt.body) };
    case 'let':
    case 'assign':
    case 'accumulate':
    case 'check':
      return { ...stmt, value: expr(stmt.value) };
    case 'var':
      return { ...stmt, init: expr(stmt.init) };
    case 'scratch':
      return stmt.init === undefined ? stmt : { ...stmt, init: expr(stmt.init) };
    case 'store':
    case 'update':
      return { ...stmt, at: f(stmt.at), value: expr(stmt.value) };
    case 'if':
      return { ...stmt, test: expr(stmt.test), then: all(stmt.then), else: all(stmt.else) };
    case 'members':
      return { ...stmt, body: all(stmt.body) };
    case 'product':
      return { ...stmt, a: place(stmt.a), b: place(stmt.b), c: place(stmt.c) };
    case 'transpose':
      return { ...stmt, to: place(stmt.to), from: place(stmt.from) };
    case 'library':
      return stmt;
  }
}
