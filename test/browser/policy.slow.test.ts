// Content security policies: what is allowed is used, and what is not is refused with the directive that would allow it.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle, launch, open, type Site, serve } from './page.ts';
import type * as Page from './pages/policy.ts';

let browser: Browser;
let files: ReadonlyMap<string, Uint8Array>;
beforeAll(async () => {
  [browser, files] = await Promise.all([launch(), bundle('test/browser/pages/policy.ts')]);
});
afterAll(() => browser.close());

/** What a page under the policy tells, asked in turn. */
async function under(policy: string, ...devices: Parameters<typeof Page.sum>[0][]): Promise<unknown[]> {
  const site: Site = await serve(files, { 'Content-Security-Policy': policy });
  try {
    const { sum } = await open<typeof Page>(browser, site, 'policy');
    const told: unknown[] = [];
    for (const device of devices) told.push(await sum(device));
    return told;
  } finally {
    await site.close();
  }
}

test('wasm-unsafe-eval is enough for the default device', async () => {
  expect(await under("script-src 'self' 'wasm-unsafe-eval'", undefined, 'js')).toEqual([
    { device: 'wasm', sum: 12 },
    expect.stringContaining("'unsafe-eval' in the content security policy"),
  ]);
});

test('unsafe-eval allows both', async () => {
  expect(await under("script-src 'self' 'unsafe-eval'", undefined, 'js')).toEqual([
    { device: 'wasm', sum: 12 },
    { device: 'js', sum: 12 },
  ]);
});

test('a policy that allows neither is told what to allow, or to build ahead of time', async () => {
  expect(await under("script-src 'self'", undefined, 'wasm')).toEqual([
    expect.stringMatching(/build ahead of time with 'fluxion build'.*'unsafe-eval' in the content security policy/),
    expect.stringContaining("'wasm-unsafe-eval' in the content security policy"),
  ]);
});
