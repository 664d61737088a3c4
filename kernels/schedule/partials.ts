// Splits a long reduction at the top of a kernel into chunks whose results are combined in order, so that threads can share it.
//
//   var s = 0                          scratch s_parts[C]
//   serial i: n { s += f(i) }    =>    par c: C { var s_chunk = 0; serial i_in: n/C { s_chunk += f(c*n/C + i_in) }; s_parts[c] = s_chunk }
//                                      serial c: C { s += s_parts[c] }
//
// Accumulators in scratch (sums over columns) get a copy of the scratch for each chunk. The number of chunks follows from the loop alone, never
// from the number of threads.
import { bytesPerElement, type DType } from '../../runtime/dtype.ts';
import type { Expr, Kernel, Stmt } from '../loop.ts';
import { add, axis, constant, mul, strideOf } from '../position.ts';
import type { ScalarName } from '../scalar.ts';
import { identityOf } from './accumulator.ts';
import { moveAxis, withBody } from './loops.ts';
import { effectsOf, freshName, type Loop, mentioned, namesIn, rename, valuesIn } from './rewrite.ts';
import { workOf } from './work.ts';

/** Instructions from which on a reduction is worth sharing, and how many a chunk should have. */
const shareFrom = 60_000;
const perChunk = 20_000;
const mostChunks = 64;
/** Bytes that the copies of one accumulator may take. */
const mostBytes = 4 << 20;

type Scratch = Extract<Stmt, { kind: 'scratch' }>;

/** What a loop leaves behind: scalars, and scratch that it updates. */
type Result = { readonly name: string; readonly fn: ScalarName; readonly dtype: DType; readonly length: number | undefined };

/** The kernel with its long reductions in chunks. */
export function splitReductions(kernel: Kernel): Kernel {
  const taken = namesIn(
    kernel.body,
    kernel.params.map((p) => p.name),
  );
  const scratch = new Map<string, Scratch>();
  const body = kernel.body.flatMap((s): readonly Stmt[] => {
    if (s.kind === 'scratch') scratch.set(s.name, s);
    return s.kind === 'loop' ? splitReduction(s, scratch, taken) : [s];
  });
  return { ...kernel, body };
}

function splitReduction(loop: Loop, scratch: ReadonlyMap<string, Scratch>, taken: Set<string>): readonly Stmt[] {
  const { extent } = loop;
  const work = workOf([loop]);
  if (loop.mode === 'par' || loop.step !== undefined || typeof extent !== 'number' || work < shareFrom) return [loop];
  const results = resultsOf(loop, scratch);
  if (results === undefined || results.length === 0) return [loop];
  const room = results.map((r) => Math.floor(mostBytes / ((r.length ?? 1) * bytesPerElement[r.dtype])));
  const wanted = Math.min(extent, mostChunks, Math.floor(work / perChunk), ...room);
  if (wanted < 2) return [loop];
  // Whole vectors in every chunk but the last.
  const size = roundUp(Math.ceil(extent / wanted), loop.mode === 'vector' ? 64 : 1);
  const chunks = Math.floor(extent / size);
  if (chunks < 2) return [loop];
  return chunked(loop, results, size, chunks, taken);
}

const roundUp = (x: number, to: number): number => Math.ceil(x / to) * to;

