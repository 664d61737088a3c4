// Does a call again without running the user's function: segments one after another, then all state at once.
import type { Buffer } from '../../../runtime/buffer.ts';
import type { OutputPort } from '../../../runtime/program.ts';
import { lengthAt, sizesOf } from '../../../runtime/sizes.ts';
import { partOf, type ValueId } from '../../jit/structure.ts';
import { newTensor } from '../op.ts';
import { unflatten } from '../pytree.ts';
import { leafOfBuffer } from '../record.ts';
import { commit, type Storage, storageOf, succeed } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import { functionOf, residualsFor } from './backward.ts';
import { bufferAt, numberOf, tensorOf, type Walk, type Walked } from './sources.ts';
import type { Finish, Keeper, Made, Owner, Plan, Produced, Segment, Source } from './tree.ts';

/** Runs a segment, beside the state that the call began with. */
export function runSegment(walk: Walk, segment: Segment): Walked {
  const { walked, undo } = walk;
  for (const action of segment.actions) {
    const back = action();
    if (back !== undefined) undo.push(back);
  }
  const now: Walked = { segment, outputs: [], numbers: none, value: 0 };
  if (segment.structure === undefined) {
    walked.push(now);
    return now;
  }
  const plan = planOf(segment);
  const numbers = plan.numbers.length === 0 ? none : new Float64Array(plan.numbers.length);
  for (let i = 0; i < numbers.length; i++) numbers[i] = numberOf(walk, plan.numbers[i]!);
  const { executable } = plan.part;
  const inputs = plan.inputs.map((source) => bufferAt(walk, source));
  const slots = plan.passed.length === numbers.length ? numbers : Float64Array.from(plan.passed, (i) => numbers[i]!);
  const { program } = executable;
  const sizes = program.sizes && sizesOf(program, inputs);
  const spares = plan.keepers.map((k, i) => fitting(k && keptBy(k, walk.found)?.spare, program.outputs[i]!, sizes));
  const ran = { ...now, numbers, outputs: executable.execute(inputs, slots, spares) };
  walked.push(ran);
  return ran;
}
const none = new Float64Array(0);

/** A buffer that a call of another size left behind is of no use. */
const fitting = (spare: Buffer | undefined, port: OutputPort, sizes: readonly number[] | undefined): Buffer | undefined =>
  spare === undefined || sizes === undefined || spare.length === lengthAt(port, sizes) ? spare : undefined;

const keptBy = (k: Keeper, found: readonly Tensor[]): Storage | undefined =>
  'storage' in k ? k.storage : tensorOf(k.gradientOf, found).gradient?.storage;

/** How to run a segment so that everything is there which is known to be needed. */
export function planOf(segment: Segment): Plan {
  const { structure, needs, ran, leaves, end } = segment;
  if (segment.plan?.covers === needs.size) return segment.plan;
  const before = new Set(ran);
  // What ran when it was recorded is compiled already.
  const roots = [...needs].every((id) => before.has(id)) ? ran : [...needs].sort((a, b) => a - b);
  const part = partOf(structure!, roots, true);
  const slots = [...leaves.keys()].filter((i) => isNumber(leaves[i]!));
  const ordinals = new Map(slots.map((leaf, ordinal) => [leaf, ordinal]));
  segment.plan = {
    part,
    roots,
    inputs: part.reads.filter((i) => !isNumber(leaves[i]!)).map((i) => leaves[i]!),
    numbers: slots.map((i) => leaves[i]!).filter(isNumber),
    passed: part.reads.filter((i) => isNumber(leaves[i]!)).map((i) => ordinals.get(i)!),
    keepers: end.kind === 'finish' ? keepersOf(part.executable.program.outputs, roots, segment.depth, end.finish) : [],
    covers: needs.size,
  };
  return segment.plan;
}

const isNumber = (s: Source): s is Source & { kind: 'number' | 'slot' } => s.kind === 'number' || s.kind === 'slot';

