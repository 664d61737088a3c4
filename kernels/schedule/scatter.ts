// Scattering of rows, shared by threads: each owner goes through all indices and writes the rows that are its own, in their order.
//
//   serial i: N { let w = index[i]  check w  par j: D { y[w*D + j] += x[i*D + j] } }
//     =>
//   par owner: 4 { serial i: N { let w = index[i]  check w  if owner*R/4 <= w < (owner + 1)*R/4 { par j: D { y[w*D + j] += x[i*D + j] } } } }
//
// Every row has one writer, whatever the number of threads, so that sums stay what they were.
import type { Expr, Kernel, Stmt } from '../loop.ts';
import { add, axis, boundsOf, constant, mul, type Ranges, sub, summandsOf } from '../position.ts';
import { withBody } from './loops.ts';
import { effectsOf, freshName, type Loop, namesIn } from './rewrite.ts';
import { workOf } from './work.ts';

const owners = 4;
/** Instructions from which on scattering is worth sharing, and those of a row that make up for looking at its index in vain. */
const shareFrom = 60_000;
const fewestPerRow = 8 * owners;

export function shareScatters(kernel: Kernel): Kernel {
  const taken = namesIn(
    kernel.body,
    kernel.params.map((p) => p.name),
  );
  return { ...kernel, body: kernel.body.map((s) => (s.kind === 'loop' ? shared(kernel, s, taken) : s)) };
}

function shared(kernel: Kernel, loop: Loop, taken: Set<string>): Loop {
  const row = loop.body.at(-1);
  const before = loop.body.slice(0, -1);
  if (loop.mode !== 'serial' || loop.step !== undefined || row?.kind !== 'loop' || (row.mode !== 'par' && row.mode !== 'vector'))
    return loop;
  if (workOf([row]) < fewestPerRow || workOf([loop]) < shareFrom || !before.every((s) => s.kind === 'let' || s.kind === 'check'))
    return loop;
  const written = writeOf(row);
  if (written === undefined) return loop;
  const index = before.find((s) => s.kind === 'let' && s.name === written.index);
  const length = kernel.params.find((p) => p.name === written.buffer)?.length;
  const { reads, writes } = effectsOf([...before, ...row.body.map(valueOnly)]);
  if (index?.kind !== 'let' || typeof length !== 'number' || reads.has(written.buffer) || writes.size > 0) return loop;
  const { dtype } = index.value;
  const owner = freshName('owner', taken);
  const rows = Math.ceil(length / written.stride / owners);
  const w: Expr = { kind: 'ref', dtype, name: written.index };
  const first = mul(axis(owner), rows);
  const isOwn: Expr = {
    kind: 'call',
    dtype: 'bool',
    fn: 'and',
    args: [
      { kind: 'call', dtype: 'bool', fn: 'le', args: [{ kind: 'position', dtype, at: first }, w] },
      { kind: 'call', dtype: 'bool', fn: 'lt', args: [w, { kind: 'position', dtype, at: add(first, constant(rows)) }] },
    ],
  };
  const body: Stmt[] = [...before, { kind: 'if', test: isOwn, then: [row], else: [] }];
  return { kind: 'loop', axis: owner, extent: owners, mode: 'par', body: [withBody(loop, body)] };
}

/** Where a row writes: a buffer, the name that says which of its rows, and how long those are. Undefined if it may reach into another. */
function writeOf(row: Loop): { readonly buffer: string; readonly index: string; readonly stride: number } | undefined {
  const writes = row.body.filter((s) => s.kind === 'store' || s.kind === 'update');
  const [only] = writes;
  if (only === undefined || writes.length > 1 || row.body.some((s) => s !== only && s.kind !== 'let')) return undefined;
  for (const { isNegative, term } of summandsOf(only.at)) {
    if (isNegative || term.kind !== 'mul' || term.a.kind !== 'value' || term.a.value.kind !== 'ref' || typeof term.by !== 'number')
      continue;
    const ranges: Ranges = new Map([[row.axis, row.extent]]);
    const { low, high } = boundsOf(sub(only.at, term), ranges);
    if (low >= 0 && high < term.by) return { buffer: only.buffer, index: term.a.value.name, stride: term.by };
  }
  return undefined;
}

/** What a write computes, without the write. */
const valueOnly = (s: Stmt): Stmt => (s.kind === 'store' || s.kind === 'update' ? { kind: 'let', name: '', value: s.value } : s);
