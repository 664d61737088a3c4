// Programs as text for people. Kernels print as JavaScript, all else around them as comments, so that what is printed is itself a program.
import { type KernelCode, launchesOf, type Program } from '../../runtime/program.ts';
import type { Target } from '../../runtime/target.ts';
import { print } from '../ir/print.ts';
import type { Inspected } from './programs.ts';
import { functionText, type ProgramReport, reportOf } from './report.ts';
import { graphAt, stages } from './stages.ts';

/** How parts of a text stand out: on a terminal by colour, elsewhere not at all. */
export type Style = { readonly heading: (text: string) => string; readonly aside: (text: string) => string };
export const plain: Style = { heading: (text) => text, aside: (text) => text };

export type DescribeOptions = {
  readonly style?: Style;
  /** Whether to tell why neighbours were not fused. */
  readonly why?: boolean;
};

/** The graphs of `programs` after a stage, one after another: text that `parseModule` reads. */
export function describeGraphs(programs: readonly Inspected[], target: Target, stage = 'recorded', style = plain): string {
  const texts = programs.map(({ name, graph }) => {
    const [header = '', ...lines] = print(graphAt(graph, target, stage), { name }).split('\n');
    const dimmed = lines.map((line) => line.replace(/ loc\("[^"]*"\)/, (loc) => style.aside(loc)));
    return `${[style.heading(header), ...dimmed].join('\n')}\n`;
  });
  return texts.join('\n');
}

/** The generated code and the costs of `programs`. */
export function describePrograms(programs: readonly Inspected[], { style = plain, why = false }: DescribeOptions = {}): string {
  return programs.map(({ name, program }) => describeProgram(program(), name, style, why)).join('\n');
}

function describeProgram(program: Program, name: string, style: Style, why: boolean): string {
  const report = reportOf(program, name);
  const launches = launchesByKernel(program);
  const comments = [...summary(report), ...(why ? reasons(report) : [])];
  const kernels = program.kernels.map((kernel, i) => `\n${style.aside(costs(kernel, launches[i]!))}\n${codeText(kernel, style)}\n`);
  return `${comments.map((line, i) => (i === 0 ? style.heading : style.aside)(`// ${line}`)).join('\n')}\n${kernels.join('')}`;
}

function summary({ name, kernels, flops, bytesMoved, arenaBytes, liveBytes }: ProgramReport): string[] {
  return [
    `${name}: ${count(kernels.length, 'kernel')}, ${count(bytesMoved, 'byte')} moved, ${count(flops, 'flop')}`,
    `arena ${count(arenaBytes, 'byte')}, lower bound ${count(liveBytes, 'byte')}`,
  ];
}

function reasons({ unfused }: ProgramReport): string[] {
  return unfused.length === 0
    ? ['nothing was kept apart']
    : [`not fused (values as at the stage ${stages.at(-2)}):`, ...unfused.map((reason) => `  ${reason}`)];
}

function costs({ flops, bytesRead, bytesWritten }: KernelCode, launches: readonly number[]): string {
  const which = launches.length === 1 ? `launch ${launches[0]}` : `launches ${launches.join(', ')}, each`;
  return `// ${which}: reads ${count(bytesRead, 'byte')}, writes ${count(bytesWritten, 'byte')}, ${count(flops, 'flop')}`;
}

/** The head of the function stands out, its comments stand back. */
function codeText(kernel: KernelCode, style: Style): string {
  const [head = '', ...lines] = functionText(kernel).split('\n');
  return [style.heading(head), ...lines.map((line) => (/^\s*\/\//.test(line) ? style.aside(line) : line))].join('\n');
}

/** For each kernel its places among the launches, counted from 1. */
function launchesByKernel({ kernels, steps }: Program): number[][] {
  const places = kernels.map((): number[] => []);
  launchesOf(steps).forEach(({ launch }, i) => void places[launch.kernel]!.push(i + 1));
  return places;
}

const count = (n: number, what: string): string => `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`;
