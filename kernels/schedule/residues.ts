// Loops whose conditions ask which remainder their axis leaves (gradients of strided windows do) become loops with a turn for each remainder.
//
//   par l: 28 { y[l] = choose(0 <= l mod 2 < 1, x[l div 2], 0) }   =>   par l: 14 { y[l*2] = x[l]   y[l*2 + 1] = 0 }
//
// The order of all turns stays. Each copy then knows its conditions, and only what holds in it is computed.
import type { Condition, Expr, Kernel, Stmt } from '../loop.ts';
import { add, axis, boundsOf, constant, mul, type Ranges, strideOf } from '../position.ts';
import { effectsOf, freshName, type Loop, namesIn, rename } from './rewrite.ts';

/** A larger remainder would make too many copies. */
const mostTurns = 4;
/** Statements that all copies together may have. */
const mostStatements = 256;

export function splitResidues(kernel: Kernel): Kernel {
  const taken = namesIn(
    kernel.body,
    kernel.params.map((p) => p.name),
  );
  return { ...kernel, body: inAll(kernel.body, new Map(), taken) };
}

const inAll = (body: readonly Stmt[], ranges: Ranges, taken: Set<string>): readonly Stmt[] =>
  body.flatMap((s): readonly Stmt[] => {
    if (s.kind !== 'loop') return [s];
    const turns = turnsOf(s);
    const within = (loop: Loop): Loop => ({ ...loop, body: inAll(loop.body, new Map(ranges).set(loop.axis, loop.extent), taken) });
    if (turns === undefined) return [within(s)];
    const [rounds, ...rest] = splitBy(s, turns, ranges, taken);
    return [within(rounds), ...inAll(rest, ranges, taken)];
  });

/** By what the axis of a loop is divided in conditions of its body. */
function turnsOf(loop: Loop): number | undefined {
  if (loop.mode === 'vector' || loop.step !== undefined || typeof loop.extent !== 'number') return undefined;
  let found: number | undefined;
  let statements = 0;
  visitConditions(loop.body, (when) => {
    for (const { at } of when) {
      if (at.kind !== 'mod' || typeof at.by !== 'number') continue;
      const stride = strideOf(at.a, loop.axis);
      if (typeof stride === 'number' && stride % at.by !== 0) found ??= at.by;
    }
  });
  const count = (body: readonly Stmt[]): void =>
    body.forEach((s) => {
      statements++;
      if (s.kind === 'loop') count(s.body);
    });
  count(loop.body);
  return found !== undefined && found <= mostTurns && found <= loop.extent && found * statements <= mostStatements ? found : undefined;
}

function visitConditions(body: readonly Stmt[], visit: (when: Condition) => void): void {
  const expr = (e: Expr): void => {
    if (e.kind === 'call') e.args.forEach(expr);
    if (e.kind === 'cast' || e.kind === 'bitcast') expr(e.value);
    if (e.kind !== 'choose') return;
    visit(e.when);
    expr(e.then);
    expr(e.else);
  };
  for (const s of body) {
    if (s.kind === 'loop') visitConditions(s.body, visit);
    else if ('value' in s) expr(s.value);
    else if (s.kind === 'var') expr(s.init);
  }
}

/** A loop over whole rounds of `turns`, and what is left behind them. */
function splitBy(loop: Loop, turns: number, outer: Ranges, taken: Set<string>): readonly [Loop, ...Stmt[]] {
  const extent = loop.extent as number;
  const rounds = Math.floor(extent / turns);
  const ranges: Ranges = new Map(outer).set(loop.axis, rounds);
  const copy = (to: ReturnType<typeof constant>): Stmt[] => {
    const names = new Map([...declared(loop.body)].map((name) => [name, freshName(name, taken)] as const));
    return withoutUnread(loop.body.map((s) => decided(rename(s, { axes: new Map([[loop.axis, to]]), names }), ranges)));
  };
  const body = Array.from({ length: turns }, (_, turn) => copy(add(mul(axis(loop.axis), turns), constant(turn))));
  const rest = Array.from({ length: extent - rounds * turns }, (_, turn) => copy(constant(rounds * turns + turn)));
  return [{ ...loop, extent: rounds, body: body.flat() }, ...rest.flat()];
}

/** What only the other copies need is left out. */
function withoutUnread(body: readonly Stmt[]): Stmt[] {
  const reads = new Set<string>();
  const kept: Stmt[] = [];
  for (const s of [...body].reverse()) {
    if (s.kind === 'let' && !reads.has(s.name)) continue;
    for (const name of effectsOf([s]).reads) reads.add(name);
    kept.push(s);
  }
  return kept.reverse();
}

/** Names that a body declares, without the axes of its loops. */
function declared(body: readonly Stmt[]): Set<string> {
  const declares = new Set(effectsOf(body).declares);
  const dropAxes = (inner: readonly Stmt[]): void =>
    inner.forEach((s) => {
      if (s.kind !== 'loop') return;
      declares.delete(s.axis);
      dropAxes(s.body);
    });
  dropAxes(body);
  return declares;
}

/** The statement with the choices made that ranges decide. */
function decided(s: Stmt, outer: Ranges): Stmt {
  const expr = (e: Expr): Expr => decidedExpr(e, outer);
  switch (s.kind) {
    case 'loop': {
      const ranges = new Map(outer).set(s.axis, s.extent);
      return { ...s, body: s.body.map((t) => decided(t, ranges)) };
    }
    case 'let':
    case 'assign':
    case 'accumulate':
    case 'store':
    case 'update':
    case 'check':
      return { ...s, value: expr(s.value) };
    case 'var':
      return { ...s, init: expr(s.init) };
    case 'if':
      return { ...s, test: expr(s.test), then: s.then.map((t) => decided(t, outer)), else: s.else.map((t) => decided(t, outer)) };
    case 'scratch':
    case 'members':
    case 'library':
    case 'product':
    case 'transpose':
      return s;
    default:
      return s satisfies never;
  }
}

function decidedExpr(e: Expr, ranges: Ranges): Expr {
  switch (e.kind) {
    case 'literal':
    case 'ref':
    case 'slot':
    case 'load':
    case 'position':
      return e;
    case 'call':
      return { ...e, args: e.args.map((a) => decidedExpr(a, ranges)) };
    case 'cast':
    case 'bitcast':
      return { ...e, value: decidedExpr(e.value, ranges) };
    case 'choose': {
      const open = e.when.filter((bound) => verdict(bound, ranges) !== true);
      if (open.length === 0) return decidedExpr(e.then, ranges);
      if (open.some((bound) => verdict(bound, ranges) === false)) return decidedExpr(e.else, ranges);
      return { ...e, when: open, then: decidedExpr(e.then, ranges), else: decidedExpr(e.else, ranges) };
    }
    default:
      return e satisfies never;
  }
}

/** Whether a bound holds everywhere, or nowhere; undefined where it depends. */
function verdict({ at, below }: Condition[number], ranges: Ranges): boolean | undefined {
  if (typeof below !== 'number') return undefined;
  const { low, high } = boundsOf(at, ranges);
  if (low >= 0 && high < below) return true;
  return high < 0 || low >= below ? false : undefined;
}
