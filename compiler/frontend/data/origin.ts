// Origins: from which module a worker can make the same dataset, or import the same function. Closures and instances cannot be sent to a thread.
import { ArgumentError } from '../../../runtime/errors.ts';
import type { Address } from './message.ts';
import { type Serve, serve } from './worker.ts';

/** How a dataset was made: by calling an export. */
export type Origin = Address & { readonly args: readonly unknown[] };

const functions = new WeakMap<object, Address>();
const datasets = new WeakMap<object, Origin>();

/** Workers find their loop here, on what they import: it then is of the same copy of the library as the user's module. */
const key = Symbol.for('fluxion.serve');

/**
 * Makes a dataset that workers can make as well. Write it in the module that defines the dataset, under the name it is exported by:
 *
 *     export const digits = workerDataset(import.meta.url, 'digits', (split: string) => new Digits(split));
 *
 * Then `new DataLoader(digits('train'), { numWorkers: 2 })` has each worker import that module and call `digits('train')`. Arguments are copied
 * to the workers as `structuredClone` copies, tensors included. The module should not start the training itself: workers run it, too.
 */
export function workerDataset<A extends readonly unknown[], D extends object>(
  module: string | URL,
  name: string,
  make: (...args: A) => D,
): (...args: A) => D {
  const address = addressOf('workerDataset', module, name);
  const made = (...args: A): D => {
    const dataset = make(...args);
    const note = (d: object): void => void datasets.set(d, { ...address, args });
    // Whoever awaits a dataset has it noted before: this callback was there first. Its failure is theirs to hear of.
    if (dataset instanceof Promise) dataset.then(note, () => undefined);
    else note(dataset);
    return dataset;
  };
  return exported(address, made);
}

/** Marks a function as one that workers can import: for `collateFn` and `workerInitFn`. */
export function workerFunction<A extends readonly unknown[], R>(
  module: string | URL,
  name: string,
  f: (...args: A) => R,
): (...args: A) => R {
  return exported(addressOf('workerFunction', module, name), (...args: A) => f(...args));
}

function exported<F extends object>(address: Address, f: F): F {
  functions.set(f, address);
  Object.defineProperty(f, key, { value: serve satisfies Serve });
  return f;
}

function addressOf(op: string, module: string | URL, name: string): Address {
  const url = String(module);
  if (!URL.canParse(url))
    throw new ArgumentError(`the module must be an absolute URL, but it is '${url}'`, {
      op,
      fix: 'pass import.meta.url, or new URL(path, import.meta.url)',
    });
  if (typeof name !== 'string' || name === '')
    throw new ArgumentError('the name of the export is missing', { op, fix: `write ${op}(import.meta.url, 'name', ...)` });
  return { module: url, export: name };
}

export const originOf = (dataset: object): Origin | undefined => datasets.get(dataset);
export const addressOfFunction = (f: object): Address | undefined => functions.get(f);
