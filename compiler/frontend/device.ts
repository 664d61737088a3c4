// The device that records are compiled for and run on.
import type { Place } from '../../runtime/buffer.ts';
import { ArgumentError, DeviceError } from '../../runtime/errors.ts';
import { jsTarget, type Target, wasmTarget, webgpuTarget } from '../../runtime/target.ts';
import { hasWasm, wasmNumerics } from '../../runtime/wasm/features.ts';
import { environment } from '../jit/environment.ts';
import { isWebGpuOpen, openWebGpu, webgpuMachine } from '../jit/gpu.ts';
import { setThreadCount, startThreads, threadCount } from '../jit/machine.ts';
import { machineTile } from '../jit/tile.ts';

const deviceNames = ['js', 'wasm', 'webgpu'] as const;
/**
 * `js`: plain JavaScript, the reference. `wasm`: WebAssembly with vectors. Both are the CPU, and take each other's tensors. `webgpu`: a GPU,
 * which is there after `await init('webgpu')`.
 */
export type DeviceName = (typeof deviceNames)[number];

/** Targets are compared by identity, so each is made once. */
const targets: Record<DeviceName, Target | undefined> = { js: jsTarget, wasm: undefined, webgpu: webgpuTarget };
let current: DeviceName | undefined;

export type InitOptions = {
  /** A device of your own, for `webgpu`: tensors and your own passes then share its buffers. */
  readonly device?: GPUDevice;
};

/**
 * Makes a device ready that has to be waited for; without a name the one that FLUXION_DEVICE names. The CPU always is, but in a page its
 * threads begin only while the program waits: after `init('wasm')` they are there. Throws DeviceError where there is no such device.
 */
export async function init(name: DeviceName = namedByEnvironment() ?? 'wasm', options: InitOptions = {}): Promise<void> {
  demandName('init', name);
  if (name === 'webgpu') await openWebGpu(options.device);
  if (name === 'wasm' && hasWasm()) await startThreads();
}

/** Where what is recorded from now on will run. Throws DeviceError if it is not there, ArgumentError for an unknown name. */
export function setDefaultDevice(name: DeviceName): void {
  current = checked('setDefaultDevice', name);
}

/** The device that was set, else the one that FLUXION_DEVICE names, else `wasm`, and `js` where no WebAssembly may be compiled. */
export function getDefaultDevice(): DeviceName {
  current ??= checked('FLUXION_DEVICE', namedByEnvironment() ?? (hasWasm() ? 'wasm' : 'js'));
  return current;
}

const namedByEnvironment = (): DeviceName | undefined => environment('FLUXION_DEVICE')[0] as DeviceName | undefined;

function demandName(op: string, name: string): DeviceName {
  const known = deviceNames.find((n) => n === name);
  if (known === undefined) throw new ArgumentError(`there is no device '${name}'`, { op, fix: `use ${deviceNames.join(' or ')}` });
  return known;
}

function checked(op: string, name: string): DeviceName {
  const known = demandName(op, name);
  if (known === 'webgpu' && !isWebGpuOpen())
    throw new DeviceError('the device webgpu is not open yet: finding an adapter takes a wait', {
      op,
      fix: "call await init('webgpu') first",
    });
  if (known === 'wasm' && !hasWasm())
    throw new DeviceError('this engine has no WebAssembly with vectors, or a policy forbids to compile any', {
      op,
      fix: "use the device 'js', or allow 'wasm-unsafe-eval' in the content security policy",
    });
  return known;
}

/** The target that graphs are compiled for. */
export const defaultTarget = (): Target => targetOf(placeNow());

/** Where new tensors belong, unless an op says otherwise. */
export const placeNow = (): Place => placeOverride ?? (getDefaultDevice() === 'webgpu' ? 'webgpu' : 'cpu');
let placeOverride: Place | undefined;

/** Runs `f` with new tensors belonging to `place`: beside those that they will meet. */
export function at<T>(place: Place, f: () => T): T {
  const before = placeOverride;
  placeOverride = place;
  try {
    return f();
  } finally {
    placeOverride = before;
  }
}

/** The target that graphs over tensors of a place are compiled for: with a GPU as the default, WebAssembly is what the CPU has. */
export function targetOf(place: Place): Target {
  const chosen = getDefaultDevice();
  const name = place === 'webgpu' ? place : chosen === 'webgpu' ? (hasWasm() ? 'wasm' : 'js') : chosen;
  if (name === 'webgpu') webgpuMachine();
  targets[name] ??= wasmHere();
  return targets[name];
}

/** The place that a name of a device, or `cpu`, stands for, if it is one. Throws DeviceError for one that is not open. */
export function placeNamed(op: string, name: string): Place | undefined {
  if (name === 'cpu' || name === 'js' || name === 'wasm') return 'cpu';
  if (name !== 'webgpu') return undefined;
  checked(op, name);
  return name;
}

/** Asked for once per process: what fits the engine and the processor. */
function wasmHere(): Target {
  const numerics = wasmNumerics();
  return wasmTarget(numerics, machineTile(numerics));
}

/**
 * How many threads share the work of a large kernel on `wasm`; results do not depend on it. The default is FLUXION_NUM_THREADS, else one for
 * each processor. As `torch.set_num_threads`. Throws ArgumentError for what is no positive integer.
 */
export const setNumThreads = (count: number): void => setThreadCount('setNumThreads', count);

/** How many threads may share the work of a kernel. */
export const getNumThreads = (): number => threadCount();
