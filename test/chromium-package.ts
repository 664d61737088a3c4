// The Chromium that npm brings, with its software Vulkan: unpacked once into node_modules/.cache, for the browser and for WebGPU in Node.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../node_modules/.cache/chromium', import.meta.url));

/** The folder of its files. Unpacked into a folder of this process, which is then given its name, so that no other sees half of it. */
export async function chromiumFolder(): Promise<string> {
  if (existsSync(cache)) return cache;
  mkdirSync(join(cache, '..'), { recursive: true });
  const own = mkdtempSync(`${cache}-`);
  const { TMPDIR } = process.env;
  process.env.TMPDIR = own;
  try {
    const { default: chromium } = await import('@sparticuz/chromium');
    await chromium.executablePath();
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
  try {
    renameSync(own, cache);
  } catch {
    rmSync(own, { recursive: true, force: true }); // Another process was first.
  }
  return cache;
}
