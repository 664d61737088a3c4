// A headless Chromium from npm alone, unpacked once into node_modules/.cache.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';

const cache = fileURLToPath(new URL('../../node_modules/.cache/chromium', import.meta.url));

/** Unpacks into a folder of this process, which is then given its name, so that no other sees half of it. */
async function executable(): Promise<string> {
  const known = join(cache, 'chromium');
  if (existsSync(known)) return known;
  mkdirSync(join(cache, '..'), { recursive: true });
  const own = mkdtempSync(`${cache}-`);
  const { TMPDIR } = process.env;
  process.env.TMPDIR = own;
  let unpacked: string;
  try {
    const { default: packed } = await import('@sparticuz/chromium');
    unpacked = await packed.executablePath();
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
  try {
    renameSync(own, cache);
  } catch {
    rmSync(own, { recursive: true, force: true }); // Another process was first.
  }
  return join(cache, basename(unpacked));
}

const flags = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--no-first-run'];

export const openBrowser = async (): Promise<Browser> =>
  chromium.launch({ executablePath: await executable(), args: flags, headless: true });
