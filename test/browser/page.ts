// Pages of a real browser for tests: a module of test/browser/pages is bundled, served and loaded, and its exports are called from here.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import { chromiumFolder } from '../chromium-package.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Enough for a browser without a screen or a sandbox, with WebGPU in software. */
const flags = ['--no-sandbox', '--enable-unsafe-webgpu', '--disable-background-networking', '--disable-component-update', '--no-first-run'];

export const launch = async (): Promise<Browser> =>
  chromium.launch({ executablePath: join(await chromiumFolder(), 'chromium'), args: flags });

/** Bundles of modules by their path, `/threads.js` for threads.ts; what several share is one chunk, so that there is one copy of the library. */
export async function bundle(...modules: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: modules.map((name) => join(root, name)),
    outdir: '/',
    entryNames: '[name]',
    chunkNames: 'chunk-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    alias: { fluxion: join(root, 'compiler/index.ts'), 'fluxion/worker': join(root, 'compiler/worker/index.ts') },
    write: false,
  });
  return new Map(outputFiles.map(({ path, contents }) => [path, contents]));
}

/** With these a page may share memory among threads. */
export const isolating = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

type Headers = Readonly<Record<string, string>>;
export type Site = { readonly origin: string; readonly close: () => Promise<void> };

/** Serves files, and an empty page everywhere else; all with the given headers. */
export async function serve(files: ReadonlyMap<string, Uint8Array>, headers: Headers = isolating): Promise<Site> {
  const server: Server = createServer(({ url }, response) => {
    const file = files.get(new URL(url!, 'http://localhost').pathname);
    response.writeHead(200, { ...headers, 'Content-Type': file === undefined ? 'text/html' : 'text/javascript' });
    response.end(file ?? '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>test</title>');
  });
  await new Promise<void>((resolve) => void server.listen(0, 'localhost', resolve));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

type Callable = (...args: never[]) => unknown;
/** The functions of a module in a page: arguments and results travel as JSON does, typed arrays and big integers included. */
export type Remote<M> = {
  readonly [K in keyof M as M[K] extends Callable ? K : never]: M[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

/** Loads a module into a page; `notices` gets what the page says on its console or throws where nobody catches it. */
export async function open<M>(browser: Browser, site: Site, module: string, notices: string[] = []): Promise<Remote<M> & { page: Page }> {
  const page = await browser.newPage();
  page.on('console', (message) => void notices.push(message.text()));
  page.on('pageerror', (error) => void notices.push(String(error)));
  await page.goto(site.origin);
  // As text, since vitest rewrites imports.
  await page.evaluate(`import('/${module}.js').then((module) => void Object.assign(globalThis, { module }))`);
  const call =
    (name: string) =>
    (...args: unknown[]) =>
      page.evaluate(
        ([name, args]) => (globalThis as unknown as { module: Record<string, (...args: unknown[]) => unknown> }).module[name]!(...args),
        [name, args] as const,
      );
  const remote = new Proxy({ page }, { get: (known, name: string) => (name in known ? page : name === 'then' ? undefined : call(name)) });
  return remote as unknown as Remote<M> & { page: Page };
}
