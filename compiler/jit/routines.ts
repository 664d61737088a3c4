// The routines of the library as functions over linear memory, for Programs whose code has no arrays: `sort_f32_i64` sorts by that name.
import { type HelperName, preludeOf } from '../../kernels/js/prelude.ts';
import { isRoutine, type LibraryRoutine, type Routine, routines } from '../../kernels/routines.ts';
import { fail } from '../../runtime/executable.ts';
import { type OverArrays, routinesOver } from '../../runtime/wasm/routines.ts';
import { evaluated } from './evaluate.ts';

const made = new Map<LibraryRoutine, OverArrays>();

/** The routine that is imported by `name`: it takes addresses of its buffers, then extents and flags. */
export const routineOver = routinesOver((routine, buffers) => {
  if (!isRoutine(routine)) return undefined;
  const { reads, writes }: Routine = routines[routine];
  if (buffers !== reads.length + Object.keys(writes).length) return undefined;
  // Its text is evaluated when it is first called.
  return (...args) => overArrays(routine)(...args);
});

/** The routine of a name, over arrays: for devices without it. */
export const hostRoutine = (name: string): OverArrays | undefined => (isRoutine(name) ? overArrays(name) : undefined);

function overArrays(routine: LibraryRoutine): OverArrays {
  const known = made.get(routine);
  if (known !== undefined) return known;
  const text = preludeOf(new Set<HelperName>([routine])).join('\n');
  const run = evaluated(`routine ${routine}`, `${text}\nreturn ${routine};`, [['fail', fail]]) as OverArrays;
  made.set(routine, run);
  return run;
}
