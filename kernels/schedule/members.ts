// Member tables: neighbouring nests that differ in buffers and extents only become one body over a table, however many there are.
// An engine then compiles and warms up one loop instead of one for each member.
import type { Extent, Kernel, Member, Param, Stmt } from '../loop.ts';
import { effectsOf, freshName, type Loop, namesIn, rename } from './rewrite.ts';

type Members = Extract<Stmt, { kind: 'members' }>;

/** Runs of equal nests at the kernel's top, each as a member table. Order stays, so what one nest leaves for the next is found there. */
export function mergeMembers(kernel: Kernel): Kernel {
  const params = new Map(kernel.params.map((p) => [p.name, p]));
  const taken = namesIn(kernel.body, params.keys());
  const body: Stmt[] = [];
  for (let i = 0; i < kernel.body.length; ) {
    const run = runFrom(kernel.body, i, params);
    if (run.length > 1) body.push(tableOf(kernel.body[i] as Loop, run, params, taken));
    else body.push(kernel.body[i]!);
    i += run.length;
  }
  return { ...kernel, body };
}

/** The body of one member, with its buffers and sizes in place. */
export function memberBody(s: Members, row: Member): Stmt[] {
  const names = new Map(s.buffers.map((b, i) => [b.name, row.buffers[i]!]));
  const sizes = new Map(s.sizes.map((n, i) => [n, row.sizes[i]!]));
  return s.body.map((t) => withSizes(rename(t, { axes: new Map(), names }), sizes));
}

function withSizes(s: Stmt, sizes: ReadonlyMap<string, number>): Stmt {
  if (s.kind !== 'loop') return s;
  const extent = typeof s.extent === 'number' ? s.extent : (sizes.get(s.extent.size) ?? s.extent);
  return { ...s, extent, body: s.body.map((t) => withSizes(t, sizes)) };
}

/** How one nest maps onto another: names by names, and the extents of its loops in the order in which they stand. */
type Matching = { readonly names: Map<string, string>; readonly extents: Extent[] };

/** The nest at `start` and those behind it that are like it, as seen from the first. */
function runFrom(body: readonly Stmt[], start: number, params: ReadonlyMap<string, Param>): Matching[] {
  const first = body[start]!;
  const alone: Matching[] = [{ names: new Map(), extents: [] }];
  if (first.kind !== 'loop') return alone;
  const run: Matching[] = [];
  for (let i = start; i < body.length; i++) {
    const found = match(first, body[i]!, params);
    if (found === undefined) break;
    run.push(found);
  }
  // One whose extents are open until the launch is not even like itself.
  return run.length === 0 ? alone : run;
}

function match(a: Loop, b: Stmt, params: ReadonlyMap<string, Param>): Matching | undefined {
  const m: Matching = { names: new Map(), extents: [] };
  if (!unify(a, b, '', m)) return undefined;
  const { declares } = effectsOf([a]);
  for (const [name, other] of m.names) {
    const param = params.get(name);
    const twin = params.get(other);
    if (param === undefined || twin === undefined) {
      // What the nest declares may be called anything; what comes from outside must be the same.
      if (param !== twin || (!declares.has(name) && name !== other)) return undefined;
    } else if (param.dtype !== twin.dtype || param.access !== twin.access) return undefined;
  }
  return new Set(m.names.values()).size === m.names.size ? m : undefined;
}

/** Fields of statements and expressions that hold names. */
const naming: ReadonlySet<string> = new Set(['name', 'buffer', 'axis']);

/** Whether two trees of plain data are equal but for names, which are paired, and for extents of loops, which are gathered. */
function unify(a: unknown, b: unknown, key: string, m: Matching): boolean {
  if (naming.has(key)) {
    const known = m.names.get(a as string);
    if (known === undefined) m.names.set(a as string, b as string);
    return known === undefined || known === b;
  }
  if (key === 'extent') {
    m.extents.push(b as Extent);
    return typeof a === 'number' && typeof b === 'number';
  }
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b);
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (k) => k in b && unify((a as Record<string, unknown>)[k], (b as Record<string, unknown>)[k], Array.isArray(a) ? key : k, m),
  );
}

/** The table of a run: buffers and extents that are the same for all members stay where they are. */
function tableOf(first: Loop, run: readonly Matching[], params: ReadonlyMap<string, Param>, taken: Set<string>): Members {
  const varying = [...run[0]!.names.keys()].filter((n) => params.has(n) && run.some((m) => m.names.get(n) !== n));
  const locals = new Map(varying.map((n) => [n, freshName(`m_${n}`, taken)]));
  const isOpen = run[0]!.extents.map((extent, i) => run.some((m) => m.extents[i] !== extent));
  const sizes = isOpen.map((open) => (open ? freshName('n', taken) : undefined));
  let next = 0;
  const body = withOpenExtents(rename(first, { axes: new Map(), names: locals }), () => sizes[next++]);
  return {
    kind: 'members',
    buffers: varying.map((n) => ({ name: locals.get(n)!, dtype: params.get(n)!.dtype, access: params.get(n)!.access })),
    sizes: sizes.filter((n) => n !== undefined),
    rows: run.map((m) => ({ buffers: varying.map((n) => m.names.get(n)!), sizes: m.extents.filter((_, i) => isOpen[i]).map(Number) })),
    body: [body],
  };
}

/** Loops in the order in which `unify` met them, with `#n` for the extents that vary. */
function withOpenExtents(s: Stmt, size: () => string | undefined): Stmt {
  if (s.kind !== 'loop') return s;
  const name = size();
  return { ...s, ...(name === undefined ? {} : { extent: { size: name } }), body: s.body.map((t) => withOpenExtents(t, size)) };
}
