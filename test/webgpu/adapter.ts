// A WebGPU adapter for tests on any machine: Dawn in Node over SwiftShader, a software Vulkan that a Chromium package brings along.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openMachine } from '../../runtime/webgpu/machine.ts';
import type { Machine } from '../../runtime/webgpu/state.ts';

const cache = fileURLToPath(new URL('../../node_modules/.cache/swiftshader', import.meta.url));

/** Unpacks the drivers once: into a folder of this process, which is then given its name, so that no other sees half of it. */
async function driverFolder(): Promise<string> {
  const icd = join(cache, 'vk_swiftshader_icd.json');
  if (existsSync(icd)) return cache;
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

/** Keeps the library after `dlopen` said that it is no add-on of Node. */
const noDelete = 0x1000;

/** What `create` returns must stay reachable, or Dawn is torn down under its devices. */
const kept = globalThis as { dawn?: GPU };

async function dawn(): Promise<GPU> {
  if (kept.dawn !== undefined) return kept.dawn;
  const folder = await driverFolder();
  process.env.VK_ICD_FILENAMES ??= join(folder, 'vk_swiftshader_icd.json');
  try {
    process.dlopen({ exports: {} }, join(folder, 'libvulkan.so.1'), constants.dlopen.RTLD_NOW | noDelete);
  } catch {
    // It always says so.
  }
  const { create } = await import('webgpu');
  kept.dawn = create([]) as GPU;
  return kept.dawn;
}

/** A fresh device with nothing on it. */
export const testMachine = async (): Promise<Machine> => openMachine(await dawn());
