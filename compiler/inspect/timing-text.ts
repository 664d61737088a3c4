// A profile as text: a flame of Programs and kernels, and a table of kernels with their share of the machine's limit.
import { count, millisecondsText, plain, type Style, table } from './style.ts';
import type { KernelTime, Timing } from './timing.ts';

const width = 40;
const mostKernels = 30;

export function describeTiming({ programs, ms, limits }: Timing, style: Style = plain): string {
  if (programs.length === 0) return 'nothing ran\n';
  const lines = [
    style.heading(`${millisecondsText(ms)} in ${count(programs.length, 'Program')}`),
    style.aside(`this machine at best: ${gigas(limits.flopsPerMs)} Gflop/s, ${gigas(limits.bytesPerMs)} GB/s`),
    '',
  ];
  const flame: string[][] = [];
  for (const program of programs) {
    flame.push([program.name, bar(program.ms / ms), percent(program.ms / ms), millisecondsText(program.ms), count(program.runs, 'run')]);
    for (const kernel of program.kernels.slice(0, mostKernels))
      flame.push([
        `  ${kernel.kernel}`,
        bar(kernel.ms / ms),
        percent(kernel.ms / ms),
        millisecondsText(kernel.ms),
        count(kernel.launches, 'launch').replace(/launchs$/, 'launches'),
      ]);
  }
  lines.push(...table(flame, [0, 1]), '');
  const kernels = programs.flatMap((p) => p.kernels).sort((a, b) => b.ms - a.ms);
  lines.push(
    ...table(
      [['kernel', 'median', 'Gflop/s', 'GB/s', 'of limit', 'bound by', 'lines'], ...kernels.slice(0, mostKernels).map(cells)],
      [0, 5, 6],
    ),
  );
  if (kernels.length > mostKernels) lines.push(style.aside(`and ${count(kernels.length - mostKernels, 'kernel')} that took less`));
  return `${lines.join('\n')}\n`;
}

const cells = ({ kernel, medianMs, flopsPerMs, bytesPerMs, share, bound, origin }: KernelTime): string[] => [
  kernel,
  millisecondsText(medianMs),
  gigas(flopsPerMs),
  gigas(bytesPerMs),
  percent(share),
  bound,
  [...new Set(origin.map((o) => o.split(' ').slice(1).join(' ')).filter((line) => line !== ''))].join(' '),
];

const gigas = (perMs: number): string => (perMs / 1e6).toFixed(2);
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** In eighths of a character. */
function bar(share: number): string {
  const eighths = Math.round(Math.min(1, share) * width * 8);
  return '█'.repeat(eighths >> 3) + (eighths % 8 === 0 ? '' : '▏▎▍▌▋▊▉'[(eighths % 8) - 1]!);
}
