// The ids that values have in text and in errors: derived from name hints where there are any, else numbers; one scope per graph.
import { IRError } from '../../runtime/errors.ts';
import { type Graph, type Node, nodesOf, type Value } from './node.ts';

/** Ids by value, without the `%`. The same structure with the same hints always gets the same ids. */
export type ValueIds = ReadonlyMap<Value, string>;

const isIdentifier = (text: string): boolean => /^[A-Za-z_]\w*$/.test(text);
const longestId = 40;

/** The hint as an identifier: other characters become `_`, and what is left of a very long hint is cut. */
function identifierFrom(hint: string): string {
  if (hint.length <= longestId && isIdentifier(hint)) return hint;
  const cleaned = hint.slice(0, longestId).replace(/\W/g, '_');
  return /^\d/.test(cleaned) ? `_${cleaned}` : cleaned;
}

/**
 * The hint of each result. A hint names the first result; one with as many comma-separated parts as there are results names each.
 * An empty part means: no hint.
 */
function hintsOf(node: Node): readonly string[] {
  const parts = (node.name ?? '').split(',');
  if (parts.length === node.values.length) return parts;
  const first = node.name ?? '';
  return node.values.map((_, i) => (first === '' ? '' : i === 0 ? first : `${first}_${i}`));
}

/** Names the inputs, then the nodes in the order in which they are printed. */
export function idsOf(graph: Graph): ValueIds {
  const ids = new Map<Value, string>();
  const taken = new Set<string>();
  const suffixes = new Map<string, number>();
  let count = 0;

  const unique = (base: string): string => {
    if (!taken.has(base)) return base;
    let suffix = suffixes.get(base) ?? 1;
    while (taken.has(`${base}_${suffix}`)) suffix++;
    suffixes.set(base, suffix + 1);
    return `${base}_${suffix}`;
  };
  const name = (node: Node): void => {
    const hints = hintsOf(node);
    node.values.forEach((value, i) => {
      const id = hints[i] === '' ? String(count++) : unique(identifierFrom(hints[i]!));
      taken.add(id);
      ids.set(value, id);
    });
  };

  for (const value of graph.inputs) if (!ids.has(value)) name(value.node);
  for (const node of nodesOf(graph)) name(node);
  return ids;
}

/** The hint that a reader takes from ids alone; undefined where all are numbers. What it cannot recover is printed behind the node. */
export function hintFromIds(ids: readonly string[]): string | undefined {
  const parts = ids.map((id) => (isIdentifier(id) ? id : ''));
  return parts.every((part) => part === '') ? undefined : parts.join(',');
}

/** The error that says which value of a graph breaks which rule. */
export function broken(graph: Graph, node: Node, rule: string): IRError {
  const ids = node.values.length === 0 ? undefined : idsOf(graph).get(node.values[0]!);
  return new IRError(`${ids === undefined ? '' : `%${ids} `}(${node.op}) ${rule}`, { op: 'verify' });
}
