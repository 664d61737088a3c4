// A WebGPU adapter for tests on any machine: Dawn in Node over SwiftShader, a software Vulkan that a Chromium package brings along.
import { constants } from 'node:os';
import { join } from 'node:path';
import { init } from '../../compiler/frontend/device.ts';
import { findGpu } from '../../compiler/jit/gpu.ts';
import { hostRoutine } from '../../compiler/jit/routines.ts';
import { openDevice, openMachine } from '../../runtime/webgpu/machine.ts';
import type { Machine } from '../../runtime/webgpu/state.ts';
import { chromiumFolder } from '../chromium-package.ts';

/** Keeps the library after `dlopen` said that it is no add-on of Node. */
const noDelete = 0x1000;

/** Instances of Dawn of this process: one that was made before there was a Vulkan finds none, and must not be collected. */
const kept = globalThis as { fluxionDawn?: GPU; hasVulkan?: boolean; earlierDawn?: GPU };

/** Lets Dawn find the software Vulkan, if no other one is asked for. */
export async function provideVulkan(): Promise<void> {
  if (kept.hasVulkan) return;
  kept.hasVulkan = true;
  if (kept.fluxionDawn !== undefined) kept.earlierDawn = kept.fluxionDawn;
  delete kept.fluxionDawn;
  const folder = await chromiumFolder();
  process.env.VK_ICD_FILENAMES ??= join(folder, 'vk_swiftshader_icd.json');
  // For processes that are started from here.
  process.env.LD_LIBRARY_PATH ??= folder;
  try {
    process.dlopen({ exports: {} }, join(folder, 'libvulkan.so.1'), constants.dlopen.RTLD_NOW | noDelete);
  } catch {
    // It always says so.
  }
}

/** Another device. */
export async function testDevice(): Promise<GPUDevice> {
  await provideVulkan();
  return openDevice(await findGpu());
}

/** A fresh device with nothing on it. */
export async function testMachine(): Promise<Machine> {
  await provideVulkan();
  return openMachine(await findGpu(), hostRoutine);
}

/** Makes `webgpu` a device that tensors can be moved to. */
export async function initWebGpu(): Promise<void> {
  await provideVulkan();
  await init('webgpu');
}
