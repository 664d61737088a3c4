// A page with a column for each stage of a compilation; a value is highlighted in all columns at once.
import type { Stage } from '../anatomy.ts';
import { type Numbered, numberedStages } from '../identity.ts';
import type { Line } from '../listing.ts';
import { page } from './page.ts';
import { escaped } from './text.ts';

export type PassesOf = { readonly name: string; readonly stages: readonly Stage[] };

export const passesPage = (title: string, programs: readonly PassesOf[]): string =>
  page(`${title}: passes`, programs.map((p) => `<section><h2>${escaped(p.name)}</h2>${passesHtml(p)}</section>`).join('\n'));

/** The columns of one Program. */
export function passesHtml({ name, stages }: PassesOf): string {
  const numbered = numberedStages(
    stages.map((s) => s.graph),
    name,
  );
  const columns = stages.map((stage, i) => {
    const before = numbered[i - 1];
    const known = before === undefined ? undefined : new Set(before.numberOf.values());
    const rules = [...stage.rules].map(([rule, times]) => `${escaped(rule)}${times === 1 ? '' : ` (${times})`}`);
    const aside = `${numbered[i]!.lines.length - 2} lines${i === 0 ? '' : `, ${stage.ms.toFixed(2)} ms`}`;
    return `<div class="column" data-stage="${escaped(stage.name)}"><h3>${escaped(stage.name)} <small>${aside}</small></h3>${
      rules.length === 0 ? '' : `<details><summary>${rules.length} rules fired</summary>${rules.join('<br>')}</details>`
    }<pre>${numbered[i]!.lines.map((line) => lineHtml(line, numbered[i]!, known)).join('\n')}</pre></div>`;
  });
  return `<div class="columns">${columns.join('')}</div>`;
}

/** `known`: the numbers of the stage before, by which what is new stands out. */
function lineHtml({ depth, tokens, defines, line }: Line, { numberOf }: Numbered, known: ReadonlySet<number> | undefined): string {
  const isNew = known !== undefined && defines.length > 0 && defines.every((v) => !known.has(numberOf.get(v)!));
  const text = tokens
    .map((t) => (typeof t === 'string' ? escaped(t) : `<span class="value" data-value="${numberOf.get(t.value)}">%${escaped(t.id)}</span>`))
    .join('');
  const place = line === undefined ? '' : ` <span class="line">${escaped(line)}</span>`;
  return `<span class="row${isNew ? ' new' : ''}">${'  '.repeat(depth)}${text}${place}</span>`;
}
