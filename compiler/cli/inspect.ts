// `fluxion inspect`: what is in a built module, by the file of texts that lies beside it; the module itself is not run.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type InspectedProgram, type Inspection, inspectionFormat } from '../build/artifact/inspection.ts';
import { sizesOf, sizeText } from '../build/artifact/sizes.ts';
import { type Invocation, UsageError } from './arguments.ts';
import { dataText } from './json.ts';

export async function inspect({ file, options }: Invocation): Promise<number> {
  const name = basename(file).replace(/\.js$/, '');
  const inspection = readInspection(file, join(dirname(file), `${name}.inspect.json`));
  const sizes = sizesIn(dirname(file), name);
  if (options.has('json')) console.log(dataText({ ...inspection, sizes }));
  else console.log([...textOf(inspection, options.has('graph')), '', sizeText(sizes)].join('\n'));
  return 0;
}

function readInspection(file: string, path: string): Inspection {
  let data: Partial<Inspection> | null;
  try {
    data = JSON.parse(readFileSync(path, 'utf8')) as Partial<Inspection> | null;
  } catch (cause) {
    throw new UsageError(`${file} is no built module, or ${path} does not lie beside it: ${(cause as Error).message}`);
  }
  if (data?.format !== inspectionFormat) throw new UsageError(`${path} was written by another version; build the model again`);
  return data as Inspection;
}

function sizesIn(folder: string, name: string): ReturnType<typeof sizesOf> {
  const own = readdirSync(folder).filter((path) => path.startsWith(`${name}.`));
  const files = new Map(own.map((path) => [path, readFileSync(join(folder, path))]));
  const weightsFile = own.find((path) => /\.[0-9a-f]{16}\.safetensors$/.test(path));
  const module = files.get(`${name}.js`)?.toString('latin1') ?? '';
  const inline = /base64: '([^']*)'/.exec(module)?.[1] ?? '';
  return sizesOf(name, files, weightsFile === undefined ? Buffer.from(inline, 'base64') : files.get(weightsFile)!, weightsFile ?? '');
}

function textOf({ name, source, entries }: Inspection, withGraphs: boolean): string[] {
  const lines = [`${name}.js, built from ${source}`];
  for (const entry of entries) {
    lines.push('', `${entry.signature}   ${source}:${entry.line}`);
    for (const program of entry.programs) lines.push(...programText(program, withGraphs));
  }
  return lines;
}

function programText({ target, sizes, arenaBytes, kernels, graph, fused }: InspectedProgram, withGraphs: boolean): string[] {
  const dims = Object.entries(sizes).map(([dim, size]) => `${dim} ${typeof size === 'number' ? size : `${size.min} to ${size.max}`}`);
  const flops = kernels.reduce((n, k) => n + k.flops, 0);
  const head = `  ${[target, ...dims].join(', ')}: ${kernels.length} kernels, ${flops} flops, ${arenaBytes} bytes of arena`;
  const rows = kernels.map(
    (k) => `    ${k.name}: ${k.flops} flops, ${k.bytesRead} bytes read, ${k.bytesWritten} written; ${k.origin.join(', ')}`,
  );
  return [head, ...rows, ...(withGraphs ? ['', graph, fused] : [])];
}
