// Why neighbours are kernels of their own: what fusion noted, with the user's lines of both.
import { idsOf } from '../ir/names.ts';
import { locationText, type Node } from '../ir/node.ts';
import { anatomyOf } from './anatomy.ts';
import type { Inspected } from './programs.ts';
import { plain, type Style } from './style.ts';

export type Unfused = {
  /** `sum model.ts:14`: the op, and the line where it is known. */
  readonly producer: string;
  readonly consumer: string;
  readonly reason: string;
};

export function unfusedOf(inspected: Inspected): Unfused[] {
  const { program, stages } = anatomyOf(inspected);
  const before = stages[stages.findIndex((s) => s.name === 'fuse') - 1]!.graph;
  const nodes = new Map<string, Node>([...idsOf(before)].map(([value, id]) => [id, value.node]));
  return program.notes.unfused.map((note) => {
    const [, producer = '', consumer = '', reason = note] = /^(%\S+ \(.*?\)) and (%\S+ \(.*?\)): (.*)$/s.exec(note) ?? [];
    return { producer: placed(producer, nodes), consumer: placed(consumer, nodes), reason };
  });
}

/** `%5 (sum)` as `sum model.ts:14`. */
function placed(text: string, nodes: ReadonlyMap<string, Node>): string {
  const [, id = '', op = text] = /^%(\S+) \((.*)\)$/.exec(text) ?? [];
  const line = locationText(nodes.get(id)?.loc);
  return line === undefined ? op : `${op} ${line}`;
}

export function describeUnfused(inspected: Inspected, style: Style = plain): string {
  const found = unfusedOf(inspected);
  if (found.length === 0) return `${style.heading(`${inspected.name}: nothing was kept apart`)}\n`;
  // Layers of one kind are kept apart for one reason.
  const times = new Map<string, number>();
  for (const { producer, consumer, reason } of found) {
    const line = `  ${producer} and ${consumer}: ${reason}`;
    times.set(line, (times.get(line) ?? 0) + 1);
  }
  const lines = [...times].map(([line, n]) => (n === 1 ? line : `${line} (${n} times)`));
  return `${[style.heading(`${inspected.name}: not fused`), ...lines].join('\n')}\n`;
}
