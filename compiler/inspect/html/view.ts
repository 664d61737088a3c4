// The report of a whole program as one page: graph, passes, kernels, memory and time, a tab for each.
import { anatomyOf } from '../anatomy.ts';
import { drawingOf } from '../drawing.ts';
import { memoryOf } from '../memory.ts';
import { memorySvg } from '../memory-svg.ts';
import { describeMemory } from '../memory-text.ts';
import type { TimedRun } from '../profile.ts';
import type { Inspected } from '../programs.ts';
import type { Timing } from '../timing.ts';
import { describeTiming } from '../timing-text.ts';
import { graphHtml, type LayoutLibrary } from './graph.ts';
import { kernelsHtml, type Source } from './kernels.ts';
import { page } from './page.ts';
import { passesHtml } from './passes.ts';
import { escaped } from './text.ts';
import { timelineHtml } from './timeline.ts';

export type View = {
  readonly title: string;
  readonly programs: readonly Inspected[];
  /** The program that was run, if it is text that lines refer to. */
  readonly source: Source | undefined;
  readonly runs: readonly TimedRun[];
  readonly timing: Timing;
  readonly layout: LayoutLibrary;
};

const tabs = ['graph', 'passes', 'kernels', 'memory', 'time'] as const;

export function viewPage({ title, programs, source, runs, timing, layout }: View): string {
  const times = new Map(timing.programs.map((t) => [t.name, t]));
  const panels: Readonly<Record<(typeof tabs)[number], (p: Inspected) => string>> = {
    graph: (p) => graphHtml(drawingOf(anatomyOf(p).stages.at(-1)!.graph, p.name), layout),
    passes: (p) => passesHtml({ name: p.name, stages: anatomyOf(p).stages }),
    kernels: (p) => kernelsHtml(p, source, times.get(p.name)),
    memory: (p) => `${memorySvg(memoryOf(p))}<pre>${escaped(describeMemory(memoryOf(p)))}</pre>`,
    time: (p) => timelineHtml(p, runs),
  };
  const body = tabs.map((tab) => {
    const parts = programs.map((p) => `<section data-program="${escaped(p.name)}"><h2>${escaped(p.name)}</h2>${panels[tab](p)}</section>`);
    const summary = tab === 'time' ? `<section><pre>${escaped(describeTiming(timing))}</pre></section>` : '';
    return `<main id="${tab}"${tab === tabs[0] ? '' : ' hidden'}>${summary}${parts.join('\n')}</main>`;
  });
  const buttons = tabs.map(
    (tab) => `<button type="button" role="tab" data-tab="${tab}" aria-selected="${tab === tabs[0]}">${tab}</button>`,
  );
  return page(title, body.join('\n'), { style, script, header: `<nav role="tablist">${buttons.join(' ')}</nav>` });
}

const style = `
[hidden] { display: none; }
svg.graph { width: 100%; height: 78vh; border: 1px solid var(--edge); border-radius: 4px; background: var(--soft); touch-action: none; cursor: grab; }
svg text { font: 11px ui-monospace, monospace; fill: var(--ink); }
.box rect { fill: var(--paper); stroke: var(--edge); } .box.kernel { cursor: pointer; } .box.kernel rect { stroke: var(--accent); } .box.on rect { fill: var(--mark); }
.edge { fill: none; stroke: #8a97a3; marker-end: url(#head); } marker path { fill: #8a97a3; }
svg.memory, svg.timeline { width: 100%; max-width: 1040px; } svg .axis { stroke: #8a97a3; } svg .bound { stroke: #c33; stroke-dasharray: 4 3; } svg .saved { stroke: var(--ink); }
.beside { display: flex; gap: .6rem; align-items: flex-start; } .beside .column { flex: 1 1 0; min-width: 0; max-width: none; }
.source { display: inline-block; min-width: 100%; cursor: pointer; } .source i { display: inline-block; width: 3ch; text-align: right; color: #7b8894; font-style: normal; }
.source.on, .code.on > summary { background: var(--mark); } summary { cursor: pointer; } .launch { cursor: pointer; } .launch.on { stroke: var(--ink); stroke-width: 2; }
`;

// Selecting a kernel, anywhere, selects it everywhere; selecting a line selects the kernels that came of it.
const script = `
const all = (selector, scope = document) => [...scope.querySelectorAll(selector)];
function show(tab) {
  for (const main of all('main')) main.hidden = main.id !== tab;
  for (const button of all('[data-tab]')) button.setAttribute('aria-selected', String(button.dataset.tab === tab));
}
function select(program, kernels, lines) {
  for (const element of all('[data-kernel], [data-line]')) {
    const isOurs = element.closest('section')?.dataset.program === program;
    element.classList.toggle('on', isOurs && (kernels.includes(element.dataset.kernel) || lines.includes(element.dataset.line)));
  }
}
const linesOf = (code) => code.dataset.lines.split(' ').filter(Boolean);
document.addEventListener('click', (event) => {
  const tab = event.target.closest('[data-tab]');
  if (tab) return show(tab.dataset.tab);
  const zoom = event.target.closest('[data-zoom]');
  if (zoom) return zoomBy(zoom.closest('section').querySelector('svg.graph'), zoom.dataset.zoom);
  const program = event.target.closest('section')?.dataset.program;
  const line = event.target.closest('[data-line]');
  if (line) {
    const codes = all('main#kernels section[data-program="' + CSS.escape(program) + '"] .code').filter((c) => linesOf(c).includes(line.dataset.line));
    return select(program, codes.map((c) => c.dataset.kernel), [line.dataset.line]);
  }
  const kernel = event.target.closest('[data-kernel]');
  if (!kernel || (kernel.matches('details') && !event.target.closest('summary'))) return;
  const name = kernel.dataset.kernel;
  const code = all('main#kernels section[data-program="' + CSS.escape(program) + '"] .code').find((c) => c.dataset.kernel === name);
  select(program, [name], code ? linesOf(code) : []);
  if (code && !kernel.matches('details')) {
    show('kernels');
    code.open = true;
    code.scrollIntoView({ block: 'center' });
  }
});
const boxOf = (svg) => svg.getAttribute('viewBox').split(' ').map(Number);
function zoomBy(svg, factor, at = [0.5, 0.5]) {
  svg.dataset.whole ??= svg.getAttribute('viewBox');
  if (factor === 'fit') return svg.setAttribute('viewBox', svg.dataset.whole);
  const [x, y, w, h] = boxOf(svg);
  const f = Number(factor);
  svg.setAttribute('viewBox', [x + w * at[0] * (1 - f), y + h * at[1] * (1 - f), w * f, h * f].join(' '));
}
for (const svg of all('svg.graph')) {
  svg.addEventListener('wheel', (event) => {
    event.preventDefault();
    const r = svg.getBoundingClientRect();
    zoomBy(svg, event.deltaY < 0 ? 0.9 : 1.1, [(event.clientX - r.left) / r.width, (event.clientY - r.top) / r.height]);
  }, { passive: false });
  svg.addEventListener('pointermove', (event) => {
    if (event.buttons !== 1) return;
    svg.dataset.whole ??= svg.getAttribute('viewBox');
    const [x, y, w, h] = boxOf(svg);
    const r = svg.getBoundingClientRect();
    const scale = Math.max(w / r.width, h / r.height);
    svg.setAttribute('viewBox', [x - event.movementX * scale, y - event.movementY * scale, w, h].join(' '));
  });
}
`;
