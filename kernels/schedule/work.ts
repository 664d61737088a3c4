// How much a statement computes, in instructions of a vector machine: what decides whether work is cut into pieces and shared by threads.
import type { Expr, Extent, Position, Stmt } from '../loop.ts';
import type { ScalarName } from '../scalar.ts';
import { mostOf } from '../size.ts';

/** Instructions that stand for one call of a function; what is not listed takes one. */
const costs: Readonly<Partial<Record<ScalarName, number>>> = {
  div: 4,
  recip: 4,
  sqrt: 4,
  rsqrt: 8,
  exp: 16,
  exp2: 14,
  expm1: 18,
  log: 20,
  log2: 20,
  log10: 20,
  log1p: 24,
  sin: 24,
  cos: 24,
  tan: 40,
  asin: 24,
  acos: 24,
  atan: 24,
  atan2: 40,
  sinh: 24,
  cosh: 24,
  tanh: 24,
  asinh: 40,
  acosh: 40,
  atanh: 40,
  erf: 28,
  sigmoid: 20,
  softplus: 40,
  pow: 80,
  rem: 40,
  fmod: 40,
  floorDiv: 40,
  threefry: 100,
};

/** Instructions of one call of a function. */
export const costOf = (fn: ScalarName): number => costs[fn] ?? 1;

/** What is open counts by its greatest size; an unknown one is taken to be large. */
const trips = (extent: Extent): number => {
  const most = mostOf(extent);
  return Number.isFinite(most) ? most : 4096;
};

export function workOf(body: readonly Stmt[], lanes = 1): number {
  let work = 0;
  for (const s of body) work += workOfStatement(s, lanes);
  return work;
}

function workOfStatement(s: Stmt, lanes: number): number {
  switch (s.kind) {
    case 'loop':
      return s.mode === 'vector'
        ? Math.ceil(trips(s.extent) / 4) * workOf(s.body, 4)
        : Math.ceil(trips(s.extent) / (s.step ?? 1)) * workOf(s.body, lanes);
    case 'let':
    case 'assign':
    case 'accumulate':
      return 1 + workOfExpression(s.value);
    case 'var':
      return 1 + workOfExpression(s.init);
    case 'scratch':
      return s.init === undefined ? 0 : trips(s.length) / 4;
    case 'store':
    case 'update':
      return 2 + workOfExpression(s.value) + workOfPosition(s.at);
    case 'if':
      return 1 + workOfExpression(s.test) + Math.max(workOf(s.then, lanes), workOf(s.else, lanes));
    case 'check':
      return 1 + workOfExpression(s.value);
    case 'members':
      return s.rows.reduce((sum, row) => sum + Math.max(1, ...row.sizes), 0) * Math.max(1, workOf(s.body, lanes) / 4096);
    case 'library': {
      const elements = s.extents.reduce<number>((n, e) => n * Math.max(1, trips(e)), 1);
      return elements * 20;
    }
    case 'product':
      return (s.rows * s.columns * mostOf(s.depth)) / 4;
    case 'transpose':
      return s.rows * s.columns;
    default:
      return s satisfies never;
  }
}

function workOfExpression(e: Expr): number {
  switch (e.kind) {
    case 'literal':
    case 'ref':
    case 'slot':
      return 0;
    case 'load':
      return 1 + workOfPosition(e.at);
    case 'position':
      return 1 + workOfPosition(e.at);
    case 'call': {
      let work = costOf(e.fn);
      for (const a of e.args) work += workOfExpression(a);
      return work;
    }
    case 'cast':
    case 'bitcast':
      return 1 + workOfExpression(e.value);
    case 'choose':
      return 2 + Math.max(workOfExpression(e.then), workOfExpression(e.else));
    default:
      return e satisfies never;
  }
}

function workOfPosition(p: Position): number {
  switch (p.kind) {
    case 'const':
    case 'axis':
      return 0;
    case 'add':
      return workOfPosition(p.a) + workOfPosition(p.b);
    case 'mul':
      return workOfPosition(p.a);
    case 'div':
    case 'mod':
      return 3 + workOfPosition(p.a);
    case 'value':
      return 1 + workOfExpression(p.value);
    default:
      return p satisfies never;
  }
}
