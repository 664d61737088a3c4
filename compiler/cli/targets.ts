// The devices and targets that a command line may name.
import { jsTarget, type Target, wasmTarget } from '../../runtime/target.ts';
import { wasmNumerics } from '../../runtime/wasm/features.ts';
import { defaultTarget, setDefaultDevice } from '../frontend/device.ts';
import { type Inspected, inspectedGraph } from '../inspect/index.ts';
import { type Invocation, UsageError } from './arguments.ts';

const names = ['js', 'wasm'] as const;

/** Lets the program run on the device of `--device`. */
export function chooseDevice({ options }: Invocation): void {
  const device = options.get('device');
  if (device !== undefined) setDefaultDevice(nameOf('device', device));
}

/** What was compiled, as it is; or compiled for the target of `--target`. */
export function retargeted({ options }: Invocation): (programs: readonly Inspected[]) => readonly Inspected[] {
  const wanted = options.get('target');
  if (wanted === undefined) return (programs) => programs;
  const name = nameOf('target', wanted);
  const current = defaultTarget();
  const target: Target = current.name === name ? current : name === 'js' ? jsTarget : wasmTarget(wasmNumerics());
  return (programs) => programs.map((p) => (p.target.name === name ? p : inspectedGraph(p.name, p.graph, target)));
}

function nameOf(option: string, value: string): (typeof names)[number] {
  const known = names.find((name) => name === value);
  if (known === undefined) throw new UsageError(`there is no ${option} '${value}'; use ${names.join(' or ')}`);
  return known;
}
