// What this process has of what Fluxion can use, found by trying, and how to get what is missing.

import { copy, hostBuffer } from '../../runtime/buffer.ts';
import { jsTarget, wasmTarget, webgpuTarget } from '../../runtime/target.ts';
import { hasWasm, wasmNumerics } from '../../runtime/wasm/features.ts';
import { availableParallelism } from '../../runtime/wasm/threads.ts';
import { bindWebGpu } from '../../runtime/webgpu/execute.ts';
import { openMachine } from '../../runtime/webgpu/machine.ts';
import { getDefaultDevice } from '../frontend/device.ts';
import { parse } from '../ir/parse.ts';
import { environment } from '../jit/environment.ts';
import { load } from '../jit/executable.ts';
import { findGpu } from '../jit/gpu.ts';
import { threadCount } from '../jit/machine.ts';
import { cacheFolder, listEntries } from '../jit/store.ts';
import { compileGraph } from '../lower/compile.ts';
import type { Platform } from './platform.ts';

export type Finding = {
  readonly what: string;
  /** `missing` costs speed or a device, `broken` makes a device useless. */
  readonly state: 'ok' | 'missing' | 'broken';
  readonly detail: string;
  /** The way out. */
  readonly fix?: string;
};

/** Everything that is there or missing, in the order in which one would look for it. */
export async function examine(): Promise<readonly Finding[]> {
  return [engine(), device('js'), ...wasm(), ...threads(), ...(await webgpu()), cache()];
}

const ok = (what: string, detail: string): Finding => ({ what, state: 'ok', detail });

function engine(): Finding {
  const { process, navigator } = globalThis as { process?: Platform; navigator?: { userAgent?: string } };
  if (process?.versions?.node === undefined) return ok('engine', navigator?.userAgent ?? 'unknown');
  const { node, v8 } = process.versions;
  const detail = `Node ${node}, V8 ${v8}, ${process.platform} ${process.arch}`;
  return Number(node.split('.')[0]) >= 20 ? ok('engine', detail) : { what: 'engine', state: 'broken', detail, fix: 'use Node 20 or later' };
}

const probe = `graph @probe(%x: f32[16,16]) -> (%s: f32[]) {
  %y: f32[16,16] = dot(%x, %x) {batch: []x[], contract: [1]x[0]}
  %s: f32[] = sum(%y) {axes: [0,1]}
}`;

/** The default, which an environment may name before it is open. */
const defaultName = (): string => environment('FLUXION_DEVICE')[0] ?? getDefaultDevice();

/** Whether a small Program gives the right number. */
function device(name: 'js' | 'wasm'): Finding {
  const isDefault = defaultName() === name ? ', the default' : `; FLUXION_DEVICE=${name} or setDefaultDevice('${name}') chooses it`;
  try {
    const target = name === 'js' ? jsTarget : wasmTarget(wasmNumerics());
    const [sum] = load(compileGraph(parse(probe), target)).run([new Float32Array(256).fill(1)], new Float64Array(0));
    if (sum?.[0] === 16 ** 3) return ok(`device ${name}`, `computes${isDefault}`);
    return { what: `device ${name}`, state: 'broken', detail: `a probe gave ${sum?.[0]} instead of ${16 ** 3}`, fix: 'report this' };
  } catch (error) {
    return { what: `device ${name}`, state: 'broken', detail: error instanceof Error ? error.message : String(error) };
  }
}

function wasm(): Finding[] {
  if (!hasWasm())
    return [
      {
        what: 'device wasm',
        state: 'missing',
        detail: 'no WebAssembly with vectors, or a policy forbids to compile any',
        fix: "allow 'wasm-unsafe-eval' in the content security policy, or use a newer engine",
      },
    ];
  const numerics = wasmNumerics();
  const relaxed: Finding =
    numerics === 'madd'
      ? ok('relaxed SIMD', 'multiply and add round once (numerics class madd)')
      : {
          what: 'relaxed SIMD',
          state: 'missing',
          detail: 'multiply and add round twice (numerics class mul+add)',
          fix: 'use Node 20 or later on a processor with fused multiply-add',
        };
  return [device('wasm'), ok('SIMD', '128-bit vectors'), relaxed];
}

function threads(): Finding[] {
  const shared: Finding =
    typeof SharedArrayBuffer === 'undefined'
      ? {
          what: 'SharedArrayBuffer',
          state: 'missing',
          detail: 'wasm runs on one thread',
          fix: 'send the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp',
        }
      : ok('SharedArrayBuffer', 'there, so wasm may use threads');
  const [wanted] = environment('FLUXION_NUM_THREADS');
  const why =
    wanted === undefined
      ? `of ${availableParallelism()} processors`
      : `as FLUXION_NUM_THREADS says, of ${availableParallelism()} processors`;
  return [shared, ok('threads', `${threadCount()} ${why}`)];
}

/** In Node through the optional package `webgpu`. */
async function webgpu(): Promise<readonly Finding[]> {
  const what = 'WebGPU adapter';
  try {
    const gpu = await findGpu();
    if (gpu === undefined)
      return [{ what, state: 'missing', detail: "the package 'webgpu' is not installed", fix: 'npm install webgpu (134 MB)' }];
    const adapter = await gpu.requestAdapter();
    if (adapter === null)
      return [{ what, state: 'missing', detail: 'no adapter is found', fix: 'install a Vulkan, Metal or Direct3D driver' }];
    const { info, limits, features } = adapter;
    const parts = [[info?.vendor, info?.architecture].filter(Boolean).join(' ') || 'there'];
    if (limits !== undefined)
      parts.push(`${limits.maxStorageBuffersPerShaderStage} buffers per stage of ${limits.maxStorageBufferBindingSize >> 20} MiB`);
    if (features?.has('timestamp-query')) parts.push('timestamps');
    return [ok(what, parts.join(', ')), await gpuDevice(gpu)];
  } catch (error) {
    return [{ what, state: 'missing', detail: `cannot be asked for: ${error instanceof Error ? error.message : String(error)}` }];
  }
}

/** Whether a small Program gives the right number on a device of its own. */
async function gpuDevice(gpu: GPU): Promise<Finding> {
  const what = 'device webgpu';
  try {
    const machine = await openMachine(gpu);
    const [sum] = bindWebGpu(compileGraph(parse(probe), webgpuTarget), machine).execute(
      [hostBuffer('f32', new Float32Array(256).fill(1), 'webgpu')],
      new Float64Array(0),
    );
    const [value] = await copy(sum!);
    machine.device.destroy();
    if (value !== 16 ** 3) return { what, state: 'broken', detail: `a probe gave ${value} instead of ${16 ** 3}`, fix: 'report this' };
    const isDefault = defaultName() === 'webgpu' ? ', the default' : '';
    return ok(what, `computes${isDefault}; await init('webgpu') opens it`);
  } catch (error) {
    return { what, state: 'broken', detail: error instanceof Error ? error.message : String(error), fix: 'update the driver' };
  }
}

function cache(): Finding {
  const folder = cacheFolder();
  const what = 'cache';
  if (folder === undefined)
    return {
      what,
      state: 'missing',
      detail: 'compiled Programs are kept in memory only',
      fix: 'FLUXION_CACHE names a folder for later processes',
    };
  const entries = listEntries();
  const bytes = entries.reduce((sum, e) => sum + e.bytes, 0);
  return ok(what, `${entries.length} entries, ${(bytes / 1e6).toFixed(1)} MB in ${folder}`);
}
