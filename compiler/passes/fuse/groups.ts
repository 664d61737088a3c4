// Joins units into groups, each of which becomes a kernel: producers with consumers first, then neighbours that read the same.

import { bytesPerElement } from '../../../runtime/dtype.ts';
import type { Target } from '../../../runtime/target.ts';
import { type Shape, sameShape, shapeText } from '../../ir/dim.ts';
import { dtypeOf, type Node, shapeOf, type Value } from '../../ir/node.ts';
import { type Form, isAtHand, isRow, type Read, type Unit, type Units } from './units.ts';

export type Group = {
  readonly form: Form;
  readonly space: Shape;
  readonly reduce: readonly number[];
  /** In topological order. */
  readonly units: readonly Unit[];
  /** All nodes of all cones. */
  readonly nodes: ReadonlySet<Node>;
  /** Grows along every edge between groups; not tight. */
  depth: number;
};

/** The groups of all units, mutable while they are being joined. */
export type Grouping = {
  readonly of: (unit: Unit) => Group;
  /** Groups that leave a value which `group` reads, without itself. */
  readonly before: (group: Group) => Set<Group>;
  readonly after: (group: Group) => Set<Group>;
  /** Joins two groups, or says why not. */
  readonly join: (a: Group, b: Group) => string | undefined;
  /** In order of their first unit. */
  readonly all: () => Group[];
};

export function startGrouping({ units, unitOf }: Units, target: Target): Grouping {
  const groups: Group[] = [];
  const of = (unit: Unit): Group => groups[unit.index]!;
  const before = (group: Group): Set<Group> => {
    const found = new Set<Group>();
    for (const unit of group.units)
      for (const read of unit.reads) {
        const producer = unitOf(read.base);
        if (producer !== undefined) found.add(of(producer));
      }
    found.delete(group);
    return found;
  };
  const after = (group: Group): Set<Group> => {
    const found = new Set<Group>();
    for (const unit of group.units) for (const reader of unit.readers) found.add(of(reader));
    found.delete(group);
    return found;
  };

  for (const unit of units) {
    const group: Group = { form: unit.form, space: unit.space, reduce: unit.reduce, units: [unit], nodes: new Set(unit.nodes), depth: 0 };
    groups.push(group);
    for (const producer of before(group)) group.depth = Math.max(group.depth, producer.depth + 1);
  }

  /** Whether a path leads from one of the two to the other through a third: joined, they would wait for themselves. */
  const waitsForItself = (a: Group, b: Group): boolean => {
    const lowest = Math.min(a.depth, b.depth);
    const seen = new Set<Group>([a, b]);
    const stack: Group[] = [];
    const push = (g: Group): void => {
      if (seen.has(g) || g.depth <= lowest) return;
      seen.add(g);
      stack.push(g);
    };
    for (const g of [a, b]) for (const p of before(g)) push(p);
    while (stack.length > 0) {
      for (const p of before(stack.pop()!)) {
        if (p === a || p === b) return true;
        push(p);
      }
    }
    return false;
  };

  /** Raises depths until every edge ascends again. */
  const settleDepths = (from: Group): void => {
    const stack = [from];
    while (stack.length > 0) {
      const group = stack.pop()!;
      for (const next of after(group)) {
        if (next.depth > group.depth) continue;
        next.depth = group.depth + 1;
        stack.push(next);
      }
    }
  };

  const join = (a: Group, b: Group): string | undefined => {
    const form = jointForm(a, b);
    if (typeof form === 'string') return form;
    const units = mergeUnits(a.units, b.units);
    const inside = new Set(units);
    const misplaced = misplacedRead(units, inside, unitOf, of, form);
    if (misplaced !== undefined) return misplaced;
    const ops = countTogether(a.nodes, b.nodes);
    if (ops > target.maxOpsPerKernel) return `${ops} ops together, ${target.maxOpsPerKernel} at most`;
    const buffers = countBuffers(units, inside, unitOf);
    if (buffers > target.maxBuffersPerKernel) return `${buffers} buffers together, ${target.maxBuffersPerKernel} at most`;
    const scratch = scratchBytes(units, inside, form);
    if (scratch > target.maxScratchBytes) return `${scratch} bytes of row scratch, ${target.maxScratchBytes} at most`;
    if (waitsForItself(a, b)) return 'another kernel must run between them';
    const group: Group = { ...form, units, nodes: new Set([...a.nodes, ...b.nodes]), depth: 0 };
    for (const unit of units) groups[unit.index] = group;
    for (const producer of before(group)) group.depth = Math.max(group.depth, producer.depth + 1);
    settleDepths(group);
    return undefined;
  };

  return { of, before, after, join, all: () => [...new Set(groups)] };
}

function countTogether(a: ReadonlySet<Node>, b: ReadonlySet<Node>): number {
  const [more, fewer] = a.size < b.size ? [b, a] : [a, b];
  let count = more.size;
  for (const node of fewer) if (!more.has(node)) count++;
  return count;
}

type FormAndSpace = Pick<Group, 'form' | 'space' | 'reduce'>;

