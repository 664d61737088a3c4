// The device that records are compiled for and run on.
import { ArgumentError, DeviceError } from '../../runtime/errors.ts';
import { jsTarget, type Target, wasmTarget } from '../../runtime/target.ts';
import { hasWasm, wasmNumerics } from '../../runtime/wasm/features.ts';
import { environment } from '../jit/environment.ts';
import { setThreadCount, threadCount } from '../jit/machine.ts';
import { machineTile } from '../jit/tile.ts';

const deviceNames = ['js', 'wasm'] as const;
/** `js`: plain JavaScript, the reference. `wasm`: WebAssembly with vectors. Both are the CPU, and take each other's tensors. */
export type DeviceName = (typeof deviceNames)[number];

/** Targets are compared by identity, so each is made once. */
const targets: Record<DeviceName, Target | undefined> = { js: jsTarget, wasm: undefined };
let current: DeviceName | undefined;

/** Where what is recorded from now on will run. Throws DeviceError if it is not there, ArgumentError for an unknown name. */
export function setDefaultDevice(name: DeviceName): void {
  current = checked('setDefaultDevice', name);
}

/** The device that was set, else the one that FLUXION_DEVICE names, else `wasm`, and `js` where no WebAssembly may be compiled. */
export function getDefaultDevice(): DeviceName {
  current ??= checked('FLUXION_DEVICE', environment('FLUXION_DEVICE')[0] ?? (hasWasm() ? 'wasm' : 'js'));
  return current;
}

function checked(op: string, name: string): DeviceName {
  const known = deviceNames.find((n) => n === name);
  if (known === undefined) throw new ArgumentError(`there is no device '${name}'`, { op, fix: `use ${deviceNames.join(' or ')}` });
  if (known === 'wasm' && !hasWasm())
    throw new DeviceError('this engine has no WebAssembly with vectors, or a policy forbids to compile any', {
      op,
      fix: "use the device 'js', or allow 'wasm-unsafe-eval' in the content security policy",
    });
  return known;
}

/** The target that graphs are compiled for. */
export function defaultTarget(): Target {
  const name = getDefaultDevice();
  targets[name] ??= wasmHere();
  return targets[name];
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
