// Prints a kernel as a WGSL module: one entry point for each of its phases, over the buffers that a launch binds.
import { InternalError } from '../../runtime/errors.ts';
import type { Dispatch, HostCall, Shader } from '../../runtime/program.ts';
import type { Kernel, Param, Stmt } from '../loop.ts';
import { type Routine, routines } from '../routines.ts';
import { type Code, comment, integer, primary } from './code.ts';
import { askedOf, position, value } from './expression.ts';
import { byteAccess, launchField, load, pairAccess, save, storeOf } from './memory.ts';
import { namesIn, type Phase, phasesOf, rowsOf, type Shared, sizeOf } from './phases.ts';
import { preludeOf } from './prelude.ts';
import { printerOf, shaderDType, typeOf, wordsOf } from './scalar.ts';
import { type Bound, bindingOf, declare, failure, freshId, identifierOf, line, nameOf, need, type Scope } from './scope.ts';

/** Where a parameter lies: in which of the bound buffers, 0 being the arena, and whether elsewhere than at its beginning. */
export type ParamPlace = { readonly buffer: number; readonly isShifted: boolean };

const workgroup = 64;
/** Groups in a row of the grid: what every device allows. */
const groupsInARow = 65535;
/** Scratch that fits an invocation's own memory, in words; shaders may have 8 KiB in all. */
const privateLimit = 1024;

export function emitShader(kernel: Kernel, places: readonly ParamPlace[]): Shader {
  const taken = new Set<string>();
  const bounds = boundBuffers(kernel, places, taken);
  const { phases, shared } = phasesOf(kernel);
  const arena = bounds.get(0) ?? { binding: bindingOf.buffers, id: 'arena', element: 'u32' };
  const e: Scope = {
    kernel,
    arena,
    helpers: new Set(),
    failures: [],
    bytesRead: new Set(),
    bytesWritten: new Set(),
    pairsRead: new Set(),
    pairsWritten: new Set(),
    slots: new Set(),
    taken,
    scratchWords: 0,
    bindings: { buffers: new Map(), sizes: new Map() },
    names: new Map(),
    locals: new Set(),
    stores: new Map(),
    ranges: new Map(),
    used: new Set(),
    lines: [],
    depth: 0,
    privateWords: 0,
    invocations: 1,
    invocation: '0',
  };
  const offsets = kernel.params.map((p, i) =>
    places[i]!.isShifted ? freshId(taken, new Set(['failures', 'scratch']), `${p.name}_at`) : undefined,
  );
  const outer = new Map<string, Scope['stores'] extends Map<string, infer S> ? S : never>();
  kernel.params.forEach((p, i) => {
    outer.set(p.name, { kind: 'bound', buffer: bounds.get(places[i]!.buffer)!, dtype: p.dtype, offset: offsets[i] });
  });
  for (const s of shared)
    outer.set(s.name, { kind: 'scratch', dtype: s.dtype, at: reserve(e, wordsOf(s.dtype) * (s.length ?? 1)), each: undefined });

  const base = identifierOf(kernel.name);
  const names = phases.map((_, i) => freshId(taken, new Set(), phases.length === 1 ? base : `${base}_${i + 1}`));
  const entries = phases.map((phase, i) => hostCall(e, phase, outer) ?? printPhase(e, phase, names[i]!, shared, outer));
  const used = new Set(entries.flatMap((entry) => ('bindings' in entry ? entry.bindings : [])));
  const fields = ['  failures: u32,', '  scratch: i32,', ...kernel.params.map((_, i) => `  ${offsets[i] ?? `unused${i}`}: i32,`)];
  const slots = kernel.slots.slice(0, Math.max(-1, ...e.slots) + 1).flatMap(slotFields);
  const at = (binding: number): string => `@group(0) @binding(${binding})`;
  const declarations = [
    ...(used.has(bindingOf.launch) ? ['struct Launch {', ...fields, '}', `${at(bindingOf.launch)} var<uniform> launch: Launch;`] : []),
    ...(used.has(bindingOf.slots) ? ['struct Slots {', ...slots, '}', `${at(bindingOf.slots)} var<uniform> slots: Slots;`] : []),
    ...(used.has(bindingOf.status) ? [`${at(bindingOf.status)} var<storage, read_write> status: array<atomic<u32>>;`] : []),
    ...[...new Set([...bounds.values(), arena])]
      .filter((b) => used.has(b.binding))
      .map((b) => `${at(b.binding)} var<storage, ${accessOf(kernel, places, b, e.scratchWords > 0)}> ${b.id}: array<${b.element}>;`),
  ];
  const bytes = [...new Set([...e.bytesRead, ...e.bytesWritten])].flatMap((b) => byteAccess(b, e.bytesRead.has(b), e.bytesWritten.has(b)));
  const pairs = [...new Set([...e.pairsRead, ...e.pairsWritten])].flatMap((b) => pairAccess(b, e.pairsRead.has(b), e.pairsWritten.has(b)));
  const lines = [...kernel.comment.map(comment), ...declarations, ...bytes, ...pairs, ...preludeOf(e.helpers), '', ...e.lines];
  return { source: `${lines.join('\n')}\n`, entries, scratchWords: e.scratchWords, failures: e.failures };
}

