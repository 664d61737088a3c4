// What a call did, told so that it can be done again: where each segment's inputs come from, what was written, and what came out.
import { AutogradError } from '../../../runtime/errors.ts';
import { avalOf, type Node, type Value } from '../../ir/node.ts';
import { type ValueId, valueId } from '../../jit/structure.ts';
import { isInferenceModeEnabled } from '../autograd/mode.ts';
import type { Ended } from '../boundary.ts';
import type { Call } from '../call.ts';
import { edgeOf, requiresGradOf } from '../handle.ts';
import { flatten, isTensor, type Rest } from '../pytree.ts';
import { bufferOf, type HostAction, type Interval, leafRecordOf, recordedOf, slotRecordOf } from '../record.ts';
import type { Storage } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import type { End, Finish, FoundIndex, Guards, Made, Owner, Place, Produced, Segment, Source, Stored } from './tree.ts';

/** A call while it is recorded. */
export type Recording = {
  readonly call: Call;
  /** Arguments, and the gradients that were found so far. */
  readonly found: Tensor[];
  /** Leaves that stand for arguments which are views. */
  readonly views: ReadonlyMap<Node, FoundIndex>;
  readonly path: Segment[];
  /** The segment that first read each number. */
  readonly slots: Map<Node, Source & { readonly kind: 'slot' }>;
  readonly depths: Map<Interval, number>;
  /** How much of what the call gathers is in guards already. */
  readonly guarded: { gradients: number; state: number; readonly tensors: Set<object>; readonly modules: Set<object> };
  /** Functions of the graph of gradients made later than this belong to the call. */
  readonly since: number;
};

/** Why a call cannot be replayed, and the way out. */
export class Refusal {
  readonly why: string;
  readonly fix: string | undefined;
  constructor(why: string, fix?: string) {
    this.why = why;
    this.fix = fix;
  }
}

const depthOf = ({ call, depths }: Recording, interval: Interval): number | undefined => {
  for (let depth = depths.size; depth < call.intervals.length; depth++) depths.set(call.intervals[depth]!, depth);
  return depths.get(interval);
};

/** Whether a storage was there before the call, or counts as if it were. */
export const isOld = (r: Recording, storage: Storage): boolean => depthOf(r, storage.born) === undefined;

const foundAt = (r: Recording, storage: Storage): FoundIndex | undefined => {
  const index = r.found.findIndex((t) => t.storage === storage);
  return index < 0 ? undefined : index;
};

export function ownerOf(r: Recording, tensor: Tensor): Owner {
  const index = r.found.indexOf(tensor);
  return index >= 0 ? { found: index } : { tensor };
}

/** Where a replay gets a value of the call. */
export function sourceOf(r: Recording, v: Value): Source {
  const { node } = v;
  if (node.op === 'slot') {
    const { source, value } = slotRecordOf(node);
    return r.slots.get(node) ?? { kind: 'number', number: source ?? value, dtype: avalOf(v).dtype };
  }
  if (node.op !== 'input') {
    const { interval, position } = recordedOf(node);
    return { kind: 'computed', depth: depthOf(r, interval)!, id: valueId(position, v.index) };
  }
  const view = r.views.get(node);
  if (view !== undefined) return { kind: 'view', index: view };
  const origin = r.call.origins.get(node);
  if (origin !== undefined && depthOf(r, recordedOf(origin.node).interval) !== undefined) return sourceOf(r, origin);
  const storage = r.call.sources.get(node);
  if (storage !== undefined && isOld(r, storage)) {
    const index = foundAt(r, storage);
    return index === undefined ? { kind: 'capture', storage } : { kind: 'found', index };
  }
  const { draw } = leafRecordOf(node);
  return draw === undefined ? { kind: 'constant', buffer: bufferOf(v)! } : { kind: 'draw', draw, dtype: avalOf(v).dtype };
}

/** A source that is going to be read: a segment must then store it. */
export function needed(r: Recording, source: Source): Source {
  if (source.kind === 'computed') r.path[source.depth]!.needs.add(source.id);
  return source;
}

/** The segment that ends here. It becomes the last of the path. */
export function addSegment(
  r: Recording,
  ended: Ended | undefined,
  actions: readonly HostAction[],
  end: End,
  guards = guardsOf(r),
): Segment {
  const depth = r.path.length;
  const segment: Segment = {
    depth,
    guards,
    structure: ended?.structure,
    leaves: ended === undefined ? [] : leavesOf(r, ended.stretch.leaves, depth),
    ran: ended?.roots ?? [],
    needs: new Set<ValueId>(),
    actions,
    plan: undefined,
    end,
  };
  r.path.push(segment);
  for (const source of segment.leaves) needed(r, source);
  return segment;
}

