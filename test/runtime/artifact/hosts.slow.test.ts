// Built modules where nothing may be compiled from text: Node without code generation, an edge runtime, and pages under three policies.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Miniflare } from 'miniflare';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeArtifact } from '../../../compiler/build/artifact/write.ts';
import type { BuiltEntry } from '../../../compiler/build/model.ts';
import { load as loadProgram } from '../../../compiler/jit/executable.ts';
import { wasmNumerics } from '../../../runtime/wasm/features.ts';
import { bundled, classifier, imported, modelOf, noise, programs, removeFolders, trainer, weight } from '../../build/artifact/models.ts';
import { openBrowser } from '../../inspect/chromium.ts';
import { testDevice } from '../../webgpu/adapter.ts';

const image = noise(16);
/** What the JIT computes on each target. */
const expected = (target: 'js' | 'wasm'): number[] => {
  const model = classifier();
  const { program } = model.entries[0]!.variants[0]!.programs[target === 'wasm' && wasmNumerics() === 'madd' ? 'relaxed' : target]!;
  return [...loadProgram(program).run([image, ...model.weights.map((w) => w.data)], new Float64Array())[0]!].map(Number);
};

let folder: string;
beforeAll(async () => {
  folder = await bundled(writeArtifact(classifier(), { inlineBytes: 0 }), { minify: true });
});
afterAll(removeFolders);

test('Node that compiles no text runs them, and nothing happens on import', () => {
  const script = `
    const before = process._getActiveHandles().length;
    const { classify, load } = await import('./model.mjs');
    if (process._getActiveHandles().length !== before) throw new Error('something was started');
    const results = {};
    for (const target of ['js', 'wasm']) {
      await load({ target });
      results[target] = [...classify(Float32Array.from(${JSON.stringify([...image])})).probabilities];
    }
    console.log(JSON.stringify(results));`;
  writeFileSync(join(folder, 'node.mjs'), script);
  const output = execFileSync(process.execPath, ['--disallow-code-generation-from-strings', 'node.mjs'], { cwd: folder, encoding: 'utf8' });
  const results = JSON.parse(output) as Record<'js' | 'wasm', number[]>;
  expect(results.js).toEqual(expected('js'));
  expect(results.wasm).toEqual(expected('wasm'));
});

/** What a worker of an edge runtime answers, whose modules are those of a bundle and `main`. */
async function answerOf(edge: string, main: string): Promise<unknown> {
  const files = readdirSync(edge).filter((name) => /\.(mjs|wasm)$/.test(name));
  const miniflare = new Miniflare({
    cf: false,
    port: 0,
    modules: [
      { type: 'ESModule', path: 'main.mjs', contents: main },
      ...files.map((path) => ({
        type: path.endsWith('.wasm') ? ('CompiledWasm' as const) : ('ESModule' as const),
        path,
        contents: readFileSync(join(edge, path)),
      })),
    ],
    compatibilityDate: '2025-01-01',
  });
  try {
    await miniflare.ready;
    return await (await miniflare.dispatchFetch('http://localhost/')).json();
  } finally {
    await miniflare.dispose();
  }
}

test('an edge runtime runs the variant that imports its WebAssembly, keeps what training wrote, and says where weights lie out of reach', async () => {
  const bundle = async (inlineBytes: number): Promise<string> =>
    bundled(writeArtifact(trainer(3000), { inlineBytes }), { entry: 'model.workerd.js', minify: true, external: ['*.wasm'] });
  const main = `import { train, load, state } from './model.workerd.mjs';
    export default { async fetch() {
      try {
        const model = await load();
        const x = Float32Array.from({ length: 3000 }, (_, i) => i);
        train(x);
        const was = train(x);
        return Response.json({ target: model.target, was: [...was.slice(0, 4)], is: [...(await state()).get('w').data.slice(0, 4)] });
      } catch (error) { return Response.json(String(error)); }
    } };`;
  const w = noise(3000);
  const step = (value: number, x: number, rate: number): number =>
    Math.fround(value + Math.fround(Math.fround(x - value) * Math.fround(rate)));
  const once = [0, 1, 2, 3].map((i) => step(w[i]!, i, 0.5));
  expect(await answerOf(await bundle(65536), main)).toEqual({ target: 'wasm', was: once, is: once.map((v, i) => step(v, i, 0.25)) });
  expect(await answerOf(await bundle(0), main)).toMatch(
    /^DeviceError: load: the weights of model lie in a file .*; give them: load\(\{ weights \}\)/,
  );
});