/** An i64 has a field for each of its words, which need no alignment then. */
const slotFields = (dtype: Kernel['slots'][number], i: number): readonly string[] =>
  dtype === 'i64'
    ? [`  slot${i}: u32,`, `  slot${i}_high: u32,`]
    : [`  slot${i}: ${dtype === 'bool' ? 'u32' : dtype === 'f32' ? 'f32' : 'i32'},`];

const isWritten = (p: Param): boolean => p.access !== 'read';
const isByte = (p: Param): boolean => p.dtype === 'u8' || p.dtype === 'bool';

/** The buffers that parameters lie in. Several parameters may share one, and then it is bound once. */
function boundBuffers(kernel: Kernel, places: readonly ParamPlace[], taken: Set<string>): ReadonlyMap<number, Bound> {
  const bounds = new Map<number, Bound>();
  kernel.params.forEach((p, i) => {
    shaderDType(p.dtype);
    const { buffer } = places[i]!;
    if (bounds.has(buffer)) return;
    const inside = kernel.params.filter((_, j) => places[j]!.buffer === buffer);
    const isPlain = buffer !== 0 && inside.every((q) => q.dtype === p.dtype) && !isByte(p);
    const element = isPlain
      ? (typeOf[shaderDType(p.dtype)] as 'f32' | 'i32' | 'vec2<u32>')
      : inside.some((q) => isByte(q) && isWritten(q))
        ? 'atomic<u32>'
        : 'u32';
    const id = buffer === 0 ? 'arena' : freshId(taken, new Set(), p.name);
    taken.add(id).add(`${id}_byte`).add(`${id}_set_byte`).add(`${id}_pair`).add(`${id}_set_pair`);
    bounds.set(buffer, { binding: bindingOf.buffers + buffer, id, element });
  });
  return bounds;
}

/** The arena is never bound for reading alone: the same buffer may not be both in one dispatch. */
function accessOf(kernel: Kernel, places: readonly ParamPlace[], { binding, element }: Bound, hasScratch: boolean): 'read' | 'read_write' {
  const number = binding - bindingOf.buffers;
  const written = kernel.params.some((p, i) => places[i]!.buffer === number && isWritten(p));
  return written || element === 'atomic<u32>' || (number === 0 && hasScratch) ? 'read_write' : 'read';
}

function reserve(e: Scope, words: number): number {
  const at = e.scratchWords;
  e.scratchWords += words;
  return at;
}

/** A phase of one routine, which no shader has: the host does it. */
function hostCall(e: Scope, { body, bindings }: Phase, outer: Scope['stores']): HostCall | undefined {
  const [s] = body;
  if (s?.kind !== 'library' || body.length > 1) return undefined;
  const { reads }: Routine = routines[s.routine];
  const buffers = s.buffers.map((name, i) => {
    const real = bindings.buffers.get(name) ?? name;
    const param = e.kernel.params.findIndex((p) => p.name === real);
    const store = outer.get(real);
    const isWritten = i >= reads.length;
    if (param >= 0) {
      const { dtype, length } = e.kernel.params[param]!;
      return { dtype, length: sizeOf(length, bindings), isWritten, at: { param } };
    }
    const length = e.kernel.body.find((t) => t.kind === 'scratch' && t.name === real);
    if (store?.kind !== 'scratch' || length?.kind !== 'scratch') throw new InternalError(`${name} is not in scope`, { op: 'emit' });
    return { dtype: store.dtype, length: sizeOf(length.length, bindings), isWritten, at: { scratch: store.at } };
  });
  return { routine: s.routine, buffers, numbers: [...s.extents.map((n) => sizeOf(n, bindings)), ...s.flags] };
}

