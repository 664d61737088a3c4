// The worker's side: calls functions as it is told, and keeps the generators that they gave.
import { ArgumentError, DataError, KeyError } from '../../runtime/errors.ts';
import { type FromWorker, type Line, lineToHost, type Pull, type ToWorker } from './line.ts';
import { open, seal } from './parcel.ts';
import { thrownOf } from './thrown.ts';

/** A function of a built model has another form, which loads the model first: that is called. */
type Callable = ((...args: unknown[]) => unknown) & { readonly async?: unknown };
type Stream = AsyncIterator<unknown> | Iterator<unknown>;
/** An answer whose value has yet to be sealed. */
type Answer =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'stream' }
  | { readonly kind: 'step'; readonly done: boolean; readonly value: unknown };

/** Makes functions callable from the thread that started this worker; other values, as of a whole module or a built model, are passed over. */
export function serve(functions: Readonly<Record<string, unknown>>): void {
  const known = new Map(Object.entries(functions).filter((entry): entry is [string, Callable] => typeof entry[1] === 'function'));
  if (known.has('then')) throw new ArgumentError("a function cannot be called 'then': await would call it", { op: 'serve' });
  const streams = new Map<number, Stream>();
  // Messages are taken in the order in which they came, also where opening one takes time; answers may overtake one another.
  let opened: Promise<void> = Promise.resolve();
  const line = lineToHost((message) => {
    opened = opened.then(() => take(message));
  });
  if (line === undefined)
    throw new ArgumentError('this is no worker', { op: 'serve', fix: 'call it in the module that a Worker is made of' });
  const ready = (): void => line.post({ kind: 'ready', names: [...known.keys()] });

  async function take(message: ToWorker): Promise<void> {
    switch (message.kind) {
      case 'hello':
        return ready();
      case 'call': {
        const args = (await open(message.args)) as unknown[];
        return void answer(line!, message.id, async () => called(message.id, await demand(known, message.name)(...args)));
      }
      case 'pull': {
        const value = await open(message.value);
        return void answer(line!, message.id, () => pulled(message.stream, message.how, value));
      }
      case 'close':
        await Promise.allSettled([...streams.values()].map((stream) => stream.return?.()));
        return line!.post({ kind: 'closed' });
      default:
        message satisfies never;
    }
  }

  function called(id: number, value: unknown): Answer {
    const stream = streamOf(value);
    if (stream === undefined) return { kind: 'value', value };
    streams.set(id, stream);
    return { kind: 'stream' };
  }

  async function pulled(stream: number, how: Pull, given: unknown): Promise<Answer> {
    const generator = streams.get(stream);
    let step: IteratorResult<unknown> = { done: true, value: how === 'return' ? given : undefined };
    try {
      if (generator !== undefined) step = await pull(generator, how, given);
      else if (how === 'throw') throw given;
    } catch (error) {
      streams.delete(stream);
      throw error;
    }
    if (step.done) streams.delete(stream);
    return { kind: 'step', done: step.done === true, value: step.value };
  }
  ready();
}

function demand(known: ReadonlyMap<string, Callable>, name: string): Callable {
  const f = known.get(name);
  if (f === undefined)
    throw new KeyError(`the worker serves no '${name}'`, { op: 'call', fix: `it has ${[...known.keys()].join(', ') || 'nothing'}` });
  return typeof f.async === 'function' ? (f.async as Callable) : f;
}

/** What is pulled value by value: generators and what is asynchronous; lists and other collections are values. */
function streamOf(value: unknown): Stream | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const many = value as Partial<AsyncIterable<unknown> & Iterable<unknown> & Iterator<unknown>>;
  if (typeof many[Symbol.asyncIterator] === 'function') return many[Symbol.asyncIterator]!();
  if (typeof many[Symbol.iterator] === 'function' && typeof many.next === 'function') return many[Symbol.iterator]!() as Stream;
  return undefined;
}

async function pull(stream: Stream, how: Pull, value: unknown): Promise<IteratorResult<unknown>> {
  switch (how) {
    case 'next':
      return stream.next(value as never);
    case 'return':
      return (await stream.return?.(value)) ?? { done: true, value };
    case 'throw':
      if (stream.throw === undefined) throw value;
      return stream.throw(value);
    default:
      return how satisfies never;
  }
}

/** Posts what `make` comes to, its value sealed, or how it failed. */
async function answer(line: Line<FromWorker>, id: number, make: () => Promise<Answer>): Promise<void> {
  try {
    const made = await make();
    if (made.kind === 'stream') return line.post({ kind: 'stream', id });
    const { parcel, transfer } = await seal(made.value);
    line.post({ ...made, id, value: parcel }, transfer);
  } catch (error) {
    const isUncopyable = error instanceof Error && error.name === 'DataCloneError';
    line.post({ kind: 'failed', id, thrown: thrownOf(isUncopyable ? uncopyable(error) : error) });
  }
}

const uncopyable = (cause: Error): DataError =>
  new DataError(`the result cannot be copied to the other thread: ${cause.message}`, {
    op: 'serve',
    fix: 'give tensors, arrays and plain objects; progress as an async generator',
    cause,
  });
