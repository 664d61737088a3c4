// A thread that runs a data worker: a worker thread of Node, or a Web Worker. Its code is a string that imports the user's module.
import { ArgumentError, WorkerError } from '../../../runtime/errors.ts';
import type { FromWorker, ToWorker } from './message.ts';

export type Thread = {
  post(message: ToWorker, transfer?: readonly ArrayBuffer[]): void;
  /** Whether the thread keeps the process from ending. */
  hold(on: boolean): void;
  /** Ends the thread, whatever it is doing. */
  stop(): Promise<void>;
};

export type Listener = {
  message(message: FromWorker): void;
  /** The thread ended by itself. May be told more than once. */
  died(how: string, cause?: unknown): void;
};

/** Set in data workers before anything of the user's runs. */
const mark = Symbol.for('fluxion.data.worker');
export const insideWorker = (): boolean => (globalThis as { [mark]?: true })[mark] === true;
export const becomeWorker = (): void => void Object.assign(globalThis, { [mark]: true });

/**
 * The first message says what to import; the loop is found on what is exported there. Messages meanwhile wait in the inbox.
 * `readTypeScript` is for Node alone.
 */
const program = (port: string, readTypeScript: string): string => `
globalThis[Symbol.for('fluxion.data.worker')] = true;
const port = ${port};
const inbox = [];
port.onmessage = ({ data }) => void (inbox.push(data) === 1 && begin(data.dataset));
async function begin(address) {
  try {
    ${readTypeScript}
    const serve = (await import(address.module))[address.export]?.[Symbol.for('fluxion.serve')];
    if (typeof serve !== 'function') throw new TypeError(address.module + " has no export '" + address.export + "' made by workerDataset");
    await serve(port, inbox);
  } catch (error) {
    const { name = 'Error', message = String(error), stack = message } = Object(error);
    port.postMessage({ kind: 'broken', what: 'importing ' + address.module, thrown: { name, message, stack } });
  }
}`;

/** This file is TypeScript in a checkout only. The user's module may be in either case. */
const ourselves = import.meta.url;
const isTypeScript = String.raw`/\.[cm]?tsx?(?:[?#]|$)/`;
const tsconfig = ourselves.endsWith('.ts') ? new URL('../../../tsconfig.json', ourselves).href : '';

/** Has \`import\` read TypeScript through tsx, where something is TypeScript and tsx is to be found; newer Nodes also read it themselves. */
const throughTsx = `
    const { createRequire } = process.getBuiltinModule('node:module');
    const { fileURLToPath, pathToFileURL } = process.getBuiltinModule('node:url');
    const places = ${JSON.stringify([ourselves])}.concat(address.module).filter((url) => url.startsWith('file:'));
    if (places.some((url) => ${isTypeScript}.test(url))) {
      const found = places.map((url) => { try { return createRequire(url).resolve('tsx'); } catch {} }).find(Boolean);
      process.setSourceMapsEnabled(true);
      const tsconfig = ${JSON.stringify(tsconfig)};
      if (tsconfig !== '') process.env.TSX_TSCONFIG_PATH ??= fileURLToPath(tsconfig);
      if (found !== undefined) (await import(new URL('./esm/api/index.mjs', pathToFileURL(found)))).register();
    }`;

/** What a loader needs of a worker that its user starts: Web Workers have it, and those of `node:worker_threads`. */
export type StartedWorker = {
  postMessage(message: unknown, transfer: never[]): void;
  terminate(): unknown;
};

/** `start` starts a worker of the user's own, which calls `serveDatasets`; without it, one is made that imports modules by their URLs. */
export function startThread(id: number, listener: Listener, start?: () => StartedWorker): Thread {
  if (start !== undefined) return overStarted(start(), listener);
  const builtin = (globalThis as { process?: Partial<NodeJS.Process> }).process?.getBuiltinModule;
  if (builtin !== undefined) return nodeThread(id, builtin, listener);
  if (typeof Worker === 'function' && typeof Blob === 'function') return webThread(id, listener);
  throw new WorkerError('this platform has no worker threads', { op: 'DataLoader', fix: 'use numWorkers: 0, or Node 20.16 or newer' });
}

function overStarted(worker: StartedWorker, listener: Listener): Thread {
  if ('on' in worker) return overNode(worker as NodeWorker, listener);
  if ('onmessage' in worker) return overWeb(worker as Worker, listener, () => undefined);
  throw new ArgumentError("the option 'worker' does not give a Worker", {
    op: 'DataLoader',
    fix: "write worker: () => new Worker(new URL('./datasets.ts', import.meta.url), { type: 'module' })",
  });
}

function nodeThread(id: number, builtin: NodeJS.Process['getBuiltinModule'], listener: Listener): Thread {
  const { Worker } = workerThreads(builtin);
  const code = program(`process.getBuiltinModule('node:worker_threads').parentPort`, throughTsx);
  // Without execArgv the thread would inherit loaders that the command line named; it finds its own.
  return overNode(new Worker(code, { eval: true, execArgv: [], name: `fluxion data worker ${id}` }), listener);
}

const workerThreads = (builtin: NodeJS.Process['getBuiltinModule']) => builtin('node:worker_threads');
type NodeWorker = InstanceType<ReturnType<typeof workerThreads>['Worker']>;

function overNode(thread: NodeWorker, listener: Listener): Thread {
  thread.on('message', (message: FromWorker) => listener.message(message));
  thread.on('messageerror', (error) => listener.died('sent what cannot be read', error));
  thread.on('error', (error: Error) => listener.died(`ended with ${error.name}: ${error.message}`, error));
  thread.on('exit', (code) => listener.died(`exited with code ${code}`));
  thread.unref();
  return {
    post: (message, transfer = []) => thread.postMessage(message, transfer),
    hold: (on) => (on ? thread.ref() : thread.unref()),
    stop: async () => void (await thread.terminate()),
  };
}

function webThread(id: number, listener: Listener): Thread {
  // No event tells that a Web Worker has closed itself: it says so before.
  const exit = `const close = self.close.bind(self); self.close = () => { self.postMessage({ kind: 'exit' }); close(); };`;
  const url = URL.createObjectURL(new Blob([program('self', ''), exit], { type: 'text/javascript' }));
  return overWeb(new Worker(url, { type: 'module', name: `fluxion data worker ${id}` }), listener, () => URL.revokeObjectURL(url));
}

function overWeb(thread: Worker, listener: Listener, release: () => void): Thread {
  thread.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.kind === 'exit') listener.died('closed itself');
    else listener.message(data);
  };
  thread.onmessageerror = () => listener.died('sent what cannot be read');
  thread.onerror = (event) => {
    event.preventDefault();
    listener.died(
      event.message
        ? `ended with ${event.message}`
        : 'could not be started (is its script there, and does the page allow worker-src blob:?)',
      event.error,
    );
  };
  return {
    post: (message, transfer = []) => thread.postMessage(message, [...transfer]),
    hold: () => undefined,
    stop: async () => {
      thread.terminate();
      release();
    },
  };
}
