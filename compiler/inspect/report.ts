// What a Program costs, as data: per kernel the work and the traffic, per Program their sums and the memory of its intermediates.
import { type KernelCode, launchesOf, type Program } from '../../runtime/program.ts';
import { moduleText } from './wat.ts';
import { shaderTexts } from './wgsl.ts';

export type KernelReport = {
  readonly name: string;
  /** How often it runs: once, but in a loop of a known number of turns. */
  readonly times: number;
  readonly flops: number;
  /** Distinct bytes, whatever the number of times that they are touched. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Flops for each byte moved: what decides whether arithmetic or memory is the limit. */
  readonly intensity: number;
  /** The ops it came from, each with the user's line where known. */
  readonly origin: readonly string[];
  /** For js the generated function, for the others the loop nest. */
  readonly source: string;
  /** For wasm: the functions that the nest became. */
  readonly wat?: string;
  /** For webgpu: its shaders. */
  readonly wgsl?: string;
};

export type ProgramReport = {
  readonly name: string;
  readonly graph: string;
  /** One for each launch, in the order of launches: a kernel that is launched twice stands here twice. */
  readonly kernels: readonly KernelReport[];
  readonly flops: number;
  readonly bytesMoved: number;
  readonly arenaBytes: number;
  /** The largest set of intermediates alive at once: no plan needs less. */
  readonly liveBytes: number;
  /** Why neighbours stayed apart. */
  readonly unfused: readonly string[];
};

/** A kernel as it is run: a function of its buffers, the numbers of the launch, and what to call on bad data. */
export function functionText({ name, params, source }: KernelCode): string {
  const body = source.replace(/\n$/, '').replaceAll(/^(?=.)/gm, '  ');
  return `function ${name}(${params.join(', ')}) {\n${body}\n}`;
}

export const intensityOf = ({ flops, bytesRead, bytesWritten }: Pick<KernelCode, 'flops' | 'bytesRead' | 'bytesWritten'>): number =>
  flops / Math.max(1, bytesRead + bytesWritten);

/** What each kernel costs in one launch, by its name. */
export const kernelCosts = ({ kernels }: Program): Map<string, { readonly flops: number; readonly bytes: number }> =>
  new Map(kernels.map(({ name, flops, bytesRead, bytesWritten }) => [name, { flops, bytes: bytesRead + bytesWritten }]));

/** The costs of a Program; `graph` is the text to show for it, by default what was recorded. */
export function reportOf(program: Program, name: string = program.name, graph: string = program.notes.graph): ProgramReport {
  const module = moduleText(program);
  const shaders = shaderTexts(program);
  const kernels = launchesOf(program.steps).map(({ launch, times }): KernelReport => {
    const kernel = program.kernels[launch.kernel]!;
    const { name, flops, bytesRead, bytesWritten, origin } = kernel;
    const costs = { name, times, flops, bytesRead, bytesWritten, intensity: intensityOf(kernel), origin };
    if (shaders !== undefined) return { ...costs, source: kernel.source, wgsl: shaders[launch.kernel]!.join('\n\n') };
    if (module === undefined) return { ...costs, source: functionText(kernel) };
    return { ...costs, source: kernel.source, wat: module.kernels[launch.kernel]!.join('\n') };
  });
  return {
    name,
    graph,
    kernels,
    flops: total(kernels, (k) => k.times * k.flops),
    bytesMoved: total(kernels, (k) => k.times * (k.bytesRead + k.bytesWritten)),
    arenaBytes: program.arenaBytes,
    liveBytes: program.liveBytes,
    unfused: program.notes.unfused,
  };
}

function total(kernels: readonly KernelReport[], of: (kernel: KernelReport) => number): number {
  let sum = 0;
  for (const kernel of kernels) sum += of(kernel);
  return sum;
}