function printPhase(e: Scope, phase: Phase, name: string, shared: readonly Shared[], outer: Scope['stores']): Dispatch {
  e.bindings = phase.bindings;
  e.names = new Map();
  e.locals = new Set(['id', 'invocation']);
  e.stores = new Map(outer);
  e.ranges = new Map();
  e.used = new Set();
  e.depth = 1;
  e.privateWords = 0;
  e.invocation = '0';
  e.invocations = phase.axes.reduce((n, a) => n * a.extent, 1);
  const before = e.lines;
  e.lines = [];
  const groups = phase.axes.length === 0 ? 1 : Math.ceil(e.invocations / workgroup);
  const columns = Math.min(groups, groupsInARow);
  bindAxes(e, phase, columns);
  const mentioned = namesIn(phase.body, phase.bindings);
  const scalars = shared.filter((s) => s.length === undefined);
  const declared = new Set(phase.body.flatMap((s) => (s.kind === 'let' || s.kind === 'var' ? [s.name] : [])));
  for (const s of scalars) {
    if (!mentioned.has(s.name) || declared.has(s.name)) continue;
    const code = load(e, outer.get(s.name)!, integer(0));
    line(e, `var ${declare(e, s.name)} = ${code.text};`);
  }
  statements(e, phase.body);
  if (phase.axes.length === 0)
    for (const s of scalars) if (e.names.has(s.name)) save(e, outer.get(s.name)!, integer(0), primary(nameOf(e, s.name)));
  const size = phase.axes.length === 0 ? 1 : workgroup;
  const parameters = phase.axes.length === 0 ? '' : '@builtin(global_invocation_id) id: vec3<u32>';
  e.lines = [...before, `@compute @workgroup_size(${size})`, `fn ${name}(${parameters}) {`, ...e.lines, '}'];
  return { name, groups: [columns, Math.ceil(groups / columns)], bindings: [...e.used].sort((a, b) => a - b) };
}

/** The place of the invocation in the grid, and of that in the loops that it stands for. */
function bindAxes(e: Scope, { axes }: Phase, columns: number): void {
  if (axes.length === 0) return;
  const only = axes.length === 1 && axes[0]!.step === 1 ? axes[0] : undefined;
  const id = only === undefined ? 'invocation' : declare(e, only.name);
  const isTall = e.invocations > columns * workgroup;
  e.invocation = id;
  line(e, `let ${id} = i32(${isTall ? `id.y * ${columns * workgroup}u + id.x` : 'id.x'});`);
  line(e, `if (${id} >= ${e.invocations}) { return; }`);
  if (only !== undefined) {
    e.ranges.set(only.name, only.extent);
    return;
  }
  let below = e.invocations;
  axes.forEach((a, k) => {
    const rest = k === 0 ? id : `${id} % ${below}`;
    below /= a.extent;
    const index = below === 1 ? rest : `${k === 0 ? rest : `(${rest})`} / ${below}`;
    const scaled = a.step === 1 ? index : `(${index}) * ${a.step}`;
    e.ranges.set(a.name, a.extent * a.step);
    line(e, `let ${declare(e, a.name)} = ${scaled};`);
  });
}

function statements(e: Scope, body: readonly Stmt[]): void {
  for (const s of body) statement(e, s);
}

/** Statements in braces: what is declared inside is forgotten behind them. */
function block(e: Scope, body: readonly Stmt[]): void {
  const { names, stores } = e;
  e.names = new Map(names);
  e.stores = new Map(stores);
  e.depth++;
  statements(e, body);
  e.depth--;
  e.names = names;
  e.stores = stores;
}

