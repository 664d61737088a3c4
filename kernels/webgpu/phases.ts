// Cuts a kernel into phases, each of which is a dispatch: what one invocation does alone, and loops whose iterations are invocations.
import type { DType } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import type { Expr, Extent, Kernel, Position, Stmt } from '../loop.ts';

/** What the names of a member's row stand for. */
export type Bindings = { readonly buffers: ReadonlyMap<string, string>; readonly sizes: ReadonlyMap<string, number> };

export type Axis = { readonly name: string; readonly extent: number; readonly step: number };

/** One invocation per point of the axes; a single one where there are none. */
export type Phase = { readonly axes: readonly Axis[]; readonly body: readonly Stmt[]; readonly bindings: Bindings };

/** A scalar, or scratch of `length` elements, that more than one phase uses. */
export type Shared = { readonly name: string; readonly dtype: DType; readonly length: number | undefined };

export type Phases = { readonly phases: readonly Phase[]; readonly shared: readonly Shared[] };

const noBindings: Bindings = { buffers: new Map(), sizes: new Map() };

export function sizeOf(extent: Extent, { sizes }: Bindings): number {
  const size = typeof extent === 'number' ? extent : sizes.get(extent.size);
  if (size === undefined) throw new InternalError(`size ${(extent as { size: string }).size} is not bound`, { op: 'emit' });
  return size;
}

/** The bindings of each row of a member table, within those around it. */
export const rowsOf = ({ buffers, sizes, rows }: Extract<Stmt, { kind: 'members' }>, outer: Bindings): readonly Bindings[] =>
  rows.map((row) => ({
    buffers: new Map([
      ...outer.buffers,
      ...buffers.map((b, i) => [b.name, outer.buffers.get(row.buffers[i]!) ?? row.buffers[i]!] as const),
    ]),
    sizes: new Map([...outer.sizes, ...sizes.map((n, i) => [n, row.sizes[i]!] as const)]),
  }));

export function phasesOf(kernel: Kernel): Phases {
  const phases: Phase[] = [];
  cut(kernel.body, noBindings, phases);
  return { phases: phases.filter((p) => p.axes.every((a) => a.extent > 0)), shared: sharedOf(phases) };
}

function cut(body: readonly Stmt[], bindings: Bindings, into: Phase[]): void {
  let alone: Stmt[] = [];
  const flush = (): void => {
    if (alone.length > 0) into.push({ axes: [], body: alone, bindings });
    alone = [];
  };
  for (const s of body) {
    if (s.kind === 'members') {
      flush();
      for (const row of rowsOf(s, bindings)) cut(s.body, row, into);
    } else if (s.kind === 'library') {
      flush();
      into.push({ axes: [], body: [s], bindings });
    } else if (isParallel(s)) {
      flush();
      into.push(parallel(s, bindings));
    } else {
      alone.push(s);
    }
  }
  flush();
}

type Loop = Extract<Stmt, { kind: 'loop' }>;
const isParallel = (s: Stmt | undefined): s is Loop => s?.kind === 'loop' && s.mode === 'par';

/** Parallel loops right inside one another are one grid. */
function parallel(outermost: Loop, bindings: Bindings): Phase {
  const axes: Axis[] = [];
  let loop = outermost;
  for (;;) {
    const { axis, extent, step = 1 } = loop;
    axes.push({ name: axis, extent: Math.ceil(sizeOf(extent, bindings) / step), step });
    const only = loop.body.length === 1 ? loop.body[0] : undefined;
    if (!isParallel(only)) return { axes, body: loop.body, bindings };
    loop = only;
  }
}

/** What is declared at the top of one phase and used in another. */
function sharedOf(phases: readonly Phase[]): readonly Shared[] {
  const users = phases.map((p) => namesIn(p.body, p.bindings));
  return phases.flatMap(({ axes, body, bindings }, k) =>
    axes.length > 0
      ? []
      : body.flatMap((s): Shared[] => {
          const declared = declaredBy(s, bindings);
          return declared !== undefined && users.some((names, other) => other !== k && names.has(declared.name)) ? [declared] : [];
        }),
  );
}

function declaredBy(s: Stmt, bindings: Bindings): Shared | undefined {
  switch (s.kind) {
    case 'let':
      return { name: s.name, dtype: s.value.dtype, length: undefined };
    case 'var':
      return { name: s.name, dtype: s.init.dtype, length: undefined };
    case 'scratch':
      return { name: s.name, dtype: s.dtype, length: sizeOf(s.length, bindings) };
    default:
      return undefined;
  }
}

/** Every name that statements mention, buffers by what they stand for. */
export function namesIn(body: readonly Stmt[], bindings: Bindings): ReadonlySet<string> {
  const names = new Set<string>();
  const buffer = (name: string): void => void names.add(bindings.buffers.get(name) ?? name);
  const position = (p: Position): void => {
    if (p.kind === 'add') {
      position(p.a);
      position(p.b);
    } else if (p.kind === 'value') {
      expr(p.value);
    } else if (p.kind !== 'const' && p.kind !== 'axis') {
      position(p.a);
    }
  };
  const expr = (x: Expr): void => {
    switch (x.kind) {
      case 'literal':
      case 'slot':
        return;
      case 'ref':
        names.add(x.name);
        return;
      case 'load':
        buffer(x.buffer);
        position(x.at);
        return;
      case 'position':
        position(x.at);
        return;
      case 'call':
        for (const a of x.args) expr(a);
        return;
      case 'cast':
      case 'bitcast':
        expr(x.value);
        return;
      case 'choose':
        for (const bound of x.when) position(bound.at);
        expr(x.then);
        expr(x.else);
        return;
      default:
        x satisfies never;
    }
  };
  const statement = (s: Stmt): void => {
    switch (s.kind) {
      case 'loop':
        s.body.forEach(statement);
        return;
      case 'let':
        expr(s.value);
        return;
      case 'var':
        expr(s.init);
        return;
      case 'assign':
      case 'accumulate':
        names.add(s.name);
        expr(s.value);
        return;
      case 'scratch':
        if (s.init !== undefined) expr(s.init);
        return;
      case 'store':
      case 'update':
        buffer(s.buffer);
        position(s.at);
        expr(s.value);
        return;
      case 'if':
        expr(s.test);
        s.then.forEach(statement);
        s.else.forEach(statement);
        return;
      case 'check':
        expr(s.value);
        return;
      case 'members':
        for (const row of rowsOf(s, bindings)) for (const name of namesIn(s.body, row)) names.add(name);
        return;
      case 'library':
        s.buffers.forEach(buffer);
        return;
      case 'product':
        for (const p of [s.a, s.b, s.c]) buffer(p.buffer);
        return;
      case 'transpose':
        for (const p of [s.from, s.to]) buffer(p.buffer);
        return;
      default:
        s satisfies never;
    }
  };
  body.forEach(statement);
  return names;
}