/** Sources of a stretch's leaves; numbers read for the first time belong to this segment from now on. */
export function leavesOf(r: Recording, leaves: readonly Value[], depth: number): Source[] {
  let ordinal = 0;
  const sources = leaves.map((v) => sourceOf(r, v));
  leaves.forEach((v, i) => {
    if (v.node.op !== 'slot') return;
    if (sources[i]!.kind === 'number') r.slots.set(v.node, { kind: 'slot', depth, ordinal, dtype: avalOf(v).dtype });
    ordinal++;
  });
  return sources;
}

/** What the call has come to rely on since the last segment. */
export function guardsOf(r: Recording): Guards {
  const { call, found, guarded } = r;
  const from = found.length;
  const gradients: Guards['gradients'][number][] = [];
  for (const [of, gradient] of [...call.gradients].slice(guarded.gradients) as [Tensor, Tensor | null][]) {
    if (call.made.has(of)) continue;
    const owner = ownerOf(r, of);
    if (gradient !== null) found.push(gradient);
    gradients.push({
      of: owner,
      present: gradient !== null,
      requiresGrad: gradient !== null && requiresGradOf(gradient),
      alias: gradient === null ? 0 : found.findIndex((t) => t.storage === gradient.storage),
    });
  }
  guarded.gradients = call.gradients.size;
  const captured = [...(call.used as Set<Tensor>)]
    .filter((t) => !guarded.tensors.has(t) && !call.made.has(t) && !found.includes(t))
    .map((tensor) => {
      guarded.tensors.add(tensor);
      return {
        tensor,
        dtype: tensor.element,
        device: tensor.device,
        requiresGrad: requiresGradOf(tensor),
        alias: foundAt(r, tensor.storage),
      };
    });
  const state = [...call.guards.slice(guarded.state), ...propertiesOf(r)];
  guarded.state = call.guards.length;
  return { gradients, captured, state, apart: apartFrom(r), from, to: found.length };
}

/** Properties of the modules that were called: tensors, modules, and nothing where one of them may come to be. */
function propertiesOf({ call, guarded }: Recording): Guards['state'][number][] {
  const guards: Guards['state'][number][] = [];
  for (const [module, properties] of call.modules) {
    if (guarded.modules.has(module)) continue;
    guarded.modules.add(module);
    for (const [what, value] of properties)
      if (value === null || typeof value === 'function' || isTensor(value))
        guards.push({ owner: module, what, read: () => (module as Record<string, unknown>)[what], value });
  }
  return guards;
}

/** A tensor that shares storage with a captured one is another case than one that does not. */
function apartFrom(r: Recording): ReadonlySet<Storage> {
  const storages = new Set<Storage>();
  for (const t of r.guarded.tensors) storages.add((t as Tensor).storage);
  for (const s of [...r.call.sources.values(), ...r.call.written]) if (isOld(r, s)) storages.add(s);
  for (const t of r.found) storages.delete(t.storage);
  return storages;
}

/** What a replay could not repeat. */
function refusalOf(r: Recording, results: readonly Tensor[]): Refusal | undefined {
  const { call, found } = r;
  if (call.intervals.some((i) => !i.repeatable))
    return new Refusal('it changes the history of a tensor that it did not make, or writes elements from the host');
  for (const [module, properties] of call.modules)
    for (const [name, value] of properties)
      if ((module as Record<string, unknown>)[name] !== value && typeof value !== 'number')
        return new Refusal(`it assigns the property ${name} of a module`, 'return the tensor, or write into it with copy_()');
  const behind = new Set(found.filter((t) => t.via !== undefined).map((t) => t.storage));
  if ([...call.written, ...call.sources.values()].some((s) => behind.has(s)))
    return new Refusal('it reaches through an argument that is a view', 'clone() the argument first');
  for (const [, gradient] of call.gradients as Map<unknown, Tensor | null>)
    if (gradient !== null && gradient.via !== undefined) return new Refusal('it finds a gradient that is a view');
  for (const t of [...results, ...([...call.touched] as Tensor[]).flatMap((o) => o.gradient ?? [])])
    if (call.made.has(t) && t.inference !== isInferenceModeEnabled())
      return new Refusal('it returns a tensor of another inference mode than its caller’s');
  for (const t of call.touched as Set<Tensor>)
    if (call.made.has(t) && results.includes(t)) return new Refusal('it returns a tensor that it made together with its gradient');
  return undefined;
}

