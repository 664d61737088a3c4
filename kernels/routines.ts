// The routines of a target's library: what no loop nest says well, by name, with what each reads, writes and is told.

/** What a result holds: numbers of the operand's dtype, or positions. */
export type ResultKind = 'same' | 'integer';

/** Buffers are passed in this order: those read, then those written; then extents, then flags (0 or 1 unless said otherwise). */
export type Routine = {
  readonly reads: readonly string[];
  readonly writes: Readonly<Record<string, ResultKind>>;
  readonly extents: readonly string[];
  readonly flags: readonly string[];
};

export const routines = {
  /** `k`: how many are kept, or -1 for all. */
  sort: { reads: ['x'], writes: { values: 'same', order: 'integer' }, extents: ['outer', 'axis', 'inner'], flags: ['descending', 'k'] },
  cholesky: { reads: ['x'], writes: { factor: 'same' }, extents: ['batch', 'n'], flags: [] },
  lu: {
    reads: ['x'],
    writes: { factors: 'same', permutation: 'integer', sign: 'same' },
    extents: ['batch', 'n'],
    flags: ['mayBeSingular'],
  },
  triangularSolve: {
    reads: ['a', 'y'],
    writes: { x: 'same' },
    extents: ['batch', 'n', 'columns'],
    flags: ['upper', 'transpose', 'unit'],
  },
  qr: { reads: ['x'], writes: { q: 'same', r: 'same' }, extents: ['batch', 'rows', 'columns'], flags: ['complete'] },
  eigh: { reads: ['x'], writes: { values: 'same', vectors: 'same' }, extents: ['batch', 'n'], flags: [] },
  svd: { reads: ['x'], writes: { u: 'same', s: 'same', vh: 'same' }, extents: ['batch', 'rows', 'columns'], flags: ['full'] },
} as const satisfies Readonly<Record<string, Routine>>;

export type LibraryRoutine = keyof typeof routines;
export const isRoutine = (name: string): name is LibraryRoutine => Object.hasOwn(routines, name);

/** The call as it must be written, for those who find it is not. */
export function routineText(name: LibraryRoutine): string {
  const { reads, writes, extents, flags }: Routine = routines[name];
  const told = flags.length === 0 ? 'no flags' : `flags ${flags.join(', ')}`;
  return `${name} takes buffers ${[...reads, ...Object.keys(writes)].join(', ')}, extents ${extents.join(', ')}, and ${told}`;
}
