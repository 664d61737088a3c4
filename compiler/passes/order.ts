// Order: in which sequence the nodes of a fused graph run, so that little memory is alive at once.
import { bytesPerElement } from '../../runtime/dtype.ts';
import { bindDim, numel } from '../ir/dim.ts';
import { avalOf, type Graph, isAlias, isLeaf, type Node, nodesOf, storedAs, type Value } from '../ir/node.ts';

/** Sizes that are bound at launch count as this. */
const assumedSize = 64;

/**
 * Nodes of the graph, inputs before users. Among those that may run next it takes the one after which least memory is alive:
 * what its results need less what it is the last to read (greedy list scheduling); of equals, the first in postorder.
 */
export function schedule(graph: Graph): readonly Node[] {
  const nodes = nodesOf(graph);
  const place = new Map<Node, number>();
  for (const [i, node] of nodes.entries()) place.set(node, i);
  /** Nodes that still have to run before it can. */
  const waiting = new Map<Node, number>();
  const users = new Map<Node, Node[]>();
  /** Nodes that still read a buffer. Graph outputs are never freed, nor are inputs. */
  const readers = new Map<Value, Set<Node>>();
  const kept = new Set(graph.outputs.map(storedAs));

  for (const node of nodes) {
    const producers = new Set(node.inputs.map((v) => v.node).filter((n) => place.has(n)));
    waiting.set(node, producers.size);
    for (const p of producers) {
      const list = users.get(p);
      if (list === undefined) users.set(p, [node]);
      else list.push(node);
    }
    for (const buffer of buffersRead(node)) {
      const set = readers.get(buffer);
      if (set === undefined) readers.set(buffer, new Set([node]));
      else set.add(node);
    }
  }

  const grows = (node: Node): number => {
    let bytes = 0;
    if (!isAlias(node.op)) for (const v of node.values) if (!kept.has(v)) bytes += bytesOf(v);
    for (const v of buffersRead(node)) if (isFreed(v) && readers.get(v)!.size === 1) bytes -= bytesOf(v);
    return bytes;
  };
  const isFreed = (v: Value): boolean => !kept.has(v) && !isLeaf(v.node.op);

  const ready = new Heap();
  const done = new Set<Node>();
  const enter = (node: Node): void => ready.push({ node, bytes: grows(node), place: place.get(node)! });
  for (const node of nodes) if (waiting.get(node) === 0) enter(node);
  const order: Node[] = [];
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    const { node } = next;
    if (done.has(node)) continue;
    done.add(node);
    order.push(node);
    for (const v of buffersRead(node)) {
      const left = readers.get(v)!;
      left.delete(node);
      // The last reader has become cheaper: it enters again, and the dearer entry is passed over.
      if (left.size === 1) for (const last of left) if (waiting.get(last) === 0 && !done.has(last)) enter(last);
    }
    for (const user of users.get(node) ?? []) {
      const n = waiting.get(user)! - 1;
      waiting.set(user, n);
      if (n === 0) enter(user);
    }
  }
  return order;
}

const buffersRead = (node: Node): Set<Value> => (isAlias(node.op) ? new Set() : new Set(node.inputs.map(storedAs)));

function bytesOf(v: Value): number {
  const { dtype, shape } = avalOf(v);
  const n = numel(shape);
  const count =
    typeof n === 'number' ? n : bindDim(n, new Map(n.terms.flatMap((t) => t.names.map((name) => [name, assumedSize] as const))));
  return count * bytesPerElement[dtype];
}

type Entry = { readonly node: Node; readonly bytes: number; readonly place: number };
const isBefore = (a: Entry, b: Entry): boolean => a.bytes < b.bytes || (a.bytes === b.bytes && a.place < b.place);

/** A binary heap of entries, the least first. */
class Heap {
  private readonly entries: Entry[] = [];

  push(entry: Entry): void {
    const { entries } = this;
    let i = entries.length;
    entries.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(entry, entries[parent]!)) break;
      entries[i] = entries[parent]!;
      i = parent;
    }
    entries[i] = entry;
  }

  pop(): Entry | undefined {
    const { entries } = this;
    const [least] = entries;
    const last = entries.pop();
    if (last === undefined || entries.length === 0) return least;
    let i = 0;
    for (let child = 1; child < entries.length; child = 2 * i + 1) {
      if (child + 1 < entries.length && isBefore(entries[child + 1]!, entries[child]!)) child++;
      if (!isBefore(entries[child]!, last)) break;
      entries[i] = entries[child]!;
      i = child;
    }
    entries[i] = last;
    return least;
  }
}
