// The devices and targets that a command line may name.
import { jsTarget, type Target, wasmTarget, webgpuTarget } from '../../runtime/target.ts';
import { wasmNumerics } from '../../runtime/wasm/features.ts';
import { defaultTarget, init, setDefaultDevice } from '../frontend/device.ts';
import { type Inspected, inspectedGraph } from '../inspect/index.ts';
import { type Invocation, UsageError } from './arguments.ts';

const names = ['js', 'wasm', 'webgpu'] as const;

/** Lets the program run on the device of `--device`. */
export async function chooseDevice({ options }: Invocation): Promise<void> {
  const device = options.get('device');
  if (device === undefined) return init();
  const name = nameOf('device', device);
  await init(name);
  setDefaultDevice(name);
}

/** What was compiled, as it is; or compiled for the target of `--target`. */
export function retargeted({ options }: Invocation): (programs: readonly Inspected[]) => readonly Inspected[] {
  const wanted = options.get('target');
  if (wanted === undefined) return (programs) => programs;
  const name = nameOf('target', wanted);
  const current = defaultTarget();
  const targets = { js: () => jsTarget, wasm: () => wasmTarget(wasmNumerics()), webgpu: () => webgpuTarget };
  const target: Target = current.name === name ? current : targets[name]();
  return (programs) => programs.map((p) => (p.target.name === name ? p : inspectedGraph(p.name, p.graph, target, p.sizes)));
}

function nameOf(option: string, value: string): (typeof names)[number] {
  const known = names.find((name) => name === value);
  if (known === undefined) throw new UsageError(`there is no ${option} '${value}'; use ${names.join(' or ')}`);
  return known;
}