/** The form of two groups together, or why there is none. */
function jointForm(a: Group, b: Group): FormAndSpace | string {
  if (a.form === 'library' || b.form === 'library') return 'a library routine stays alone';
  if (a.form === 'barrier' || b.form === 'barrier') return 'control flow and barriers stay outside kernels';
  const [main, rest] = a.form === 'pointwise' ? [b, a] : [a, b];
  if (rest.form !== 'pointwise') {
    if (main.form !== rest.form) return 'a contraction and a reduction iterate differently';
    if (main.form === 'contraction') return 'one contraction to a kernel';
    if (!sameShape(main.space, rest.space)) return `spaces ${shapeText(main.space)} and ${shapeText(rest.space)} differ`;
    if (!main.reduce.every((axis, i) => axis === rest.reduce[i]) || main.reduce.length !== rest.reduce.length)
      return `reduced axes [${main.reduce}] and [${rest.reduce}] differ`;
  } else if (!sameShape(main.space, rest.space) && !(main.form === 'rows' && isRow(rest.space, main.space, main.reduce)))
    return `spaces ${shapeText(main.space)} and ${shapeText(rest.space)} differ`;
  return { form: main.form, space: main.space, reduce: main.reduce };
}

/** Why a read within the group is not at hand where it is needed, if there is such a read. */
function misplacedRead(
  units: readonly Unit[],
  inside: ReadonlySet<Unit>,
  unitOf: (value: Value) => Unit | undefined,
  of: (unit: Unit) => Group,
  { space, reduce }: FormAndSpace,
): string | undefined {
  for (const unit of units)
    for (const read of unit.reads) {
      const producer = unitOf(read.base);
      if (producer === undefined || !inside.has(producer) || of(producer) === of(unit)) continue;
      if (!isAtHand(unit, read, space, reduce)) return `reads it ${placeText(read)}, not at the place of iteration`;
    }
  return undefined;
}

const placeText = (read: Read): string => {
  if (read.value !== read.base) return `reshaped to ${shapeText(shapeOf(read.value))}`;
  return read.access === 'other' ? 'through a view' : `expanded at [${read.access}]`;
};

const isStoredOutside = (unit: Unit, inside: ReadonlySet<Unit>): boolean => unit.required || unit.readers.some((r) => !inside.has(r));

function countBuffers(units: readonly Unit[], inside: ReadonlySet<Unit>, unitOf: (value: Value) => Unit | undefined): number {
  const buffers = new Set<Value>();
  for (const unit of units) {
    for (const read of unit.reads) {
      const producer = unitOf(read.base);
      if (producer === undefined || !inside.has(producer)) buffers.add(read.base);
    }
    if (isStoredOutside(unit, inside)) for (const value of unit.root.values) buffers.add(value);
  }
  return buffers.size;
}

/** Bytes of one row of all full values that are used again in a later phase: at worst all of them are kept. */
function scratchBytes(units: readonly Unit[], inside: ReadonlySet<Unit>, { form, space, reduce }: FormAndSpace): number {
  if (form !== 'rows') return 0;
  let row = 1;
  for (const axis of reduce) row *= typeof space[axis] === 'number' ? space[axis] : 1;
  let bytes = 0;
  for (const unit of units) {
    const [value] = unit.root.values;
    const isKept =
      unit.form === 'pointwise' && value !== undefined && sameShape(shapeOf(value), space) && unit.readers.some((r) => inside.has(r));
    if (isKept) bytes += row * bytesPerElement[dtypeOf(value)];
  }
  return bytes;
}

/** Both lists in topological order, as one. */
function mergeUnits(a: readonly Unit[], b: readonly Unit[]): Unit[] {
  const merged: Unit[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const takeA = j >= b.length || (i < a.length && a[i]!.index < b[j]!.index);
    merged.push(takeA ? a[i++]! : b[j++]!);
  }
  return merged;
}

const preference: Readonly<Record<Form, number>> = { contraction: 0, rows: 1, pointwise: 2, library: 3, barrier: 3 };

export type Refusal = (producer: Unit, consumer: Unit, reason: string) => void;

/** Takes consumers into the kernels of what they read: epilogues of contractions first, then rows, then pointwise. */
export function joinConsumers({ units, unitOf }: Units, grouping: Grouping, refused: Refusal): void {
  for (const unit of units) {
    const producers = [...new Set(unit.reads.map((r) => unitOf(r.base)))].filter((p) => p !== undefined);
    producers.sort((p, q) => preference[grouping.of(p).form] - preference[grouping.of(q).form] || p.index - q.index);
    for (const producer of producers) {
      const a = grouping.of(producer);
      const b = grouping.of(unit);
      if (a === b) continue;
      const reason = isOperand(producer, unit) ? 'a contraction reads each element of its operand many times' : grouping.join(a, b);
      if (reason !== undefined) refused(producer, unit, reason);
    }
  }
}

/** Whether a contraction reads the producer otherwise than in its epilogue. */
const isOperand = (producer: Unit, consumer: Unit): boolean =>
  consumer.form === 'contraction' && consumer.reads.some((r) => r.access === 'other' && r.base.node === producer.root);

/** How many groups that read the same value are tried. */
const mostNeighbours = 8;

/** Joins groups that read the same elements in the same order, so that they are read once. */
export function joinNeighbours({ units }: Units, grouping: Grouping, refused: Refusal): void {
  const readersOf = new Map<Value, Unit[]>();
  for (const unit of units) {
    for (const read of unit.reads) {
      if (read.access === 'other' || read.access.length > 0) continue;
      const neighbours = readersOf.get(read.value);
      if (neighbours === undefined) {
        readersOf.set(read.value, [unit]);
        continue;
      }
      for (const neighbour of neighbours) {
        const a = grouping.of(neighbour);
        const b = grouping.of(unit);
        if (a === b) continue;
        const reason = grouping.join(a, b);
        if (reason !== undefined) refused(neighbour, unit, reason);
      }
      if (neighbours.length < mostNeighbours) neighbours.push(unit);
    }
  }
}

/** Units of a group whose values leave it. */
export function storedUnits(group: Group): Unit[] {
  const inside = new Set(group.units);
  return group.units.filter((unit) => isStoredOutside(unit, inside));
}
