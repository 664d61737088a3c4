// The last run of a Program as SVG: each launch a rectangle as wide as the time that it took.

import { launchesOf } from '../../../runtime/program.ts';
import type { TimedRun } from '../profile.ts';
import type { Inspected } from '../programs.ts';
import { millisecondsText } from '../style.ts';
import { escaped } from './text.ts';

const [width, height] = [960, 46];

export function timelineHtml(inspected: Inspected, runs: readonly TimedRun[]): string {
  const own = runs.filter((run) => run.graph === inspected.graph);
  const last = own.at(-1);
  if (last === undefined) return '<p>It did not run.</p>';
  const program = inspected.program();
  const names = launchesOf(program.steps).map(({ launch }) => program.kernels[launch.kernel]!.name);
  const scale = width / Math.max(1e-6, last.end - last.start);
  const rects = last.launches.map(({ launch, start, end }) => {
    const x = (start - last.start) * scale;
    const name = names[launch]!;
    return `<rect class="launch" data-kernel="${escaped(name)}" x="${x.toFixed(2)}" y="4" width="${Math.max(0.5, (end - start) * scale).toFixed(2)}" height="24" fill="hsl(${(launch * 47) % 360} 60% 65%)"><title>${escaped(name)}: ${millisecondsText(end - start)}</title></rect>`;
  });
  return `<p>The last of ${own.length} runs took ${millisecondsText(last.end - last.start)}.</p><svg class="timeline" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}">${rects.join('')}<text x="0" y="42">0</text><text x="${width}" y="42" text-anchor="end">${millisecondsText(last.end - last.start)}</text></svg>`;
}
