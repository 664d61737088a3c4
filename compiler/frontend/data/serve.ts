// The worker of a bundled program: bundlers move and rename modules, so it is started by the user and says itself what it has.
import { ArgumentError, KeyError } from '../../../runtime/errors.ts';
import type { Address, ToWorker } from './message.ts';
import { becomeWorker } from './thread.ts';
import { type Port, serve } from './worker.ts';

/**
 * Makes this worker one that loads data: for the option `worker` of a DataLoader. The whole module of such a worker is
 *
 *     import * as digits from './digits.ts';
 *     data.serveDatasets(digits);
 *
 * `functions` has what was made by `workerDataset` and `workerFunction`, by the names that were given there.
 */
export function serveDatasets(functions: Readonly<Record<string, unknown>>): void {
  const port = portHere();
  if (port === undefined)
    throw new ArgumentError('this is no worker', { op: 'serveDatasets', fix: 'call it in the module that a Worker is made of' });
  becomeWorker();
  const inbox: ToWorker[] = [];
  port.onmessage = ({ data }) => {
    if (inbox.push(data) === 1) void serve(port, inbox, find);
  };
  async function find({ export: name }: Address): Promise<unknown> {
    if (!Object.hasOwn(functions, name))
      throw new KeyError(`this worker has no '${name}'`, { op: 'serveDatasets', fix: `it has ${Object.keys(functions).join(', ')}` });
    return functions[name];
  }
}

type Scope = Port & { close(): void };

/** The line to the loader; of a Web Worker it also says that the worker closed itself, of which there is no event. */
function portHere(): Port | undefined {
  const node = (globalThis as { process?: Partial<NodeJS.Process> }).process?.getBuiltinModule?.('node:worker_threads');
  if (node !== undefined) return (node.parentPort as Port | null) ?? undefined;
  if (typeof (globalThis as { WorkerGlobalScope?: unknown }).WorkerGlobalScope !== 'function') return undefined;
  const scope = globalThis as unknown as Scope;
  const end = scope.close.bind(scope);
  scope.close = () => {
    scope.postMessage({ kind: 'exit' });
    end();
  };
  return scope;
}
