// The conformance suite in a real browser: one page runs all ops on each target; each op is a test here.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compiledOps, type Verdict } from '../conformance/suite.ts';
import { bundle, launch, open, type Remote, type Site, serve } from './page.ts';
import type * as Page from './pages/conformance.ts';

let browser: Browser;
let site: Site;
let page: Remote<typeof Page>;
const notices: string[] = [];

beforeAll(async () => {
  [browser, site] = await Promise.all([launch(), bundle('test/browser/pages/conformance.ts').then(serve)]);
  page = await open<typeof Page>(browser, site, 'conformance', notices);
});
afterAll(async () => {
  await browser.close();
  await site.close();
});

test('this engine fuses multiplication and addition', async () => {
  expect(await page.numerics()).toBe('madd');
});

describe.each<Page.TargetName>(['js', 'mul+add', 'madd', 'webgpu'])('on %s', (target) => {
  let told: Record<string, Verdict>;
  beforeAll(async () => {
    told = await page.conformance(target);
  }, 120_000);
  test.each(compiledOps)('%s agrees with its meaning', (op) => {
    const { samples, wrong } = told[op]!;
    expect(samples).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });
});

test('nothing was said on the console', () => {
  expect(notices).toEqual([]);
});