test('WebGPU runs awaited calls, keeps what training wrote, and refuses those that cannot wait', async () => {
  const device = await testDevice();
  const { functions, target } = await (await imported(classifier({ names: ['js', 'webgpu'] }))).instantiate({ device, target: 'webgpu' });
  expect(target).toBe('webgpu');
  const { probabilities } = (await functions.classify!.async(image)) as { probabilities: Float32Array };
  expected('js').forEach((p, i) => {
    expect(probabilities[i]).toBeCloseTo(p, 5);
  });
  expect(() => functions.classify!(image)).toThrow(/webgpu cannot be waited for at once; await classify.async\(...\)/);
  const [text, ties] = [
    'graph @twice(%w: f32[4]) -> (%v: f32[4]) { %v: f32[4] = add(%w, %w) }',
    { inputs: [{ from: 'weight', key: 'w' }], slots: [], outputs: [{ to: 'weight', key: 'w' }] },
  ] as const;
  const twice = {
    ...(trainer(4).entries[1] as BuiltEntry),
    name: 'twice',
    result: { kind: 'static', value: undefined } as const,
    variants: [{ sizes: {}, programs: programs(text, ties, ['webgpu']) }],
  };
  const model = await (await imported(modelOf([twice], [weight('w', [4], Float32Array.of(1, 2, 3, 4), true)]))).instantiate({ device });
  await Promise.all([1, 2, 3].map(() => model.functions.twice!.async()));
  expect((await model.state()).get('w')!.data).toEqual(Float32Array.of(8, 16, 24, 32));
  device.destroy();
});

describe('a page', () => {
  let browser: Browser;
  let server: Server;
  let origin: string;
  beforeAll(async () => {
    const page = `<!doctype html><script type="module" src="/page.mjs"></script>`;
    const script = `import { classify, load } from './model.mjs';
      const told = [];
      try {
        const { target } = await load({ onProgress: (p) => told.push(p), ...(location.hash ? { target: location.hash.slice(1) } : {}) });
        const { probabilities } = classify(Float32Array.from(${JSON.stringify([...image])}));
        const worker = await new Promise((resolve, reject) => {
          const worker = new Worker('/worker.mjs', { type: 'module' });
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = reject;
        });
        document.title = JSON.stringify({ target, values: [...probabilities], worker, told: told.at(-1) });
      } catch (error) { document.title = JSON.stringify({ error: String(error) }); }`;
    const worker = `import { classify } from './model.mjs';
      const { probabilities } = await classify.async(Float32Array.from(${JSON.stringify([...image])}));
      postMessage([...probabilities]);`;
    const own: Readonly<Record<string, string>> = { '/page.mjs': script, '/worker.mjs': worker };
    server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
      const policy = searchParams.get('policy') ?? policies.get(request.headers.referer ?? '');
      if (pathname === '/favicon.ico') return void response.writeHead(204).end();
      const headers: Record<string, string> = {
        'content-type': pathname === '/' ? 'text/html' : pathname.endsWith('.mjs') ? 'text/javascript' : 'application/octet-stream',
      };
      if (policy !== undefined && policy !== null) headers['content-security-policy'] = policy;
      response.writeHead(200, headers).end(pathname === '/' ? page : (own[pathname] ?? readFileSync(join(folder, pathname))));
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    origin = `http://localhost:${(server.address() as AddressInfo).port}`;
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });
  const policies = new Map<string, string>();

  async function visited(policy: string, hash = ''): Promise<{ result: Record<string, unknown>; printed: string[] }> {
    const page = await browser.newPage();
    const printed: string[] = [];
    page.on('console', (message) => printed.push(message.text()));
    page.on('pageerror', (error) => printed.push(String(error)));
    try {
      await page.goto(`${origin}/?policy=${encodeURIComponent(policy)}${hash}`);
      await page.waitForFunction(() => document.title !== '');
      return { result: JSON.parse(await page.title()) as Record<string, unknown>, printed };
    } finally {
      await page.close();
    }
  }

  test('that allows WebAssembly runs it, in a worker too, and prints nothing', async () => {
    const { result, printed } = await visited("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'");
    expect(result).toMatchObject({
      target: 'wasm',
      values: expected('wasm'),
      worker: expected('wasm'),
      told: { loaded: 824, total: 824 },
    });
    expect(printed).toEqual([]);
  });

  test('that allows workers from blobs as well gives the same', async () => {
    const { result } = await visited("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:");
    expect(result).toMatchObject({ target: 'wasm', values: expected('wasm') });
  });

  test('that allows no WebAssembly runs the plain functions', async () => {
    const { result } = await visited("default-src 'self'");
    expect(result).toMatchObject({ target: 'js', values: expected('js') });
    const asked = await visited("default-src 'self'", '#wasm');
    expect(asked.result.error).toMatch(/DeviceError: load: this host has none of wasm; in a page, allow 'wasm-unsafe-eval'/);
  });
});
