// Routines of the library for WebAssembly, which has no arrays: functions over arrays as functions over addresses.
import { type DType, dtypes } from '../dtype.ts';
import type { Routines } from './execute.ts';

/** A routine over arrays, then extents and flags. */
export type OverArrays = (...args: unknown[]) => void;

/** What `sort_f32_i64` imports, given `sort`. `find` gives a routine by its name, if there is one over so many buffers. */
export function routinesOver(find: (routine: string, buffers: number) => OverArrays | undefined): Routines {
  return (name, linear) => {
    const [routine, ...buffers] = name.split('_');
    if (!buffers.every(isDType)) return undefined;
    const overArrays = find(routine!, buffers.length);
    if (overArrays === undefined) return undefined;
    return (...args) => {
      // Addresses come as signed numbers. The views reach to the end of memory: a routine is told its extents.
      const arrays = buffers.map((dtype, i) => {
        const view = linear.views[dtype];
        return view.subarray((args[i]! >>> 0) / view.BYTES_PER_ELEMENT);
      });
      overArrays(...arrays, ...args.slice(buffers.length));
    };
  };
}

const isDType = (name: string): name is DType => (dtypes as readonly string[]).includes(name);
