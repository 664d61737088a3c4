// A WebGPU adapter for tests on any machine: Dawn in Node over SwiftShader, a software Vulkan that a Chromium package brings along.
import { constants } from 'node:os';
import { join } from 'node:path';
import { openMachine } from '../../runtime/webgpu/machine.ts';
import type { Machine } from '../../runtime/webgpu/state.ts';
import { chromiumFolder } from '../chromium-package.ts';

/** Keeps the library after `dlopen` said that it is no add-on of Node. */
const noDelete = 0x1000;

/** What `create` returns must stay reachable, or Dawn is torn down under its devices. */
const kept = globalThis as { dawn?: GPU };

async function dawn(): Promise<GPU> {
  if (kept.dawn !== undefined) return kept.dawn;
  const folder = await chromiumFolder();
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
