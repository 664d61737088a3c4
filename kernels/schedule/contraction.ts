// Register tiles for contractions: two parallel axes are unrolled and jammed, so that each load serves several products.
//
// Measured on V8 11.3 (Zen 5, float32 data with float64 sums, 128x784x256): plain nest 1.4 GF/s, 2x4 sums side by side 4.8, 4x4 4.3, 1x8 4.1.
// Eight sums, their operands and a product fit the sixteen registers. Packing operands into panels gains nothing at any size tried
// (4.8 at 512, 4.5 against 4.8 at 1024), so operands are staged only where a prologue would be computed again for every tile.

import { keyOfExpr } from '../keys.ts';
import type { Expr, Stmt } from '../loop.ts';
import { unrollAndJam } from './jam.ts';
import { chainOf, reorder, withBody } from './loops.ts';
import { effectsOf, freshName, type Loop, mentioned, namesIn, replaceIn } from './rewrite.ts';
import { axesIn, stage } from './stage.ts';

export type TileOptions = {
  /** Sums side by side along the two tiled axes, the longer count first. */
  readonly tile: readonly [number, number];
  /** Elements of scratch that staging one operand may take. */
  readonly maxStaged: number;
};
const defaultTile: TileOptions = { tile: [4, 2], maxStaged: 1 << 18 };

/** Each contraction among the statements, tiled; the rest as it is. `params` are names not to be used again. */
export function tileContractions(body: readonly Stmt[], params: Iterable<string>, options: TileOptions = defaultTile): Stmt[] {
  const taken = namesIn(body, params);
  return body.flatMap((s) => (s.kind === 'loop' ? tileContraction(s, taken, options) : [s]));
}

/**
 * `par ... { var sums; serial k { sums += a * b }; epilogue }` as a register-tiled nest, bit for bit the same. Operands may be any expressions
 * (prologues), lets may stand beside the sums, and tails of any size are tiles of their own. What is no contraction comes back as it is.
 */
export function tileContraction(nest: Loop, taken: Set<string> = namesIn([nest]), options: TileOptions = defaultTile): Stmt[] {
  const nested = chainOf(nest);
  const end = nested.findIndex((l) => l.mode !== 'par');
  const chain = end < 0 ? nested : nested.slice(0, end);
  const innermost = chain.at(-1);
  const found = innermost === undefined ? undefined : operandsOf(innermost.body, chain);
  if (found === undefined) return [nest];
  const [outer, inner] = ordered(found.left, found.right);
  const order = [
    ...chain.filter((l) => l !== outer && l !== inner),
    ...(outer === undefined ? [] : [outer]),
    ...(inner === undefined ? [] : [inner]),
  ];
  const bound = bindOperands(innermost!.body, [outer, inner], taken);
  const sequence = chainOf(
    reorder(
      rebuilt(chain, bound),
      order.map((l) => l.axis),
    ),
  );
  const reduced = chainOf(bound.find((t): t is Loop => t.kind === 'loop' && t.mode === 'serial')!);
  const counts = countsOf(outer, inner, options.tile);
  return tileLoops(stagePrologues(sequence.slice(0, chain.length), reduced, [...counts.keys()], options.maxStaged, taken), counts, taken);
}

/** How many iterations of each tiled axis stand side by side. */
function countsOf(outer: Loop | undefined, inner: Loop | undefined, [many, few]: TileOptions['tile']): Map<string, number> {
  if (outer !== undefined && inner !== undefined) {
    const wide = (outer.extent as number) >= many;
    return new Map([
      [outer.axis, wide ? many : few],
      [inner.axis, wide ? few : many],
    ]);
  }
  return new Map([outer, inner].flatMap((l) => (l === undefined ? [] : [[l.axis, many] as const])));
}

const rebuilt = (chain: readonly Loop[], body: readonly Stmt[]): Loop =>
  chain.reduceRight<readonly Stmt[]>((inside, l) => [withBody(l, inside)], body)[0] as Loop;

type Contraction = {
  /** The parallel axis that only one operand moves with; the innermost, if there are several. */
  readonly left: Loop | undefined;
  readonly right: Loop | undefined;
};

