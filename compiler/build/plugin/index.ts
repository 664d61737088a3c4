// The door `fluxion/plugin`: models as imports of a bundler. `import { classify } from './model.ts?fluxion'` gives what `fluxion build` makes.
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createUnplugin, type UnpluginFactory, type UnpluginInstance } from 'unplugin';
import { type Built, builder } from './built.ts';
import { type AssetURL, rewired } from './code.ts';
import { query, requestOf, resolved, typed } from './request.ts';

export type PluginOptions = {
  /** The project; the working directory, or Vite's root, by default. Built files are kept in its node_modules/.cache. */
  readonly root?: string;
  /** How weights are stored: smaller formats lose accuracy, and the build says how much. float32 by default. */
  readonly weights?: 'float32' | 'float16' | 'int8';
  /** Whether Vite serves pages isolated (COOP and COEP headers in dev and preview), so that they may use threads. True by default. */
  readonly isolated?: boolean;
};

const isolation = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

const factory: UnpluginFactory<PluginOptions | undefined, false> = (options = {}, { framework }) => {
  const { weights, isolated = true } = options;
  const args = weights === undefined ? [] : ['--weights', weights];
  const builderAt = (root: string) => builder({ root: options.root ?? root, args });
  let build = builderAt(process.cwd());
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
        const built = await build(request.model);
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
        return rewired(code, request, new Set(built.files), assetURLs(framework, request.model, built.folder, emit));
      },
    },
    vite: {
      config: ({ root = process.cwd() }) => {
        build = builderAt(root);
        return {
          ...(isolated && { server: { headers: isolation }, preview: { headers: isolation } }),
          // Known from the start: found later, it would be prepared while the page loads, which then loads again.
          optimizeDeps: { include: ['fluxion/runtime'] },
        };
      },
    },
    esbuild: {
      loader: 'js',
      setup(bundler) {
        bundler.onResolve({ filter: /^fluxion-asset:/ }, ({ path }) => ({
          path: path.slice('fluxion-asset:'.length),
          namespace: 'fluxion-asset',
        }));
        bundler.onLoad({ filter: /.*/, namespace: 'fluxion-asset' }, async ({ path }) => ({
          contents: await readFile(path),
          loader: 'file',
        }));
      },
    },
  };
};

/** How a bundler is told of an asset. Vite, webpack and Rspack read `new URL(..., import.meta.url)`, but the last two from no place of its own. */
function assetURLs(framework: string, model: string, folder: string, emit: (file: string) => string): AssetURL {
  const path = (file: string): string => join(folder, file).replaceAll('\\', '/');
  switch (framework) {
    case 'rollup':
    case 'rolldown':
      return (file) => ({ url: `new URL(import.meta.ROLLUP_FILE_URL_${emit(file)})` });
    case 'esbuild':
      return (file) => {
        const name = `asset_${basename(file).replace(/\W/g, '_')}`;
        return { url: `new URL(${name}, import.meta.url)`, top: `import ${name} from ${JSON.stringify(`fluxion-asset:${path(file)}`)};` };
      };
    case 'webpack':
    case 'rspack':
      return (file) => ({ url: `new URL(${JSON.stringify(pathToFileURL(path(file)).href)}, import.meta.url)` });
    default: {
      const from = relative(dirname(model), folder).replaceAll('\\', '/');
      const below = from.startsWith('.') ? from : `./${from}`;
      return (file) => ({ url: `new URL(${JSON.stringify(`${below}/${file}`)}, import.meta.url)` });
    }
  }
}

/** Types for the spelling that TypeScript understands. Written only if they changed: editors and watchers take each writing for news. */
function declareTypes(model: string, { folder, name }: Built): void {
  const file = model.replace(/\.[cm]?[jt]sx?$/, '.fluxion.d.ts');
  const text = readFileSync(join(folder, `${name}.d.ts`), 'utf8');
  let before: string | undefined;
  try {
    before = readFileSync(file, 'utf8');
  } catch {}
  if (before !== text) writeFileSync(file, text);
}

const plugin: UnpluginInstance<PluginOptions | undefined, false> = createUnplugin(factory);
export default plugin;
