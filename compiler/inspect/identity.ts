// Which values of a graph are which of the graph before a pass: numbers that a value keeps through all stages.
import type { Graph, Value } from '../ir/node.ts';
import { align } from './align.ts';
import { type Line, listingOf } from './listing.ts';

export type Numbered = {
  readonly lines: readonly Line[];
  /** The number of a value that a line mentions. */
  readonly numberOf: ReadonlyMap<Value, number>;
};

/** Rounds of matching: what is found in one lets more be recognised in the next. */
const rounds = 4;

/** Numbers the values of each graph. What a pass leaves as it was, or makes anew the same way, keeps its number. */
export function numberedStages(graphs: readonly Graph[], name: string): Numbered[] {
  const result: Numbered[] = [];
  let count = 0;
  const fresh = (): number => count++;
  for (const graph of graphs) {
    const lines = listingOf(graph, name);
    const last = result.at(-1);
    const numberOf = last === undefined ? numbered(graph, lines, fresh) : carriedOver(graph, lines, last, fresh);
    result.push({ lines, numberOf });
  }
  return result;
}

function numbered(graph: Graph, lines: readonly Line[], fresh: () => number): Map<Value, number> {
  const numberOf = new Map<Value, number>();
  for (const v of graph.inputs) numberOf.set(v, fresh());
  complete(numberOf, lines, fresh);
  return numberOf;
}

/** Parameters of regions that are not kernels are values of their own. */
function complete(numberOf: Map<Value, number>, lines: readonly Line[], fresh: () => number): void {
  for (const { tokens, defines } of lines) {
    for (const v of defines) if (!numberOf.has(v)) numberOf.set(v, fresh());
    for (const t of tokens) if (typeof t !== 'string' && !numberOf.has(t.value)) numberOf.set(t.value, fresh());
  }
}

function carriedOver(graph: Graph, lines: readonly Line[], before: Numbered, fresh: () => number): Map<Value, number> {
  const numberOf = new Map<Value, number>();
  for (const v of graph.inputs) numberOf.set(v, before.numberOf.get(v) ?? fresh());
  /** What the lines before define, by what they look like and by the numbers of their operands. */
  const known = new Map<string, number[][]>();
  for (const line of before.lines) {
    if (line.defines.length === 0) continue;
    const signature = signatureOf(line, before.numberOf);
    const list = known.get(signature) ?? [];
    list.push(line.defines.map((v) => before.numberOf.get(v)!));
    known.set(signature, list);
  }
  const settled = new Map<Line, readonly number[]>();
  for (let round = 0; round < rounds; round++) {
    const used = new Set([...settled.values()].flat());
    const open: Line[] = [];
    for (const line of lines) {
      if (line.defines.length === 0) continue;
      const own = settled.get(line) ?? known.get(signatureOf(line, numberOf))?.find((numbers) => numbers.every((n) => !used.has(n)));
      if (own === undefined) open.push(line);
      else {
        settled.set(line, own);
        for (const [i, v] of line.defines.entries()) numberOf.set(v, own[i]!);
        for (const n of own) used.add(n);
      }
    }
    // The rest: alike but for their operands, in the same order.
    const left = before.lines.filter((l) => l.defines.length > 0 && !used.has(before.numberOf.get(l.defines[0]!)!));
    const pairs = align(
      left.map((l) => l.key),
      open.map((l) => l.key),
    );
    if (pairs.length === 0) break;
    for (const [i, j] of pairs)
      settled.set(
        open[j]!,
        left[i]!.defines.map((v) => before.numberOf.get(v)!),
      );
    for (const [line, own] of settled) for (const [i, v] of line.defines.entries()) numberOf.set(v, own[i]!);
  }
  complete(numberOf, lines, fresh);
  return numberOf;
}

/** A line by its key and the numbers of what it reads. */
export const signatureOf = ({ key, operands }: Line, numberOf: ReadonlyMap<Value, number>): string =>
  `${key} ${operands.map((v) => numberOf.get(v) ?? '?').join()}`;
