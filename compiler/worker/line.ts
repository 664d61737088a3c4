// The line between a host and its worker: what is said on it, and how each platform's workers are spoken to.
import type { Parcel } from './parcel.ts';
import type { Thrown } from './thrown.ts';

/** Names the protocol, so that messages of the user's own pass by. Both sides are of one copy or of equal versions. */
const protocol = 'fluxion.worker.1';

/** A request has a number, by which it is answered. A stream goes by the number of the call that opened it. */
export type ToWorker =
  | { readonly kind: 'hello' }
  | { readonly kind: 'call'; readonly id: number; readonly name: string; readonly args: Parcel }
  | { readonly kind: 'pull'; readonly id: number; readonly stream: number; readonly how: Pull; readonly value: Parcel }
  | { readonly kind: 'close' };
/** What is asked of a generator. */
export type Pull = 'next' | 'return' | 'throw';

export type FromWorker =
  | { readonly kind: 'ready'; readonly names: readonly string[] }
  | { readonly kind: 'value'; readonly id: number; readonly value: Parcel }
  /** The call gave a generator, which waits to be pulled. */
  | { readonly kind: 'stream'; readonly id: number }
  | { readonly kind: 'step'; readonly id: number; readonly done: boolean; readonly value: Parcel }
  | { readonly kind: 'failed'; readonly id: number; readonly thrown: Thrown }
  /** All generators have been closed. */
  | { readonly kind: 'closed' }
  /** The worker ends itself; said only where the platform does not say it. */
  | { readonly kind: 'exit' };

/** As much of a worker as a line needs: the Web's `Worker` has it, and so has that of `node:worker_threads`. */
export type WorkerLike = {
  postMessage(message: unknown, transfer: never[]): void;
  terminate(): unknown;
};

export type Line<Out> = {
  /** Throws where something cannot be copied. */
  readonly post: (message: Out, transfer?: readonly Transferable[]) => void;
};

type Listener<In> = {
  readonly message: (message: In) => void;
  /** The other side is gone, or is in a state that nobody knows. May be told more than once. */
  readonly died: (how: string, cause?: unknown) => void;
};

/** How an emitter of Node is heard. */
type Emitter = { on(event: string, listener: (value: never) => void): unknown; ref?(): void; unref?(): void };

const isOurs = <M>(data: unknown): data is { readonly protocol: typeof protocol; readonly message: M } =>
  typeof data === 'object' && data !== null && (data as { protocol?: unknown }).protocol === protocol;

export type HostLine = Line<ToWorker> & {
  /** Whether the worker keeps a process of Node from ending. */
  readonly hold: (on: boolean) => void;
  readonly terminate: () => Promise<void>;
};

/** The host's end. */
export function lineToWorker(worker: WorkerLike, listener: Listener<FromWorker>): HostLine {
  const hear = (data: unknown): void => {
    if (!isOurs<FromWorker>(data)) return;
    if (data.message.kind === 'exit') listener.died('closed itself');
    else listener.message(data.message);
  };
  let ended: Promise<void> | undefined;
  const terminate = (): Promise<void> => {
    ended ??= (async () => void (await worker.terminate()))();
    return ended;
  };
  const unreadable = (): void => listener.died('sent what cannot be read');
  const post: HostLine['post'] = (message, transfer = []) => worker.postMessage({ protocol, message }, [...transfer] as never[]);
  if (typeof (worker as Partial<EventTarget>).addEventListener === 'function') {
    const target = worker as unknown as EventTarget;
    target.addEventListener('message', (event) => hear((event as MessageEvent).data));
    target.addEventListener('messageerror', unreadable);
    target.addEventListener('error', (event) => {
      const { message, error } = event as ErrorEvent;
      // An engine says nothing more of a script that it could not load.
      listener.died(message ? `ended with ${message}` : 'could not be started: its script cannot be loaded', error);
    });
    return { post, hold: () => undefined, terminate };
  }
  const emitter = worker as unknown as Emitter;
  emitter.on('message', hear);
  emitter.on('messageerror', unreadable);
  emitter.on('error', (error: Error) => listener.died(`ended with ${String(error)}`, error));
  emitter.on('exit', (code: number) => listener.died(`exited with code ${code}`));
  return {
    post,
    hold: (on) => (on ? emitter.ref?.() : emitter.unref?.()),
    terminate,
  };
}

type WorkerScope = EventTarget & { postMessage(message: unknown, transfer: Transferable[]): void; close(): void };

/** The worker's end; undefined where this is no worker. */
export function lineToHost(listen: (message: ToWorker) => void): Line<FromWorker> | undefined {
  const hear = (data: unknown): void => {
    if (isOurs<ToWorker>(data)) listen(data.message);
  };
  const node = globalThis.process?.getBuiltinModule?.('node:worker_threads');
  if (node !== undefined) {
    const port = node.parentPort;
    if (port === null) return undefined;
    port.on('message', hear);
    return { post: (message, transfer = []) => port.postMessage({ protocol, message }, [...transfer] as ArrayBuffer[]) };
  }
  if (typeof (globalThis as { WorkerGlobalScope?: unknown }).WorkerGlobalScope !== 'function') return undefined;
  const scope = globalThis as unknown as WorkerScope;
  const post: Line<FromWorker>['post'] = (message, transfer = []) => scope.postMessage({ protocol, message }, [...transfer]);
  const end = scope.close.bind(scope);
  scope.close = () => {
    post({ kind: 'exit' });
    end();
  };
  scope.addEventListener('message', (event) => hear((event as MessageEvent).data));
  return { post };
}
