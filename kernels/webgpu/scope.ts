// What printing one shader gathers on its way, and the names that it gives out.
import type { DType } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import type { Kernel } from '../loop.ts';
import type { Bindings } from './phases.ts';
import { type HelperName, helperNames } from './prelude.ts';

/** A failure that a check may report, by its number in the shader. Without `below` it is told in words. */
export type Failure = { readonly op: string; readonly below?: number };

/** Where the elements of a buffer of the nest are found. */
export type Store =
  /** In a bound buffer; `offset` is the field of the launch's block that says where it begins, if that is not at 0. */
  | { readonly kind: 'bound'; readonly buffer: Bound; readonly dtype: DType; readonly offset: string | undefined }
  /** In the arena, `at` words behind the launch's scratch, or, `each` words apart, a part for every invocation. */
  | { readonly kind: 'scratch'; readonly dtype: DType; readonly at: number; readonly each: number | undefined }
  /** In an array of the invocation's own. */
  | { readonly kind: 'private'; readonly dtype: DType; readonly id: string };

/** A bound buffer. One that holds a single dtype is an array of that; others are words. */
export type Bound = {
  readonly binding: number;
  readonly id: string;
  readonly element: 'f32' | 'i32' | 'vec2<u32>' | 'u32' | 'atomic<u32>';
};

export type Scope = {
  readonly kernel: Kernel;
  readonly arena: Bound;
  readonly helpers: Set<HelperName>;
  readonly failures: Failure[];
  /** Bound buffers of which bytes are read or written. */
  readonly bytesRead: Set<Bound>;
  readonly bytesWritten: Set<Bound>;
  /** The same of pairs of words in buffers of single words. */
  readonly pairsRead: Set<Bound>;
  readonly pairsWritten: Set<Bound>;
  readonly slots: Set<number>;
  /** Identifiers taken for the whole shader. */
  readonly taken: Set<string>;
  /** Words of scratch given out. */
  scratchWords: number;

  // Of the phase that is printed:
  bindings: Bindings;
  names: Map<string, string>;
  locals: Set<string>;
  stores: Map<string, Store>;
  ranges: Map<string, number>;
  used: Set<number>;
  lines: string[];
  depth: number;
  privateWords: number;
  invocations: number;
  /** The identifier of the invocation's number. */
  invocation: string;
};

/** The numbers of what every shader binds; buffers follow. */
export const bindingOf = { launch: 0, slots: 1, status: 2, buffers: 3 } as const;

/** What WGSL keeps for itself, and what emitted code calls by name. */
const reserved = new Set(
  (
    'alias array atomic bitcast bool break case const const_assert continue continuing default diagnostic discard else enable f16 f32 ' +
    'false fn for i32 if let loop mat2x2 mat3x3 mat4x4 override ptr requires return sampler select struct switch texture true u32 var ' +
    'vec2 vec3 vec4 while NULL Self abstract asm_fragment attribute binding_array cast compile_fragment demote_to_helper macro_rules ' +
    'active alignas alignof as asm auto await become catch class co_await co_return co_yield coherent column_major common compile ' +
    'concept const_cast consteval constexpr constinit crate debugger decltype delete demote do dynamic_cast enum explicit export ' +
    'extends extern external fallthrough filter final finally friend from fxgroup get goto groupshared highp impl implements import ' +
    'inline instanceof interface layout lowp macro match mediump meta mod module move mut mutable namespace new nil noexcept noinline ' +
    'nointerpolation non_coherent noncoherent noperspective null nullptr of operator package packoffset partition pass patch ' +
    'pixelfragment precise precision premerge priv protected pub public readonly ref regardless register reinterpret_cast require ' +
    'resource restrict self set shared sizeof smooth snorm static static_assert static_cast std subroutine super target template this ' +
    'thread_local throw trait try type typedef typeid typename typeof union unless unorm unsafe unsized use using varying virtual ' +
    'volatile wgsl where with writeonly yield abs min max clamp round floor ceil trunc sqrt sign fma id launch slots status arena ' +
    'Launch Slots Angle high_product threefry_four atomicLoad atomicStore atomicAnd atomicOr atomicCompareExchangeWeak ' +
    'countLeadingZeros any all'
  ).split(' '),
);

/** A name of the nest as an identifier: whatever it holds, it cannot become code. */
export const identifierOf = (name: string): string => {
  const id = name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^_+/, '');
  return /^[A-Za-z]/.test(id) ? id.replace(/__/g, '_') : `n${id}`;
};

const helperIds = new Set<string>(helperNames);

export function freshId(taken: ReadonlySet<string>, locals: ReadonlySet<string>, name: string): string {
  const base = identifierOf(name);
  let id = base;
  for (let n = 2; taken.has(id) || locals.has(id) || reserved.has(id) || helperIds.has(id) || /^slot\d+$/.test(id); n++)
    id = `${base}_${n}`;
  return id;
}

/** The identifier of a name that comes into the scope of a phase. */
export function declare(e: Scope, name: string): string {
  const id = freshId(e.taken, e.locals, name);
  e.locals.add(id);
  e.names.set(name, id);
  return id;
}

export function nameOf(e: Scope, name: string): string {
  const id = e.names.get(name);
  if (id === undefined) throw new InternalError(`${name} is not in scope`, { op: 'emit', fix: `kernel ${e.kernel.name}` });
  return id;
}

export function line(e: Scope, text: string): void {
  e.lines.push('  '.repeat(e.depth) + text);
}

const failing = new Set<HelperName>(['fail', 'check', 'check_i64', 'divisor', 'divisor_i64']);
export function need(e: Scope, name: HelperName): void {
  e.helpers.add(name);
  if (!failing.has(name)) return;
  e.used.add(bindingOf.launch);
  e.used.add(bindingOf.status);
}

export function failure(e: Scope, what: Failure): number {
  const known = e.failures.findIndex((f) => f.op === what.op && f.below === what.below);
  // 0 says that nothing failed.
  return 1 + (known >= 0 ? known : e.failures.push(what) - 1);
}
