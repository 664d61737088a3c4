// What one pass changed, as text: lines that it took away and that it added, under the ids that values had before it.
import type { Value } from '../ir/node.ts';
import { align } from './align.ts';
import { anatomyOf } from './anatomy.ts';
import { type Numbered, numberedStages, signatureOf } from './identity.ts';
import { type Line, textOf } from './listing.ts';
import type { Inspected } from './programs.ts';
import { type NestStage, nestStages, nestsAt, stageAliases } from './stages.ts';
import { count, plain, type Style } from './style.ts';

/** Unchanged lines that are shown around a change. */
const context = 2;

type Change = { readonly sign: ' ' | '-' | '+'; readonly text: string };

/** What the pass called `stage` did to a graph; for `scheduled`, what scheduling did to its nests. Says so where it did nothing. */
export function describeChanges(inspected: Inspected, stage: string, style: Style = plain): string {
  const name = stageAliases[stage] ?? stage;
  if ((nestStages as readonly string[]).includes(name)) return nestChanges(inspected, name as NestStage, style);
  const { stages } = anatomyOf(inspected);
  const at = stages.findIndex((s) => s.name === name);
  if (at < 0) return `${style.heading(`${inspected.name}: ${stage} is switched off`)}\n`;
  if (at === 0) return `${style.heading(`${inspected.name}: nothing comes before ${stage}`)}\n`;
  const [before, after] = numberedStages([stages[at - 1]!.graph, stages[at]!.graph], inspected.name) as [Numbered, Numbered];
  const { rules, ms } = stages[at]!;
  const fired = [...rules].map(([rule, times]) => `  ${rule}${times === 1 ? '' : ` (${times} times)`}`);
  return [
    ...body(`${inspected.name}: ${name} after ${stages[at - 1]!.name}`, changesBetween(before, after), style, ` in ${ms.toFixed(2)} ms`),
    ...(fired.length === 0 ? [] : ['rules that fired:', ...fired]),
    '',
  ].join('\n');
}

/** Lines before and after, those that stayed the same once. */
export function changesBetween(before: Numbered, after: Numbered): Change[] {
  const idOf = new Map<number, string>();
  for (const { tokens } of before.lines)
    for (const t of tokens) {
      const n = typeof t === 'string' ? undefined : before.numberOf.get(t.value);
      // The id outside of kernels, which comes first.
      if (n !== undefined && !idOf.has(n)) idOf.set(n, (t as { id: string }).id);
    }
  const renamed = (line: Line): string => {
    const tokens = line.tokens.map((t) => {
      if (typeof t === 'string') return t;
      const id = idOf.get(after.numberOf.get(t.value)!);
      return { ...t, id: id ?? `${t.id}'` };
    });
    return textOf({ ...line, tokens });
  };
  const stays = (line: Line, numberOf: ReadonlyMap<Value, number>): string =>
    `${signatureOf(line, numberOf)} ${line.defines.map((v) => numberOf.get(v)).join()}`;
  return merged(
    before.lines.map((l) => ({ key: stays(l, before.numberOf), text: textOf({ ...l, tokens: shownBefore(l, before, idOf) }) })),
    after.lines.map((l) => ({ key: stays(l, after.numberOf), text: renamed(l) })),
  );
}

const shownBefore = (line: Line, { numberOf }: Numbered, idOf: ReadonlyMap<number, string>): Line['tokens'] =>
  line.tokens.map((t) => (typeof t === 'string' ? t : { ...t, id: idOf.get(numberOf.get(t.value)!)! }));

type Keyed = { readonly key: string; readonly text: string };

function merged(before: readonly Keyed[], after: readonly Keyed[]): Change[] {
  const changes: Change[] = [];
  let [i, j] = [0, 0];
  const upTo = (a: number, b: number): void => {
    while (i < a) changes.push({ sign: '-', text: before[i++]!.text });
    while (j < b) changes.push({ sign: '+', text: after[j++]!.text });
  };
  const pairs = align(
    before.map((l) => l.key),
    after.map((l) => l.key),
  );
  for (const [a, b] of pairs) {
    upTo(a, b);
    changes.push({ sign: ' ', text: after[b]!.text });
    [i, j] = [a + 1, b + 1];
  }
  upTo(before.length, after.length);
  return changes;
}

function nestChanges(inspected: Inspected, stage: NestStage, style: Style): string {
  if (stage === 'loops')
    return `${style.heading(`${inspected.name}: loops are another language than the graph before them; see --stage loops`)}\n`;
  const plainNests = nestsAt(inspected, 'loops');
  const keyed = (text: string): Keyed[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => ({ key: line, text: line }));
  const parts = nestsAt(inspected, 'scheduled').map((nest, i) =>
    body(`${inspected.name}: schedule of launch ${i + 1}`, merged(keyed(plainNests[i]!), keyed(nest)), style).join('\n'),
  );
  return `${parts.join('\n\n')}\n`;
}

function body(title: string, changes: readonly Change[], style: Style, took = ''): string[] {
  const [less, more] = (['-', '+'] as const).map((sign) => changes.filter((c) => c.sign === sign).length) as [number, number];
  if (less + more === 0) return [style.heading(`${title}: no change${took}`)];
  const heading = style.heading(`${title}: ${count(less, 'line')} less, ${count(more, 'line')} more${took}`);
  const near = new Set(
    changes.flatMap(({ sign }, i) => (sign === ' ' ? [] : Array.from({ length: 2 * context + 1 }, (_, d) => i + d - context))),
  );
  const lines: string[] = [];
  changes.forEach(({ sign, text }, i) => {
    if (near.has(i)) lines.push((sign === '+' ? style.added : sign === '-' ? style.removed : (t: string) => t)(`${sign} ${text}`));
    else if (lines.at(-1) !== '  ...') lines.push('  ...');
  });
  return [heading, ...lines];
}