/** The tiled axes, if the body sums products in serial loops. */
function operandsOf(body: readonly Stmt[], chain: readonly Loop[]): Contraction | undefined {
  const serial = body.find((s): s is Loop => s.kind === 'loop' && s.mode === 'serial');
  if (serial === undefined || body.some((s) => s.kind === 'library' || s.kind === 'check')) return undefined;
  const reduced = chainOf(serial);
  const sums = reduced.at(-1)!.body;
  if (reduced.some((l) => l.mode !== 'serial' || typeof l.extent !== 'number' || l.step !== undefined)) return undefined;
  if (chain.some((l) => typeof l.extent !== 'number' || l.step !== undefined)) return undefined;
  const lets = new Map(sums.filter((s) => s.kind === 'let').map((s) => [s.name, s.value]));
  const sum = sums.find((s) => s.kind === 'accumulate');
  if (sum?.fn !== 'add' || sum.value.kind !== 'call' || sum.value.fn !== 'mul') return undefined;
  const [a, b] = sum.value.args.map((e) => axesIn(inlined(e, lets), chain));
  const left = a!.filter((l) => !b!.includes(l)).at(-1);
  const right = b!.filter((l) => !a!.includes(l)).at(-1);
  return left === undefined && right === undefined ? undefined : { left, right };
}

/** The expression with the lets of its body written out. */
function inlined(e: Expr, lets: ReadonlyMap<string, Expr>): Expr {
  return replaceIn(e, (x) => {
    const value = x.kind === 'ref' ? lets.get(x.name) : undefined;
    return value === undefined ? undefined : inlined(value, lets);
  });
}

/** The longer axis outside: the operand that the inner loop walks over again and again is then the smaller one. */
function ordered(a: Loop | undefined, b: Loop | undefined): readonly [Loop | undefined, Loop | undefined] {
  return a !== undefined && b !== undefined && (a.extent as number) > (b.extent as number) ? [a, b] : a === undefined ? [a, b] : [b, a];
}

/** Names every maximal subexpression of a sum that does not move with both tiled axes, so that copies share it. */
function bindOperands(body: readonly Stmt[], tiledAxes: readonly (Loop | undefined)[], taken: Set<string>): Stmt[] {
  const varying = new Map<string, ReadonlySet<string>>();
  const movesWith = (e: Expr): Set<string> => {
    const axes = new Set<string>();
    for (const name of mentioned(e)) {
      if (tiledAxes.some((l) => l?.axis === name)) axes.add(name);
      for (const a of varying.get(name) ?? []) axes.add(a);
    }
    return axes;
  };
  const bind = (statements: readonly Stmt[]): Stmt[] => {
    const out: Stmt[] = [];
    const named = new Map<string, Expr>();
    for (const s of statements) {
      if (s.kind === 'loop' && s.mode === 'serial') {
        out.push(withBody(s, bind(s.body)));
        continue;
      }
      if (s.kind === 'let') varying.set(s.name, movesWith(s.value));
      if (s.kind !== 'accumulate') {
        out.push(s);
        continue;
      }
      const value = replaceIn(s.value, (e) => {
        if (e.kind === 'literal' || e.kind === 'slot' || e.kind === 'ref') return e;
        if (e.kind === 'call' && movesWith(e).size > 1) return undefined;
        const key = keyOfExpr(e);
        const known = named.get(key);
        if (known !== undefined) return known;
        const name = freshName(operandName(e), taken);
        varying.set(name, movesWith(e));
        out.push({ kind: 'let', name, value: e });
        const ref: Expr = { kind: 'ref', dtype: e.dtype, name };
        named.set(key, ref);
        return ref;
      });
      out.push({ ...s, value });
    }
    return out;
  };
  return bind(body);
}

/** `a` for what is loaded from buffer `a`, for generated code to be read. */
function operandName(e: Expr): string {
  const load = e.kind === 'cast' ? e.value : e;
  return load.kind === 'load' ? `${load.buffer}_` : 'operand';
}

type Staged = { readonly before: Loop; readonly value: Expr; readonly axes: readonly Loop[] };

/**
 * Stages operands that are more than a load and that a tiled loop would compute again: each stands before the outermost tiled loop that it
 * does not move with, for all positions of the loops inside.
 */
