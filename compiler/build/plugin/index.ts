// The door `fluxion/plugin`: models as imports of a bundler. `import { classify } from './model.ts?fluxion'` gives what `fluxion build` makes.
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createUnplugin, type UnpluginFactory, type UnpluginInstance } from 'unplugin';
import { type Built, builder } from './built.ts';
import { type AssetURL, rewired } from './code.ts';
import { query, requestOf, resolved, typed } from './request.ts';

export type PluginOptions = {
  /** The folder that paths in messages are told from: the working directory, or Vite's root, by default. */
  readonly root?: string;
  /** How weights are stored: smaller formats lose accuracy, and the build says how much. float32 by default. */
  readonly weights?: 'float32' | 'float16' | 'int8';
  /** Whether Vite serves pages isolated (COOP and COEP headers in dev and preview), so that they may use threads. True by default. */
  readonly isolated?: boolean;
};

/** Marks, in modules for esbuild, the import of a file that is copied and whose URL is the value. */
const assetPrefix = 'fluxion-asset:';

const isolation = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

const factory: UnpluginFactory<PluginOptions | undefined, false> = (options = {}, { framework }) => {
  const { weights, isolated = true } = options;
  const args = weights === undefined ? [] : ['--weights', weights];
  const builderAt = (root: string) => builder({ root: resolve(options.root ?? root), args });
  let build = builderAt('.');
  /** Where Vite's development server has its paths begin; undefined in a build. */
  let served: string | undefined;
  /** Models that some import names by the spelling with types. */
  const declared = new Set<string>();
  return {
    name: 'fluxion',
    enforce: 'pre',
    resolveId: {
      filter: { id: new RegExp(`${query.source}|${typed.source}`) },
      handler(specifier, importer) {
        const id = resolved(specifier, importer);
        if (id !== undefined && typed.test(specifier)) declared.add(requestOf(id).model);
        return id;
      },
    },
    load: {
      filter: { id: query },
      async handler(id) {
        const request = requestOf(id);
        // A model that cannot be built is built again when it, or the file that is to blame, has changed.
        this.addWatchFile(request.model);
        const built = await build(request.model).catch((error: Error & { readonly id?: string }) => {
          if (error.id !== undefined) this.addWatchFile(error.id);
          throw error;
        });
        for (const file of built.sources) this.addWatchFile(file);
        const name = request.part ?? `${built.name}.js`;
        if (declared.has(request.model)) declareTypes(request.model, built);
        const code = await readFile(join(built.folder, name), 'utf8');
        const emit = (file: string): string =>
          // Rollup gives a name for it, of which other bundlers know nothing.
          (this.emitFile as (asset: object) => unknown)({
            type: 'asset',
            name: file,
            source: readFileSync(join(built.folder, file)),
          }) as string;
        return rewired(code, request, new Set(built.files), assetURLs(framework, request.model, built.folder, served, emit));
      },
    },
    vite: {
      config: ({ root }) => {
        build = builderAt(root ?? '.');
        return {
          ...(isolated && { server: { headers: isolation }, preview: { headers: isolation } }),
          // Known from the start: found later, it would be prepared while the page loads, which then loads again.
          optimizeDeps: { include: ['fluxion/runtime'] },
        };
      },
      configResolved: ({ command, base }) => {
        served = command === 'serve' ? base : undefined;
      },
    },
    esbuild: {
      loader: 'js',
      setup(bundler) {
        bundler.onResolve({ filter: new RegExp(`^${assetPrefix}`) }, ({ path }) => ({
          path: path.slice(assetPrefix.length),
          namespace: assetPrefix,
        }));
        bundler.onLoad({ filter: /.*/, namespace: assetPrefix }, async ({ path }) => ({
          contents: await readFile(path),
          loader: 'file',
        }));
      },
    },
  };
};

/** How a bundler is told of an asset. */
function assetURLs(framework: string, model: string, folder: string, served: string | undefined, emit: (file: string) => string): AssetURL {
  const path = (file: string): string => join(folder, file).replaceAll('\\', '/');
  const absolute = (file: string): string => JSON.stringify(pathToFileURL(path(file)).href);
  switch (framework) {
    case 'rollup':
    case 'rolldown':
      return (file) => ({ url: `new URL(import.meta.ROLLUP_FILE_URL_${emit(file)})` });
    case 'esbuild':
      return (file) => {
        const name = `asset_${file.replace(/\W/g, '_')}`;
        return { url: `new URL(${name}, import.meta.url)`, top: `import ${name} from ${JSON.stringify(assetPrefix + path(file))};` };
      };
    // These two read `new URL(..., import.meta.url)` themselves, but take no place for that of a module which is no file.
    case 'webpack':
    case 'rspack':
      return (file) => ({ url: `new URL(${absolute(file)}, import.meta.url)` });
    // So does Vite when it builds. While it serves, files are where it has them outside of its root.
    default: {
      if (served !== undefined)
        return (file) => ({
          url: `new URL(import.meta.env.SSR ? ${absolute(file)} : ${JSON.stringify(`${served}@fs/${path(file).replace(/^\//, '')}`)}, import.meta.url)`,
        });
      const from = relative(dirname(model), folder).replaceAll('\\', '/');
      const below = from.startsWith('.') ? from : `./${from}`;
      return (file) => ({ url: `new URL(${JSON.stringify(`${below}/${file}`)}, import.meta.url)` });
    }
  }
}

/** Types for the spelling that TypeScript understands. Written only if they changed: editors and watchers take each writing for news. */
function declareTypes(model: string, { folder, name }: Built): void {
  const file = model.replace(/\.[cm]?[jt]sx?$/, '.fluxion.d.ts');
  const heading = `// Written by fluxion/plugin: what is imported as ./${basename(file, '.d.ts')}.js is built from ${basename(model)}.\n`;
  const text = heading + readFileSync(join(folder, `${name}.d.ts`), 'utf8');
  let before: string | undefined;
  try {
    before = readFileSync(file, 'utf8');
  } catch {}
  if (before !== text) writeFileSync(file, text);
}

const plugin: UnpluginInstance<PluginOptions | undefined, false> = createUnplugin(factory);
export default plugin;
