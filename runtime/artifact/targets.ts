// The targets of a built module: what each needs of the host, and how its Programs become ready to run.
import { DeviceError, FluxionError, ProgramError } from '../errors.ts';
import { bytesOfBase64, type Executable, fail } from '../executable.ts';
import { bind, type KernelFunction } from '../execute.ts';
import type { Program } from '../program.ts';
import { bindWasm, type Machine, type ModuleCode, makeMachine as makeWasmMachine } from '../wasm/execute.ts';
import { hasWasm, wasmNumerics } from '../wasm/features.ts';
import { canShare, maximumPages, openMemory } from '../wasm/memory.ts';
import { type OverArrays, routinesOver } from '../wasm/routines.ts';
import { artifactVersion, type PackedProgram, type TargetData, unpackProgram, type Variant } from './description.ts';
import { hashBytes, hashData } from './hash.ts';
import { type Sharing, sharingOf } from './sharing.ts';

export type TargetName = 'webgpu' | 'wasm' | 'js';
/** `threads`: how many may share a step on wasm. `device`: a WebGPU device of the page's own. */
export type TargetOptions = { readonly threads?: number | undefined; readonly device?: GPUDevice | undefined };

/** Data of a target with its variants ready to run, in the same order. */
export type Opened = { readonly target: TargetName; readonly isSync: boolean; readonly entries: readonly (readonly Bound[])[] };
export type Bound = Variant & { readonly executable: Executable; readonly sharing: Sharing };

/** Loads and binds; undefined where the host does not have the target. */
export type Target = { readonly name: TargetName; readonly open: (options: TargetOptions) => Promise<Opened | undefined> };

type Binder = (program: Program, index: number) => Executable | Promise<Executable>;

async function boundBy(target: TargetName, data: TargetData, binder: Binder): Promise<Opened> {
  const { version, hash, entries } = data;
  const refuse = (what: string, cause?: unknown): ProgramError =>
    new ProgramError(what, { op: 'load', fix: 'build the model again with this version', cause });
  if (version !== artifactVersion)
    throw refuse(`the module is of version ${String(version)}, this runtime reads version ${artifactVersion}`);
  if (hash !== hashData(data)) throw refuse(`the programs for ${target} do not have the hash that stands beside them`);
  let index = 0;
  try {
    const boundVariant = async (variant: Variant): Promise<Bound> => {
      const executable = await binder(unpackProgram(variant.program), index++);
      return { ...variant, executable, sharing: sharingOf(executable.program, variant.inputs, variant.outputs) };
    };
    const bound = entries.map((variants) => Promise.all(variants.map(boundVariant)));
    return { target, isSync: target !== 'webgpu', entries: await Promise.all(bound) };
  } catch (cause) {
    throw cause instanceof FluxionError ? cause : refuse(`the programs for ${target} are damaged: ${String(cause)}`, cause);
  }
}

/** For each Program, in order, the functions of its kernels. */
export type JsCode = { readonly data: TargetData; readonly kernels: readonly (readonly KernelFunction[])[] };

/** Plain functions that came with the module: for hosts that forbid everything else. */
export const js = (code: () => Promise<JsCode>): Target => ({
  name: 'js',
  open: async () => {
    const { data, kernels } = await code();
    return boundBy('js', data, (program, i) => bind(program, kernels[i] ?? []));
  },
});

/** For each Program, in order, its module in base64; and the routines of the library that they call. */
export type WasmCode = {
  readonly data: TargetData;
  readonly modules: readonly string[];
  readonly routines?: RoutinesCode;
};
export type RoutinesCode = (fail: (...args: never[]) => never) => { readonly [name: string]: OverArrays };

