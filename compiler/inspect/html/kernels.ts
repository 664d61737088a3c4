// Kernels beside the user's source: a line shows what came of it, a kernel shows its lines.
import type { Inspected } from '../programs.ts';
import { type KernelReport, reportOf } from '../report.ts';
import { count } from '../style.ts';
import type { ProgramTime } from '../timing.ts';
import { escaped } from './text.ts';

export type Source = { readonly name: string; readonly text: string };

export function kernelsHtml(inspected: Inspected, source: Source | undefined, time: ProgramTime | undefined): string {
  const report = reportOf(inspected.program(), inspected.name);
  const times = new Map(time?.kernels.map((k) => [k.kernel, k]));
  const kernels = report.kernels.map((kernel) => {
    const took = times.get(kernel.name);
    const clock =
      took === undefined ? '' : `, ${took.medianMs.toFixed(3)} ms, ${(100 * took.share).toFixed(1)} % of the limit of ${took.bound}`;
    const code = [kernel.source, ...(kernel.wat === undefined ? [] : [kernel.wat])].map((text) => `<pre>${escaped(text)}</pre>`);
    return `<details class="code" data-kernel="${escaped(kernel.name)}" data-lines="${escaped(linesOf(kernel).join(' '))}"><summary>${escaped(kernel.name)} <small>${costs(kernel)}${clock}</small></summary><p>${kernel.origin.map(escaped).join('<br>')}</p>${code.join('')}</details>`;
  });
  const lines = source?.text.replace(/\n$/, '').split('\n') ?? [];
  const rows = lines.map(
    (line, i) => `<span class="source" data-line="${escaped(`${source!.name}:${i + 1}`)}"><i>${i + 1}</i> ${escaped(line)}</span>`,
  );
  return `<div class="beside">${rows.length === 0 ? '' : `<pre class="column">${rows.join('\n')}</pre>`}<div class="column">${kernels.join('')}</div></div>`;
}

const costs = ({ flops, bytesRead, bytesWritten, intensity }: KernelReport): string =>
  `${count(flops, 'flop')}, ${count(bytesRead + bytesWritten, 'byte')}, ${intensity.toFixed(2)} per byte`;

/** The lines of the ops that a kernel came from: `matmul model.ts:14`. */
const linesOf = ({ origin }: KernelReport): string[] => [...new Set(origin.flatMap((o) => o.split(' ').slice(1)))];
