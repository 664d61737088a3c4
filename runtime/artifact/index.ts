// What built modules and their declarations use.
import type { TypedArray } from '../dtype.ts';

export { type Artifact, artifact, type Instance, type LoadOptions } from './model.ts';
export { edge, js, type Target, type TargetName, wasm, webgpu } from './targets.ts';
export type { StateEntry, WeightSource } from './weights.ts';

declare const shape: unique symbol;
/** An array of a known shape, which types alone know: a plain array may stand for it, one of another shape may not. */
export type Elements<A extends TypedArray, Shape extends readonly (number | string)[]> = A & { readonly [shape]?: Shape };

/** What a tensor argument may be: its elements, or elements with the shape, where that does not follow from their number. */
export type Given<A extends TypedArray, Shape extends readonly (number | string)[]> =
  | Elements<A, Shape>
  | { readonly data: A; readonly shape: readonly number[] };

/** An entry of a built module. On webgpu calls have to be awaited. */
export type EntryOf<Call extends (...args: never[]) => unknown> = Call & {
  /** The same on every target; loads the model if nobody did. */
  readonly async: (...args: Parameters<Call>) => Promise<ReturnType<Call>>;
};
