// The routines of the library as functions over linear memory, for Programs whose code has no arrays: `sort_f32_i64` sorts by that name.
import { type HelperName, preludeOf } from '../../kernels/js/prelude.ts';
import { isRoutine, type LibraryRoutine, type Routine, routines } from '../../kernels/routines.ts';
import { type DType, dtypes } from '../../runtime/dtype.ts';
import { fail } from '../../runtime/executable.ts';
import type { LinearMemory } from '../../runtime/wasm/memory.ts';
import { evaluated } from './evaluate.ts';

/** The routine over arrays, then extents and flags. */
type OverArrays = (...args: unknown[]) => void;
const made = new Map<LibraryRoutine, OverArrays>();

/** The routine that is imported by `name`: it takes addresses of its buffers, then extents and flags. */
export function routineOver(name: string, linear: LinearMemory): ((...args: number[]) => void) | undefined {
  const [routine, ...buffers] = name.split('_');
  if (routine === undefined || !isRoutine(routine) || !buffers.every(isDType)) return undefined;
  const { reads, writes }: Routine = routines[routine];
  if (buffers.length !== reads.length + Object.keys(writes).length) return undefined;
  return (...args) => {
    // Addresses come as signed numbers. The views reach to the end of memory: a routine is told its extents.
    const arrays = buffers.map((dtype, i) => {
      const view = linear.views[dtype];
      return view.subarray((args[i]! >>> 0) / view.BYTES_PER_ELEMENT);
    });
    overArrays(routine)(...arrays, ...args.slice(buffers.length));
  };
}

const isDType = (name: string): name is DType => (dtypes as readonly string[]).includes(name);

function overArrays(routine: LibraryRoutine): OverArrays {
  const known = made.get(routine);
  if (known !== undefined) return known;
  const text = preludeOf(new Set<HelperName>([routine])).join('\n');
  const run = evaluated(`routine ${routine}`, `${text}\nreturn ${routine};`, [['fail', fail]]) as OverArrays;
  made.set(routine, run);
  return run;
}