/** Results with a history, and what such views look into: whatever gradients may come back to. */
function differentiable(r: Recording, results: readonly Tensor[]): Tensor[] | Refusal {
  const all = new Set<Tensor>();
  try {
    for (const t of results)
      for (const u of t.via === undefined ? [t] : [t, t.via.base]) if (r.call.made.has(u) && !u.wantsGrad && edgeOf(u) !== null) all.add(u);
  } catch (error) {
    // Whoever asks such a result for its gradient is told so, and nobody else.
    if (error instanceof AutogradError) return new Refusal(`it returns a result that has no clear history: ${error.what}`);
    throw error;
  }
  return [...all];
}

export type Ending = Omit<Finish, 'backward'>;

/** State, gradients and results at the end of a call; or why it cannot be replayed. */
export function endingOf(r: Recording, result: unknown): { ending: Ending; outputs: readonly Tensor[] } | Refusal {
  const { call } = r;
  const { tensors: results, rest } = flatten(result) as { tensors: readonly Tensor[]; rest: Rest };
  const refusal = refusalOf(r, results);
  if (refusal !== undefined) return refusal;
  const outputs = differentiable(r, results);
  if (outputs instanceof Refusal) return outputs;
  const fresh: Storage[] = [];
  const known = new Map<Tensor, Produced>();
  const placeOf = (storage: Storage): Place => {
    const index = foundAt(r, storage);
    if (index !== undefined) return { kind: 'found', index };
    if (isOld(r, storage)) return { kind: 'capture', storage };
    if (!fresh.includes(storage)) fresh.push(storage);
    return { kind: 'fresh', slot: fresh.indexOf(storage) };
  };
  const produced = (t: Tensor): Produced => {
    const before = known.get(t);
    if (before !== undefined) return before;
    const index = r.found.indexOf(t);
    const p: Produced = index >= 0 ? { kind: 'found', index } : call.made.has(t) ? made(t) : { kind: 'captured', tensor: t };
    known.set(t, p);
    return p;
  };
  const made = (t: Tensor): Made => {
    const output = outputs.indexOf(t);
    const { base, version: _, ...of } = t.via ?? { base: t, version: 0, chain: [], origin: 'plain' as const, op: '' };
    return {
      kind: 'made',
      place: placeOf(t.storage),
      layout: t.layout,
      view: t.via === undefined ? undefined : { of, base: produced(base) },
      output: output < 0 ? undefined : output,
      wantsGrad: t.wantsGrad,
      identity: known.size,
    };
  };
  const returned = results.map(produced);
  const gradients = ([...call.touched] as Tensor[])
    .filter((of) => !call.made.has(of))
    .map((of) => ({ of: ownerOf(r, of), gradient: of.gradient === null ? null : produced(of.gradient) }));
  if (([...call.touched] as Tensor[]).some((of) => of.gradient !== null && !results.includes(of.gradient) && edgeOf(of.gradient) !== null))
    return new Refusal('it leaves a gradient that can itself be differentiated');
  const written = [...call.written].filter((s) => isOld(r, s));
  const stored = [...written, ...fresh].map(
    (storage): Stored => ({ place: placeOf(storage), value: sourceOf(r, storage.value), aval: avalOf(storage.value) }),
  );
  return { ending: { stored, gradients, results: returned, rest, fresh: fresh.length }, outputs };
}

/** Whether two recordings of a segment read the same things, so that what one computed holds for the other. */
export function sameLeaves(a: readonly Source[], b: readonly Source[]): boolean {
  return a.length === b.length && a.every((s, i) => sameSource(s, b[i]!));
}

export function sameSource(a: Source, b: Source): boolean {
  switch (a.kind) {
    case 'found':
    case 'view':
      return b.kind === a.kind && a.index === b.index;
    case 'capture':
      return b.kind === 'capture' && a.storage === b.storage;
    case 'computed':
      return b.kind === 'computed' && a.depth === b.depth && a.id === b.id;
    case 'slot':
      return b.kind === 'slot' && a.depth === b.depth && a.ordinal === b.ordinal;
    case 'number':
      // What the library reads anew it reads the same again: host state was taken back.
      return b.kind === 'number' && (typeof a.number === 'function' ? typeof b.number === 'function' : Object.is(a.number, b.number));
    case 'draw':
    case 'constant':
      return b.kind === a.kind;
  }
}
