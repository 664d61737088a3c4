// Which arrays of a call are the same memory: what may be handed out as it is, and what has to be copied.
import type { Program } from '../program.ts';

export type Sharing = {
  /** Outputs whose memory is nobody else's: the caller may have it. */
  readonly isOwn: readonly boolean[];
  /** Arguments that become state: their owner may change them later. */
  readonly becomesState: readonly boolean[];
};

/** `inputs` and `outputs` are as those of a variant: an index of the call's, or `~index` of a weight. */
export function sharingOf(program: Program, inputs: readonly number[], outputs: readonly number[]): Sharing {
  const first = program.inputs.length;
  /** Where each output lies: inputs are counted first, then outputs. */
  const places: number[] = [];
  for (const [i, { alias }] of program.outputs.entries())
    places.push(alias === undefined ? first + i : alias.space === 'input' ? alias.index : places[alias.index]!);
  const uses = new Map<number, number>();
  for (const place of places) uses.set(place, (uses.get(place) ?? 0) + 1);
  const written = new Set(places.filter((_, i) => outputs[i]! < 0));
  return {
    isOwn: places.map((place) => place >= first && uses.get(place) === 1),
    becomesState: inputs.map((from, i) => from >= 0 && written.has(i)),
  };
}