function statement(e: Scope, s: Stmt): void {
  switch (s.kind) {
    case 'loop': {
      const extent = sizeOf(s.extent, e.bindings);
      const outer = e.ranges.get(s.axis);
      const known = e.names.get(s.axis);
      const id = declare(e, s.axis);
      e.ranges.set(s.axis, extent);
      line(e, `for (var ${id} = 0; ${id} < ${extent}; ${s.step === undefined || s.step === 1 ? `${id}++` : `${id} += ${s.step}`}) {`);
      block(e, s.body);
      line(e, '}');
      if (outer === undefined) e.ranges.delete(s.axis);
      else e.ranges.set(s.axis, outer);
      if (known !== undefined) e.names.set(s.axis, known);
      return;
    }
    case 'let': {
      const code = value(e, s.value);
      line(e, `let ${declare(e, s.name)} = ${code.text};`);
      return;
    }
    case 'var': {
      const code = value(e, s.init);
      line(e, `var ${declare(e, s.name)}: ${typeOf[shaderDType(s.init.dtype)]} = ${code.text};`);
      return;
    }
    case 'assign': {
      const code = value(e, s.value);
      line(e, `${nameOf(e, s.name)} = ${code.text};`);
      return;
    }
    case 'accumulate': {
      const operand = value(e, s.value);
      const place = primary(nameOf(e, s.name));
      line(e, `${place.text} = ${combined(e, place, s, operand).text};`);
      return;
    }
    case 'scratch':
      scratch(e, s);
      return;
    case 'store': {
      const at = position(e, s.at);
      save(e, storeOf(e, s.buffer), at, value(e, s.value));
      return;
    }
    case 'update': {
      const at = position(e, s.at);
      const store = storeOf(e, s.buffer);
      save(e, store, at, combined(e, load(e, store, at), s, value(e, s.value)));
      return;
    }
    case 'if': {
      const test = value(e, s.test);
      line(e, `if (${test.text}) {`);
      block(e, s.then);
      if (s.else.length > 0) {
        line(e, '} else {');
        block(e, s.else);
      }
      line(e, '}');
      return;
    }
    case 'check': {
      const below = sizeOf(s.below, e.bindings);
      const code = value(e, s.value);
      const isLong = s.value.dtype === 'i64';
      need(e, isLong ? 'check_i64' : 'check');
      line(e, `${isLong ? 'check_i64' : 'check'}(${code.text}, ${below}${isLong ? 'u' : ''}, ${failure(e, { op: s.op, below })}u);`);
      return;
    }
    case 'members': {
      const outer = e.bindings;
      for (const row of rowsOf(s, outer)) {
        e.bindings = row;
        line(e, '{');
        block(e, s.body);
        line(e, '}');
      }
      e.bindings = outer;
      return;
    }
    case 'library':
      throw new InternalError(`${s.routine} is no phase of its own`, { op: 'emit' });
    case 'product':
    case 'transpose':
      throw new InternalError(`${s.kind} statements are for targets with registers to tile`, { op: 'emit' });
    default:
      s satisfies never;
  }
}

const combined = (e: Scope, place: Code, { fn, value: operand }: Extract<Stmt, { kind: 'accumulate' | 'update' }>, by: Code): Code =>
  printerOf(fn, operand.dtype)([place, by], askedOf(e));

/** Scratch is private where it is small, and lies in the arena otherwise, or where phases share it. */
function scratch(e: Scope, s: Extract<Stmt, { kind: 'scratch' }>): void {
  const length = sizeOf(s.length, e.bindings);
  const known = e.stores.get(s.name);
  const init = s.init === undefined ? undefined : value(e, s.init);
  if (known?.kind === 'scratch' && known.each === undefined) {
    if (init !== undefined) fill(e, s.name, length, init);
    return;
  }
  const { dtype } = s;
  const words = wordsOf(dtype) * length;
  if (length > 0 && e.privateWords + words <= privateLimit) {
    e.privateWords += words;
    const id = declare(e, s.name);
    e.stores.set(s.name, { kind: 'private', dtype, id });
    line(e, `var ${id}: array<${typeOf[shaderDType(dtype)]}, ${length}>;`);
  } else {
    e.stores.set(s.name, { kind: 'scratch', dtype, at: reserve(e, words * e.invocations), each: words });
    launchField(e, 'scratch');
  }
  if (init !== undefined) fill(e, s.name, length, init);
}

function fill(e: Scope, name: string, length: number, init: Code): void {
  const id = freshId(e.taken, e.locals, 'n');
  line(e, `for (var ${id} = 0; ${id} < ${length}; ${id}++) {`);
  e.depth++;
  save(e, e.stores.get(name)!, primary(id), init);
  e.depth--;
  line(e, '}');
}