function stagePrologues(
  chain: readonly Loop[],
  reduced: readonly Loop[],
  tiledAxes: readonly string[],
  maxStaged: number,
  taken: Set<string>,
): Stmt[] {
  const all = [...chain, ...reduced];
  const lets = new Map(
    reduced
      .at(-1)!
      .body.filter((s) => s.kind === 'let')
      .map((s) => [s.name, s.value]),
  );
  const local = effectsOf(chain.at(-1)!.body).declares;
  const staged: Staged[] = [];
  const used = new Set(reduced.at(-1)!.body.flatMap((s) => (s.kind === 'accumulate' ? [...mentioned(s.value)] : [])));
  for (const name of used) {
    const value = lets.has(name) ? inlined(lets.get(name)!, lets) : undefined;
    if (value === undefined || !isDear(value)) continue;
    const moves = mentioned(value);
    const depth = chain.findIndex((l) => tiledAxes.includes(l.axis) && !moves.has(l.axis));
    const axes = all.slice(depth + 1).filter((l) => moves.has(l.axis));
    const length = axes.reduce((n, l) => n * (l.extent as number), 1);
    const names = new Set(axes.map((l) => l.axis));
    if (depth < 0 || length > maxStaged || [...moves].some((n) => local.has(n) && !names.has(n))) continue;
    staged.push({ before: chain[depth]!, value, axes });
  }
  if (staged.length === 0) return [rebuilt(chain, chain.at(-1)!.body)];
  const keys = new Set(staged.map((s) => keyOfExpr(s.value)));
  let body: Stmt[] = withoutUnused(inlineInto(chain.at(-1)!.body, lets, keys));
  for (let depth = chain.length - 1; depth >= 0; depth--) {
    body = [withBody(chain[depth]!, body)];
    for (const s of staged) {
      const axes = s.axes.map((l) => ({ name: l.axis, extent: l.extent as number }));
      if (s.before === chain[depth]) body = stage(body, s.value, axes, 'staged', taken);
    }
  }
  return body;
}

/** Lets whose written-out value is to be staged, written out. */
function inlineInto(body: readonly Stmt[], lets: ReadonlyMap<string, Expr>, keys: ReadonlySet<string>): Stmt[] {
  return body.map((s): Stmt => {
    if (s.kind === 'loop') return withBody(s, inlineInto(s.body, lets, keys));
    if (s.kind !== 'let' || !lets.has(s.name)) return s;
    const value = inlined(s.value, lets);
    return keys.has(keyOfExpr(value)) ? { ...s, value } : s;
  });
}

/** The statements without lets that nothing after them reads, those that only such lets read included. */
function withoutUnused(body: readonly Stmt[]): Stmt[] {
  const kept: Stmt[] = [];
  const read = new Set<string>();
  for (let i = body.length - 1; i >= 0; i--) {
    const s = body[i]!;
    if (s.kind === 'let' && !read.has(s.name)) continue;
    const live = s.kind === 'loop' ? withBody(s, withoutUnused(s.body)) : s;
    for (const name of effectsOf([live]).reads) read.add(name);
    kept.push(live);
  }
  return kept.reverse();
}

/** Whether computing the value costs more than loading it. */
function isDear(e: Expr): boolean {
  if (e.kind === 'cast') return isDear(e.value);
  return e.kind === 'call' || e.kind === 'choose';
}

const hasSum = (body: readonly Stmt[]): boolean => body.some((s) => s.kind === 'accumulate' || (s.kind === 'loop' && hasSum(s.body)));

/** Unrolls and jams the tiled loops, the inner one first; loops that only fill scratch stay. */
function tileLoops(body: readonly Stmt[], counts: ReadonlyMap<string, number>, taken: Set<string>): Stmt[] {
  return body.flatMap((s): Stmt[] => {
    if (s.kind !== 'loop' || s.mode !== 'par' || !hasSum(s.body)) return [s];
    const count = counts.get(s.axis);
    const inside = withBody(s, tileLoops(s.body, counts, taken));
    return count === undefined ? [inside] : unrollAndJam(inside, count, taken);
  });
}
