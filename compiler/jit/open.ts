// Structures that differ in a size alone: one recording with an open size stands for them, and its Programs serve all sizes.
import { FluxionError } from '../../runtime/errors.ts';
import { generaliseRecording, isInstanceOf, Misfit, type Recording } from '../ir/generalise.ts';
import { environment } from './environment.ts';
import { compilePart, type Part, type Structure, type ValueId } from './structure.ts';

/** What structures are instances of. `capacity` is the greatest size that its Programs are compiled for. */
type General = {
  readonly recording: Recording;
  capacity: number;
  readonly parts: Map<string, Part>;
  /** Why no Program can be made of it. */
  misfit: Misfit | undefined;
};

const name = 'n';
/** By the first structure of those that are alike. */
const generals = new WeakMap<Structure, General>();

/**
 * Makes `structure`, recorded at the second of the sizes, run by a Program for all sizes, if it differs from `first`, recorded at the first
 * of them, in nothing else. Else it is told why not, and `structure` runs by a Program of its own.
 */
export function openLike(first: Structure, structure: Structure, [from, to]: readonly [number, number]): Misfit | undefined {
  if (structure === first || structure.open !== undefined) return undefined;
  if (structure.target !== first.target || !sameOperands(first, structure)) return new Misfit('they have different ops');
  const known = generals.get(first);
  const general = known ?? generalOf(first, structure, [from, to]);
  if (general instanceof Misfit) return general;
  if (known !== undefined && !isInstanceOf(known.recording, new Map([[name, to]]), structure))
    return new Misfit('it does not grow with the size as those before do');
  if (general.misfit !== undefined) return general.misfit;
  generals.set(first, general);
  structure.open = (roots) => partAt(general, structure, to, roots);
  return undefined;
}

function sameOperands(a: Structure, b: Structure): boolean {
  return a.operands.length === b.operands.length && a.operands.every((id, i) => id === b.operands[i]);
}

function generalOf(first: Structure, structure: Structure, sizes: readonly [number, number]): General | Misfit {
  const recording = generaliseRecording(first, structure, name, sizes);
  return recording instanceof Misfit ? recording : { recording, capacity: Math.max(...sizes), parts: new Map(), misfit: undefined };
}

/** Why a structure that looked like others runs by a Program of its own after all. */
export const misfitOf = (first: Structure): string | undefined => generals.get(first)?.misfit?.why;

/** The part with an open size that computes `roots`, for sizes up to twice what was met; undefined if there can be none. */
function partAt(general: General, structure: Structure, size: number, roots: readonly ValueId[]): Part | undefined {
  if (general.misfit !== undefined) return undefined;
  // What grows once may grow again.
  if (size > general.capacity) general.capacity = 2 ** Math.ceil(Math.log2(size));
  const key = `${roots.join()} up to ${general.capacity}`;
  const found = general.parts.get(key);
  if (found !== undefined) return found;
  const { nodes, leaves } = general.recording;
  try {
    const part = compilePart({ nodes, leaves, target: structure.target }, roots, {
      disable: environment('FLUXION_DISABLE'),
      sizes: [{ name, min: 2, max: general.capacity }],
    });
    general.parts.set(key, part);
    return part;
  } catch (error) {
    if (!(error instanceof FluxionError)) throw error;
    general.misfit = new Misfit(error.what);
    return undefined;
  }
}
