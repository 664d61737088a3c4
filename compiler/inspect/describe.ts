// Programs as text for people. Kernels print as JavaScript, WebAssembly or WGSL, all else around them as comments of that language.
import { type KernelCode, launchesOf, type Program } from '../../runtime/program.ts';
import { print } from '../ir/print.ts';
import type { Inspected } from './programs.ts';
import { functionText, intensityOf, type ProgramReport, reportOf } from './report.ts';
import { graphAt, type NestStage, nestsAt, stages } from './stages.ts';
import { count, plain, type Style } from './style.ts';
import { moduleText } from './wat.ts';
import { shaderTexts } from './wgsl.ts';

export type DescribeOptions = {
  readonly style?: Style;
  /** Whether to tell why neighbours were not fused. */
  readonly why?: boolean;
};

/** The graphs of `programs` after a stage, one after another: text that `parseModule` reads. */
export function describeGraphs(programs: readonly Inspected[], stage = 'recorded', style = plain): string {
  return programs.map((inspected) => `${describeGraph(inspected, stage, style)}\n`).join('\n');
}

function describeGraph({ name, graph, target }: Inspected, stage: string, style: Style): string {
  const [header = '', ...lines] = print(graphAt(graph, target, stage), { name }).split('\n');
  const dimmed = lines.map((line) => line.replace(/ loc\("[^"]*"\)/, (loc) => style.aside(loc)));
  return [style.heading(header), ...dimmed].join('\n');
}

/** The loop nests of a Program, launch by launch: text that the parser of nests reads. */
export function describeNests(inspected: Inspected, stage: NestStage, style = plain): string {
  const nests = nestsAt(inspected, stage).map((text) => {
    const [header = '', ...lines] = text.trimEnd().split('\n');
    return [style.heading(header), ...lines.map((line) => (/^ *comment /.test(line) ? style.aside(line) : line))].join('\n');
  });
  return `${nests.join('\n\n')}\n`;
}

/** The generated code and the costs of `programs`. */
export function describePrograms(programs: readonly Inspected[], { style = plain, why = false }: DescribeOptions = {}): string {
  return programs.map(({ name, program }) => describeProgram(program(), name, style, why)).join('\n');
}

function describeProgram(program: Program, name: string, style: Style, why: boolean): string {
  const report = reportOf(program, name);
  const mark = program.target === 'wasm' ? ';;' : '//';
  const launches = launchesByKernel(program);
  const module = moduleText(program);
  const functions = module?.kernels ?? shaderTexts(program);
  const comments = [...summary(report), ...(why ? reasons(report) : [])];
  const parts = [comments.map((line, i) => (i === 0 ? style.heading : style.aside)(`${mark} ${line}`)).join('\n')];
  program.kernels.forEach((kernel, i) => {
    const code = functions === undefined ? codeText(kernel, style) : nestText(kernel, functions[i]!, mark, style);
    parts.push(`${style.aside(`${mark} ${costs(kernel, launches[i]!)}`)}\n${code}`);
  });
  if (module !== undefined) parts.push([style.aside(`${mark} shared by all kernels, and run`), ...module.shared].join('\n'));
  return `${parts.join('\n\n')}\n`;
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

function costs(kernel: KernelCode, launches: readonly number[]): string {
  const { flops, bytesRead, bytesWritten } = kernel;
  const which = launches.length === 1 ? `launch ${launches[0]}` : `launches ${launches.join(', ')}, each`;
  const work = `reads ${count(bytesRead, 'byte')}, writes ${count(bytesWritten, 'byte')}, ${count(flops, 'flop')}`;
  return `${which}: ${work}, ${intensityOf(kernel).toFixed(2)} flops per byte`;
}

/** The head of the function stands out, its comments stand back. */
function codeText(kernel: KernelCode, style: Style): string {
  const [head = '', ...lines] = functionText(kernel).split('\n');
  return [style.heading(head), ...lines.map((line) => (/^\s*\/\//.test(line) ? style.aside(line) : line))].join('\n');
}

/** What the kernel came from, its loop nest as a comment, and the functions that it became. */
function nestText({ name, origin, source }: KernelCode, functions: readonly string[], mark: string, style: Style): string {
  const nest = source.trimEnd().replace('@kernel(', `@${name}(`).split('\n');
  const comments = [...origin, ...nest].map((line, i) => (i === origin.length ? style.heading : style.aside)(`${mark} ${line}`));
  return [...comments, ...functions].join('\n');
}

/** For each kernel its places among the launches, counted from 1. */
function launchesByKernel({ kernels, steps }: Program): number[][] {
  const places = kernels.map((): number[] => []);
  launchesOf(steps).forEach(({ launch }, i) => void places[launch.kernel]!.push(i + 1));
  return places;
}
