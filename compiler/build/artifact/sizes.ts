// How large the parts of a built model are, as they are and compressed: what a page loads for each target.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

export type Size = { readonly bytes: number; readonly gzipped: number };

export type SizeReport = {
  /** The module without weights that stand in it. */
  readonly module: Size;
  /** By target, the file that is loaded when it is chosen. */
  readonly kernels: readonly { readonly target: string; readonly size: Size }[];
  readonly weights: Size;
  /** What is larger than an edge runtime takes as one file. */
  readonly tooLargeForEdge: readonly string[];
};

/** The bound of edge runtimes for one asset. */
const edgeBytes = 25 << 20;

const sizeOf = (content: Uint8Array): Size => ({ bytes: content.length, gzipped: gzipSync(content, { level: 9 }).length });

export function sizesOf(name: string, files: ReadonlyMap<string, Uint8Array>, weights: Uint8Array, weightsFile: string): SizeReport {
  const kernels = (
    [
      ['webgpu', 'wgsl'],
      ['wasm', 'wasm'],
      ['wasm, relaxed', 'relaxed'],
      ['js', 'kernels'],
    ] as const
  ).flatMap(([target, part]) => {
    const file = files.get(`${name}.${part}.js`);
    return file === undefined ? [] : [{ target, size: sizeOf(file) }];
  });
  const module = new TextDecoder().decode(files.get(`${name}.js`));
  return {
    module: sizeOf(new TextEncoder().encode(files.has(weightsFile) ? module : module.replace(/base64: '[^']*'/, "base64: ''"))),
    kernels,
    weights: sizeOf(weights),
    tooLargeForEdge: [...files].filter(([path, content]) => content.length > edgeBytes && !path.endsWith('.json')).map(([path]) => path),
  };
}

/**
 * The runtime as a built module links it, before a bundler minifies it: the files that it imports statically from `fluxion/runtime`, without
 * their comments.
 */
export function runtimeSize(): Size {
  const start = new URL('../../../runtime/artifact/index.ts', import.meta.url);
  const isSource = import.meta.url.endsWith('.ts');
  const open = [isSource ? start : new URL(start.href.replace(/\.ts$/, '.js'))];
  const seen = new Set(open.map(String));
  const texts: string[] = [];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    const text = readFileSync(fileURLToPath(file), 'utf8');
    texts.push(text.replace(/^\s*(\/\/|\/?\*).*$/gm, '').replace(/\n\s*/g, '\n'));
    for (const [, isType, specifier] of text.matchAll(/^(?:import|export)\s+(type\s)?[^'"]*?from\s+['"](\.[^'"]+)['"]/gm)) {
      if (isType !== undefined) continue;
      const next = new URL(specifier!, file);
      if (seen.has(next.href)) continue;
      seen.add(next.href);
      open.push(next);
    }
  }
  return sizeOf(new TextEncoder().encode(texts.join('\n')));
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;

/** The report as a table. */
export function sizeText({ module, kernels, weights, tooLargeForEdge }: SizeReport, runtime = runtimeSize()): string {
  const rows: (readonly [string, Size])[] = [
    ['runtime, not minified', runtime],
    ['module', module],
    ...kernels.map(({ target, size }) => [`kernels for ${target}`, size] as const),
    ['weights', weights],
  ];
  const width = Math.max(...rows.map(([what]) => what.length));
  const lines = rows.map(
    ([what, { bytes, gzipped }]) => `${what.padEnd(width)} ${kilobytes(bytes).padStart(11)} ${kilobytes(gzipped).padStart(11)} gzipped`,
  );
  const warnings = tooLargeForEdge.map((path) => `${path} is larger than the 25 MiB that edge runtimes take`);
  return [...lines, ...warnings].join('\n');
}
