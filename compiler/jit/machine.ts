// The memory and the threads of WebAssembly in this process; both are had at first use.
import { ArgumentError } from '../../runtime/errors.ts';
import { type Machine, makeMachine } from '../../runtime/wasm/execute.ts';
import { openMemory } from '../../runtime/wasm/memory.ts';
import { reserve } from '../../runtime/wasm/residency.ts';
import { availableParallelism, makeThreads, poolFor, setThreads, settled } from '../../runtime/wasm/threads.ts';
import { environment } from './environment.ts';
import { routineOver } from './routines.ts';

let machine: Machine | undefined;
let threads: number | undefined;

export function wasmMachine(): Machine {
  machine ??= makeMachine(openMemory(), routineOver, makeThreads(threadCount()));
  return machine;
}

/**
 * Starts the threads of a page and waits until they are of use: they begin only while their starter yields, which a loop of steps may never
 * do. Those of Node begin whatever their starter does, when they are first needed.
 */
export async function startThreads(): Promise<void> {
  if (globalThis.process?.getBuiltinModule !== undefined) return;
  const { threads, residency } = wasmMachine();
  poolFor(threads, residency.linear, (bytes) => reserve(residency, bytes, 'threads').address);
  await settled(threads);
}

/** As set, else as FLUXION_NUM_THREADS says, else one for each processor. */
export function threadCount(): number {
  const [wanted] = environment('FLUXION_NUM_THREADS');
  threads ??= wanted === undefined ? Math.min(availableParallelism(), most) : checked('FLUXION_NUM_THREADS', Number(wanted));
  return threads;
}

/** `op` names who asks. Throws ArgumentError for what is no positive integer. */
export function setThreadCount(op: string, count: number): void {
  threads = checked(op, count);
  if (machine !== undefined) setThreads(machine.threads, threads);
}

const most = 256;
function checked(op: string, count: number): number {
  if (Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw new ArgumentError(`${String(count)} is no number of threads`, { op, fix: `use 1 to ${most}` });
}
