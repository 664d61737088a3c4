// The host's side: a worker's functions as functions that return promises, or generators that are pulled from there.
import { ArgumentError, WorkerError } from '../../runtime/errors.ts';
import { type FromWorker, type HostLine, lineToWorker, type Pull, type ToWorker, type WorkerLike } from './line.ts';
import { open, type Parcel, type Sealed, seal } from './parcel.ts';
import { revive } from './thrown.ts';

type AnyFunction = (...args: never[]) => unknown;

/** A function as it is called from the other thread. Generators stay generators: the worker goes on when the next value is asked for. */
export type RemoteFunction<F> = F extends (...args: infer A) => infer R ? (...args: A) => RemoteResult<R> : never;
type RemoteResult<R> = [R] extends [never]
  ? Promise<never>
  : [R] extends [AsyncGenerator<infer Y, infer T, infer N> | Generator<infer Y, infer T, infer N>]
    ? AsyncGenerator<Y, T, N>
    : Promise<Awaited<R>>;

/** The functions that a worker serves; `await using` ends the worker, as `close` does. */
export type Remote<Api> = {
  readonly [K in keyof Api as Api[K] extends AnyFunction ? K : never]: RemoteFunction<Api[K]>;
} & AsyncDisposable;

export type HostOptions = {
  /** Seconds that the worker may take to call `serve`; 60 by default. */
  readonly timeout?: number;
};

/** An answer that somebody waits for. `site` is where the call was made. */
type Waiting = { readonly resolve: (message: FromWorker) => void; readonly reject: (error: Error) => void; readonly site: Error };

type Session = {
  line: HostLine;
  readonly waiting: Map<number, Waiting>;
  requests: number;
  /** Set when the worker is gone or was closed: why nothing can be asked of it. */
  gone: { readonly what: string; readonly cause: unknown } | undefined;
  /** Messages go out in the order of the calls: the last that has yet to go. */
  sending: Promise<void> | undefined;
  closed: Promise<void> | undefined;
  /** Called when the worker has let its generators go, or is gone. */
  released: () => void;
};

const sessions = new WeakMap<object, Session>();

/**
 * The functions that the worker's module passes to `serve`, when it has done so. The worker is of `new Worker(...)` in a page or of
 * `node:worker_threads`. Tensors, typed arrays, lists and plain objects travel; errors come back as the same classes. Throws WorkerError if the
 * worker ends before.
 */
export async function host<Api extends object>(worker: WorkerLike, { timeout = 60 }: HostOptions = {}): Promise<Remote<Api>> {
  if (!(timeout > 0)) throw new ArgumentError(`the timeout is ${timeout}, in seconds`, { op: 'host' });
  const session: Session = {
    line: undefined as never,
    waiting: new Map(),
    requests: 0,
    gone: undefined,
    sending: undefined,
    closed: undefined,
    released: () => undefined,
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const names = await new Promise<readonly string[]>((resolve, reject) => {
      session.line = lineToWorker(worker, {
        message: (message) => (message.kind === 'ready' ? resolve(message.names) : hear(session, message)),
        died: (what, cause) => {
          end(session, what, cause);
          void session.line.terminate();
          reject(lost(session));
        },
      });
      timer = setTimeout(() => {
        end(session, `did not call serve() within ${timeout} s`, undefined);
        reject(lost(session));
      }, timeout * 1000);
      session.line.post({ kind: 'hello' });
    });
    session.line.hold(session.waiting.size > 0);
    return remoteOf<Api>(session, names);
  } catch (error) {
    await session.line.terminate();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** How long generators have to end when the worker is closed, in ms. */
const grace = 500;

/** Ends the worker: its generators may close first what they have open. Calls that are under way fail. */
export function close(remote: AsyncDisposable): Promise<void> {
  const session = sessions.get(remote);
  if (session === undefined) throw new ArgumentError('this is no remote', { op: 'close', fix: 'pass what host() gave' });
  session.closed ??= (async () => {
    if (session.gone === undefined) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        session.released = resolve;
        timer = setTimeout(resolve, grace);
        session.line.post({ kind: 'close' });
      });
      clearTimeout(timer);
    }
    end(session, 'was closed', undefined);
    await session.line.terminate();
  })();
  return session.closed;
}