/** WebAssembly; `relaxed`, if it is there, is for engines that fuse multiplications with additions. */
export const wasm = (code: () => Promise<WasmCode>, relaxed?: () => Promise<WasmCode>): Target => ({
  name: 'wasm',
  open: async ({ threads }) => {
    if (!hasWasm()) return undefined;
    const { data, modules, routines } = await (relaxed !== undefined && wasmNumerics() === 'madd' ? relaxed : code)();
    const isShared = threads !== 1 && canShare();
    const machine = await machineFor(isShared, routines, threads);
    return boundBy('wasm', data, async (program, i) => {
      const bytes = bytesOfBase64(modules[i] ?? '');
      const module = program.module as PackedProgram['module'];
      if (module?.hash !== hashBytes(bytes))
        throw new ProgramError(`the WebAssembly of ${program.name} does not have the hash that stands beside it`, { op: 'load' });
      if (isShared) bytes[module.memoryFlagAt]! |= 2;
      return bindWasm(program, machine, undefined, undefined, { bytes, module: await compiled(program, bytes) });
    });
  },
});

async function compiled(program: Program, bytes: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new ProgramError(`the WebAssembly of ${program.name} is refused: ${String(cause)}`, { op: 'load', cause });
  }
}

/** WebAssembly that the host compiled when it loaded the module, on one thread: edge runtimes allow nothing else. */
export const edge = (data: TargetData, modules: readonly WebAssembly.Module[], routines?: RoutinesCode): Target => ({
  name: 'wasm',
  open: async () => {
    const machine = await machineFor(false, routines, 1);
    return boundBy('wasm', data, (program, i) => {
      const module = modules[i];
      if (module === undefined) throw new ProgramError(`${program.name} has no module`, { op: 'load' });
      return bindWasm(program, machine, undefined, undefined, { module } satisfies ModuleCode);
    });
  },
});

/** What all built modules of a process run in: one memory that threads share, and one that they do not. */
const machines: { [S in 'shared' | 'own']?: Machine } = {};
const known = new Map<string, OverArrays>();
const learn = (code: RoutinesCode | undefined): void => {
  for (const [name, routine] of Object.entries(code?.(fail as never) ?? {})) known.set(name, routine);
};

async function machineFor(isShared: boolean, code: RoutinesCode | undefined, wanted: number | undefined): Promise<Machine> {
  learn(code);
  const key = isShared ? 'shared' : 'own';
  const threads = isShared ? await import('../wasm/threads.ts') : undefined;
  // Nothing is printed: one thread computes the same.
  machines[key] ??= makeWasmMachine(
    openMemory(maximumPages, isShared),
    routinesOver((name) => known.get(name)),
    threads?.makeThreads(1, () => {}),
  );
  const machine = machines[key];
  threads?.setThreads(machine.threads, wanted ?? Math.min(threads.availableParallelism(), 256));
  return machine;
}

export type WebGpuCode = { readonly data: TargetData; readonly routines?: RoutinesCode };

/** WebGPU. What runs it is loaded only where there is an adapter. */
export const webgpu = (code: () => Promise<WebGpuCode>): Target => ({
  name: 'webgpu',
  open: async ({ device }) => {
    const gpu = globalThis.navigator?.gpu;
    if (device === undefined && (await gpu?.requestAdapter()) == null) return undefined;
    const [{ makeMachine, openMachine }, { bindWebGpu }, { data, routines }] = await Promise.all([
      import('../webgpu/machine.ts'),
      import('../webgpu/execute.ts'),
      code(),
    ]);
    learn(routines);
    const routineOf = (name: string): OverArrays | undefined => known.get(name);
    const machine = device === undefined ? await openMachine(gpu, routineOf) : makeMachine(device, routineOf);
    return boundBy('webgpu', data, (program) => bindWebGpu(program, machine));
  },
});

/** The first of the targets that the host has, or the one that is asked for. */
export async function openTarget(
  name: string,
  targets: readonly Target[],
  wanted: TargetName | undefined,
  options: TargetOptions,
): Promise<Opened> {
  const candidates = wanted === undefined ? targets : targets.filter((target) => target.name === wanted);
  if (candidates.length === 0)
    throw new DeviceError(`${name} was not built for ${String(wanted)}`, {
      op: 'load',
      fix: `it has ${targets.map((t) => t.name).join(', ')}`,
    });
  for (const target of candidates) {
    const opened = await target.open(options);
    if (opened !== undefined) return opened;
  }
  throw new DeviceError(`this host has none of ${candidates.map((t) => t.name).join(', ')}`, {
    op: 'load',
    fix: "in a page, allow 'wasm-unsafe-eval' in the content security policy, or build the model for js as well",
  });
}
