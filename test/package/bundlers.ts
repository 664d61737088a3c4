// The bundlers of the web, each as its documentation says a page is built: a module and what it imports become files in a folder.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import * as vite from 'vite';
import webpack from 'webpack';

/** A plugin of any bundler: tests take it from the packed package, as JavaScript. */
// biome-ignore lint/suspicious/noExplicitAny: each bundler has a type of its own for it.
export type AnyPlugin = any;

export type Bundle = {
  /** From the project's folder; the bundle's entry is called `main.js`. */
  readonly folder: string;
  readonly entry: string;
  readonly out: string;
  readonly plugins: readonly AnyPlugin[];
};

/** What a bundler grumbled about; empty if all is well. */
type Warnings = readonly string[];

export const bundlers = {
  esbuild: async ({ folder, entry, out, plugins }) => {
    const { warnings } = await esbuild.build({
      entryPoints: { main: entry },
      absWorkingDir: folder,
      outdir: out,
      bundle: true,
      minify: true,
      splitting: true,
      format: 'esm',
      platform: 'browser',
      plugins: [...plugins],
      logLevel: 'silent',
    });
    return warnings.map(({ text }) => text);
  },
  rollup: async ({ folder, entry, out, plugins }) => {
    const warnings: string[] = [];
    const bundle = await rollup({
      input: { main: join(folder, entry) },
      plugins: [...plugins, nodeResolve({ browser: true })],
      onwarn: ({ message }) => void warnings.push(message),
    });
    await bundle.write({ dir: join(folder, out), format: 'es', entryFileNames: '[name].js' });
    await bundle.close();
    return warnings;
  },
  vite: async ({ folder, entry, out, plugins }) => {
    const warnings: string[] = [];
    const logger = vite.createLogger('warn');
    const warn = (message: string): void => void warnings.push(message);
    await vite.build({
      root: folder,
      configFile: false,
      customLogger: { ...logger, warn, warnOnce: warn },
      plugins: [...plugins],
      base: './',
      build: {
        outDir: out,
        emptyOutDir: true,
        chunkSizeWarningLimit: 2000,
        modulePreload: false,
        rollupOptions: {
          input: { main: join(folder, entry) },
          output: { entryFileNames: '[name].js' },
          preserveEntrySignatures: 'allow-extension',
          checks: { pluginTimings: false }, // On a busy machine it tells how long a model took.
        },
      },
    });
    return warnings;
  },
  webpack: ({ folder, entry, out, plugins }) =>
    new Promise((resolve, reject) => {
      const compiler = webpack({
        mode: 'production',
        context: folder,
        entry: { main: `./${entry}` },
        output: { path: join(folder, out) },
        performance: { hints: false },
        optimization: { minimize: false }, // Minifying takes longer than all else, and shows nothing.
        plugins: [...plugins],
      })!;
      compiler.run((error, stats) =>
        compiler.close(() => {
          if (error) reject(error);
          else if (stats!.hasErrors()) reject(new Error(stats!.toString({ all: false, errors: true })));
          else resolve(stats!.toJson({ all: false, warnings: true }).warnings!.map(({ message }) => message));
        }),
      );
    }),
} satisfies Record<string, (bundle: Bundle) => Promise<Warnings>>;

export type BundlerName = keyof typeof bundlers;

/** The files of a folder as a server wants them, by path. */
export function filesIn(folder: string): Map<string, Uint8Array> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [`/${relative(folder, path).replaceAll('\\', '/')}`, readFileSync(path)]),
  );
}
