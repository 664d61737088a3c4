// Written by fluxion/plugin: what is imported as ./model.fluxion.js is built from model.ts.
import type { Elements, EntryOf, Given, Instance, LoadOptions, StateEntry } from 'fluxion/runtime';

/**
 * How probable each of the ten digits is.
 * @param image float32 [1, 1, 28, 28]
 */
declare const e0: EntryOf<(image: Given<Float32Array, [1, 1, 28, 28]>) => Elements<Float32Array, [10]>>;
export { e0 as classify };

/** Loads weights and the best target that the host has, before which only `async` calls work; again to begin anew. */
export declare const load: (options?: LoadOptions) => Promise<Instance<{ readonly classify: typeof e0 }>>;
/** A model beside the one that the functions of this module run, with a state of its own. */
export declare const instantiate: (options?: LoadOptions) => Promise<Instance<{ readonly classify: typeof e0 }>>;
/** The weights as they are by now, by their keys. */
export declare const state: () => Promise<Map<string, StateEntry>>;
/** The same as a safetensors file, which `load({ weights })` goes on from. */
export declare const save: () => Promise<Uint8Array<ArrayBuffer>>;
