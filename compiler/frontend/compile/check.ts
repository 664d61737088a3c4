// compile(fn, { check: true }): compares what fn does now with what a replay would do, and names the captured numbers and objects that changed.
import { readSync } from '../../../runtime/buffer.ts';
import { CompileError } from '../../../runtime/errors.ts';
import { locationText, type Node, sameLocally } from '../../ir/node.ts';
import { sameRest } from '../pytree.ts';
import { sameSource } from './describe.ts';
import { holds } from './guards.ts';
import type { Traced } from './trace.ts';
import type { Segment, Source, Specialisation } from './tree.ts';

/** Throws CompileError where the recording differs from the tree. A way that the tree does not know yet is no difference. */
export function demandUnchanged(name: string, s: Specialisation, { path, values, found }: Traced<unknown>): void {
  let known: Segment | undefined = s.root;
  for (let depth = 0; depth < path.length && known !== undefined; depth++) {
    const now = path[depth]!;
    if (known.end.kind === 'open' || now.end.kind === 'open') return;
    const changed = differences(known, now);
    if (changed.length > 0)
      throw new CompileError(`a replay of ${name} would be wrong, since what it captures has changed: ${changed.join('; ')}`, {
        op: 'compile',
        fix: 'pass what changes as an argument',
      });
    if (known.end.kind !== 'branch') return;
    known = known.end.branches.find((b) => Object.is(b.value, values[depth]) && holds(b.segment.guards, [...found]))?.segment;
  }
}

const place = (n: Node): string => {
  const line = locationText(n.loc);
  return line === undefined ? n.op : `${n.op} at ${line}`;
};

function differences(known: Segment, now: Segment): string[] {
  const [a, b] = [known.structure?.nodes ?? [], now.structure?.nodes ?? []];
  if (known.structure !== now.structure) {
    const at = a.findIndex((n, i) => b[i] === undefined || !sameLocally(n, b[i]!));
    const [was, is] = at < 0 ? [a[a.length], b[a.length]] : [a[at], b[at]];
    return [`it computes ${is === undefined ? 'less' : place(is)} where ${was === undefined ? 'nothing' : place(was)} was recorded`];
  }
  const changed = known.leaves.flatMap((source, i) => {
    const text = changeOf(source, now.leaves[i]!);
    return text === undefined ? [] : [`${text} in ${user(known, i)}`];
  });
  if (known.end.kind === 'finish' && now.end.kind === 'finish' && !sameRest(known.end.finish.rest, now.end.finish.rest))
    changed.push('what it returns beside tensors');
  return changed;
}

/** The first op that reads a leaf. */
function user({ structure }: Segment, leaf: number): string {
  const value = structure!.leaves[leaf]!.values[0];
  // A number is spread over a shape first.
  const reader = (v: typeof value): Node | undefined => structure!.nodes.find((n) => n.inputs.some((x) => x === v));
  const first = reader(value);
  return place((first?.op === 'expand' ? reader(first.values[0]) : first)!);
}

function changeOf(was: Source, is: Source): string | undefined {
  if (was.kind === 'number' && is.kind === 'number') {
    if (typeof was.number === 'function' || typeof is.number === 'function' || Object.is(was.number, is.number)) return undefined;
    return `the number ${was.number} is ${is.number}`;
  }
  if (was.kind === 'constant' && is.kind === 'constant') {
    const [x, y] = [readSync(was.buffer), readSync(is.buffer)];
    const at = x.findIndex((v: number | bigint, i: number) => !Object.is(v, y[i]));
    return at < 0 ? undefined : `element ${at} of a tensor that it makes of numbers was ${x[at]} and is ${y[at]}`;
  }
  return sameSource(was, is) ? undefined : 'a captured tensor is another one';
}