function chunked(loop: Loop, results: readonly Result[], size: number, chunks: number, taken: Set<string>): Stmt[] {
  const chunk = freshName(`${loop.axis}_chunk`, taken);
  const inner = freshName(`${loop.axis}_of_chunk`, taken);
  const parts = new Map(results.map((r) => [r.name, freshName(`${r.name}_parts`, taken)]));
  const own = new Map(results.filter((r) => r.length === undefined).map((r) => [r.name, freshName(`${r.name}_chunk`, taken)]));
  const start = mul(axis(chunk), size);
  const moved = moveAxis(loop.body, loop.axis, add(start, axis(inner)));
  const body: Stmt[] = [];
  const after: Stmt[] = [];
  const scratch: Stmt[] = [];
  for (const r of results) {
    const place = parts.get(r.name)!;
    const identity = identityOf(r.fn, r.dtype)!;
    const { length = 1 } = r;
    scratch.push({ kind: 'scratch', name: place, dtype: r.dtype, length: chunks * length });
    if (r.length === undefined) {
      body.push({ kind: 'var', name: own.get(r.name)!, init: identity });
      const value: Expr = { kind: 'load', dtype: r.dtype, buffer: place, at: axis(chunk) };
      after.push({
        kind: 'loop',
        axis: chunk,
        extent: chunks,
        mode: 'serial',
        body: [{ kind: 'accumulate', name: r.name, fn: r.fn, value }],
      });
    } else {
      const q = freshName(`${r.name}_at`, taken);
      const at = add(mul(axis(chunk), length), axis(q));
      body.push({ kind: 'loop', axis: q, extent: length, mode: 'vector', body: [{ kind: 'store', buffer: place, at, value: identity }] });
      const value: Expr = { kind: 'load', dtype: r.dtype, buffer: place, at };
      const combine: Stmt = { kind: 'update', buffer: r.name, at: axis(q), fn: r.fn, value };
      after.push({
        kind: 'loop',
        axis: chunk,
        extent: chunks,
        mode: 'serial',
        body: [{ kind: 'loop', axis: q, extent: length, mode: 'vector', body: [combine] }],
      });
    }
  }
  const lengths = new Map(results.flatMap((r) => (r.length === undefined ? [] : [[r.name, r.length] as const])));
  const ofChunk = {
    ...loop,
    axis: inner,
    extent: size,
    body: moved.map((s) => ontoParts(rename(s, { axes: new Map(), names: own }), parts, lengths, chunk)),
  };
  body.push(ofChunk);
  for (const [name, variable] of own) {
    const { dtype } = results.find((r) => r.name === name)!;
    body.push({ kind: 'store', buffer: parts.get(name)!, at: axis(chunk), value: { kind: 'ref', dtype, name: variable } });
  }
  const rest = (loop.extent as number) - chunks * size;
  const tail = withBody({ ...loop, extent: rest }, moveAxis(loop.body, loop.axis, add(axis(loop.axis), constant(chunks * size))));
  return [...scratch, { kind: 'loop', axis: chunk, extent: chunks, mode: 'par', body }, ...after, ...(rest > 0 ? [tail] : [])];
}

/** Updates of scratch go to the copy of the chunk. */
function ontoParts(s: Stmt, parts: ReadonlyMap<string, string>, lengths: ReadonlyMap<string, number>, chunk: string): Stmt {
  if (s.kind === 'loop')
    return withBody(
      s,
      s.body.map((t) => ontoParts(t, parts, lengths, chunk)),
    );
  const length = s.kind === 'update' ? lengths.get(s.buffer) : undefined;
  if (s.kind !== 'update' || length === undefined) return s;
  return { ...s, buffer: parts.get(s.buffer)!, at: add(mul(axis(chunk), length), s.at) };
}

/** What the loop accumulates, or undefined if its turns depend on one another in another way. */
function resultsOf(loop: Loop, scratch: ReadonlyMap<string, Scratch>): Result[] | undefined {
  const { declares } = effectsOf(loop.body);
  const reads = new Set<string>();
  const found = new Map<string, Result>();
  const stored: string[] = [];
  const note = (r: Result): boolean => {
    const known = found.get(r.name);
    found.set(r.name, r);
    return identityOf(r.fn, r.dtype) !== undefined && (known === undefined || known.fn === r.fn);
  };
  const isFree = (s: Stmt): boolean => {
    switch (s.kind) {
      case 'loop':
        return s.body.every(isFree);
      case 'let':
      case 'check':
        mentioned(s.value, reads);
        return true;
      case 'var':
        mentioned(s.init, reads);
        return true;
      case 'assign':
        mentioned(s.value, reads);
        return declares.has(s.name);
      case 'accumulate':
        mentioned(s.value, reads);
        return declares.has(s.name) || note({ name: s.name, fn: s.fn, dtype: s.value.dtype, length: undefined });
      case 'scratch':
        if (s.init !== undefined) mentioned(s.init, reads);
        return true;
      case 'store':
      case 'update': {
        mentioned(s.value, reads);
        for (const e of valuesIn(s.at)) mentioned(e, reads);
        if (declares.has(s.buffer)) return true;
        const place = scratch.get(s.buffer);
        const stride = strideOf(s.at, loop.axis);
        if (s.kind === 'update' && place !== undefined && typeof place.length === 'number' && stride === 0)
          return note({ name: s.buffer, fn: s.fn, dtype: place.dtype, length: place.length });
        stored.push(s.buffer);
        return s.kind === 'store' && typeof stride === 'number' && stride !== 0;
      }
      default:
        return false;
    }
  };
  if (!loop.body.every(isFree)) return undefined;
  return [...found.keys(), ...stored].some((name) => reads.has(name)) ? undefined : [...found.values()];
}