/** An output is kept by one alone if no other output has its buffer, backward does not read it, and one place takes it: a captured storage, or a gradient that is not returned. */
function keepersOf(ports: readonly OutputPort[], roots: readonly ValueId[], depth: number, finish: Finish): (Keeper | undefined)[] {
  const isShared = new Set(ports.flatMap(({ alias }, i) => (alias === undefined ? [] : alias.space === 'output' ? [i, alias.index] : [i])));
  for (const leaf of finish.backward?.leaves ?? [])
    if (typeof leaf !== 'number' && leaf.kind === 'computed' && leaf.depth === depth) isShared.add(roots.indexOf(leaf.id));
  const uses = new Map<number, number>();
  const ownerOfSlot = new Map<number, Owner>();
  for (const p of [...finish.results, ...finish.gradients.flatMap((g) => g.gradient ?? [])])
    if (p.kind === 'made' && p.place.kind === 'fresh') uses.set(p.place.slot, (uses.get(p.place.slot) ?? 0) + 1);
  for (const { of, gradient } of finish.gradients)
    if (gradient?.kind === 'made' && gradient.view === undefined && gradient.place.kind === 'fresh')
      ownerOfSlot.set(gradient.place.slot, of);
  const places = roots.map((id) =>
    finish.stored.filter(({ value }) => value.kind === 'computed' && value.depth === depth && value.id === id).map((s) => s.place),
  );
  return places.map(([place, ...others], i) => {
    if (place === undefined || others.length > 0 || isShared.has(i)) return undefined;
    if (place.kind === 'capture') return { storage: place.storage };
    const of = place.kind === 'fresh' && uses.get(place.slot) === 1 ? ownerOfSlot.get(place.slot) : undefined;
    return of && { gradientOf: of };
  });
}

/** The last phase: nothing can fail any more once the first storage is written. */
export function finish(walk: Walk, f: Finish): unknown {
  const { found, walked } = walk;
  const { segment } = walked[walked.length - 1]!;
  const buffers = f.stored.map(({ value }) => bufferAt(walk, value));
  const kept = f.stored.map(({ value }) =>
    value.kind === 'computed' && value.depth === segment.depth ? segment.plan!.keepers[segment.plan!.roots.indexOf(value.id)] : undefined,
  );
  const before = kept.map((k) => k && keptBy(k, found));
  const fn = f.backward === undefined ? undefined : functionOf(f.backward, residualsFor(walk, f.backward), found);
  const fresh: Storage[] = [];
  for (const [i, { place, aval }] of f.stored.entries()) {
    const value = leafOfBuffer(buffers[i]!, aval);
    const isKept = kept[i] !== undefined;
    if (place.kind === 'fresh') {
      fresh[place.slot] = storageOf(value);
      if (isKept) succeed(fresh[place.slot]!, before[i]);
    } else commit(place.kind === 'found' ? found[place.index]!.storage : place.storage, value, isKept);
  }
  const made: Tensor[] = [];
  const make = (p: Produced): Tensor => {
    switch (p.kind) {
      case 'found':
        return found[p.index]!;
      case 'captured':
        return p.tensor;
      case 'made':
        made[p.identity] ??= build(p);
        return made[p.identity]!;
    }
  };
  const build = ({ place, view, layout, output, wantsGrad }: Made): Tensor => {
    const storage = place.kind === 'fresh' ? fresh[place.slot]! : place.kind === 'found' ? found[place.index]!.storage : place.storage;
    const base = view && make(view.base);
    const t = newTensor(storage, base && { ...view!.of, base, version: storage.version }, layout);
    if (wantsGrad) t.wantsGrad = true;
    if (output !== undefined) {
      t.edge = { fn: fn!, index: output };
      if (base !== undefined) t.edgeAt = base.edgeSerial;
    }
    return t;
  };
  for (const { of, gradient } of f.gradients) tensorOf(of, found).gradient = gradient === null ? null : make(gradient);
  return unflatten(f.rest, f.results.map(make));
}