function remoteOf<Api>(session: Session, names: readonly string[]): Remote<Api> {
  const remote = {
    ...Object.fromEntries(names.map((name) => [name, (...args: unknown[]) => call(session, name, args)])),
    [Symbol.asyncDispose]: () => close(remote),
  };
  sessions.set(remote, session);
  return remote as unknown as Remote<Api>;
}

/** A promise of the function's result that also is its generator, should the function be one: only the worker knows. */
function call(session: Session, name: string, args: readonly unknown[]): Promise<unknown> & AsyncGenerator<unknown> {
  const site = new Error();
  const id = ++session.requests;
  const first = ask(session, site, id, args, (parcel) => ({ kind: 'call', id, name, args: parcel }));
  const result = first.then((message) => (message.kind === 'stream' ? generator : contentsOf(message)));
  const pull = async (how: Pull, given: unknown): Promise<IteratorResult<unknown>> => {
    // Who pulls hears of a failure here.
    result.catch(() => undefined);
    const message = await first;
    if (message.kind !== 'stream') throw new ArgumentError(`'${name}' gives no values one after another`, { op: 'next', fix: 'await it' });
    const request = ++session.requests;
    const step = await ask(session, site, request, given, (value) => ({ kind: 'pull', id: request, stream: id, how, value }));
    return { done: step.kind === 'step' && step.done, value: await contentsOf(step) };
  };
  const generator: AsyncGenerator<unknown> = {
    next: (value) => pull('next', value),
    return: (value) => pull('return', value),
    throw: (error) => pull('throw', error),
    [Symbol.asyncIterator]: () => generator,
    [Symbol.asyncDispose]: async () => void (await generator.return(undefined)),
  };
  return Object.assign(result, generator);
}

/** Posts a request and gives its answer. */
function ask(session: Session, site: Error, id: number, value: unknown, messageOf: (parcel: Parcel) => ToWorker): Promise<FromWorker> {
  if (session.gone !== undefined) return Promise.reject(lost(session));
  return new Promise((resolve, reject) => {
    session.waiting.set(id, { resolve, reject, site });
    session.line.hold(true);
    const fail = (error: unknown): void => settle(session, id)?.reject(refusal(error));
    try {
      const sealed = seal(value);
      const post = ({ parcel, transfer }: Sealed): void => session.line.post(messageOf(parcel), transfer);
      if (session.sending === undefined && !(sealed instanceof Promise)) return post(sealed);
      const mine: Promise<void> = Promise.all([sealed, session.sending])
        .then(([ready]) => post(ready))
        .catch(fail)
        .then(() => {
          if (session.sending === mine) session.sending = undefined;
        });
      session.sending = mine;
    } catch (error) {
      fail(error);
    }
  });
}

/** Takes a request off the list of those that wait. */
function settle(session: Session, id: number): Waiting | undefined {
  const waiting = session.waiting.get(id);
  session.waiting.delete(id);
  if (session.waiting.size === 0) session.line.hold(false);
  return waiting;
}

function hear(session: Session, message: FromWorker): void {
  switch (message.kind) {
    case 'value':
    case 'stream':
    case 'step':
      settle(session, message.id)?.resolve(message);
      return;
    case 'failed': {
      const waiting = settle(session, message.id);
      waiting?.reject(revive(message.thrown, waiting.site));
      return;
    }
    case 'closed':
      session.released();
      return;
    case 'ready':
    case 'exit':
      return;
    default:
      message satisfies never;
  }
}

/** What an answer holds. */
const contentsOf = (message: FromWorker): unknown => ('value' in message ? open(message.value) : undefined);

/** The worker is gone: all who wait are told. */
function end(session: Session, what: string, cause: unknown): void {
  session.gone ??= { what, cause };
  for (const id of [...session.waiting.keys()]) settle(session, id)?.reject(lost(session));
  session.released();
}

const lost = ({ gone }: Session): WorkerError => new WorkerError(`the worker ${gone!.what}`, { op: 'host', cause: gone!.cause });

const refusal = (error: unknown): Error =>
  error instanceof Error && error.name === 'DataCloneError'
    ? new ArgumentError(`an argument cannot be copied to the worker: ${error.message}`, {
        op: 'call',
        fix: 'pass tensors, arrays and plain objects',
        cause: error,
      })
    : (error as Error);
