// What can happen between a host and its worker, as functions that tell it in plain data: they run in Node and in a page alike.
import { FluxionError, type Tensor, tensor } from 'fluxion';
import { close, handOver, host, type Remote, type WorkerLike } from 'fluxion/worker';
import type { Served } from './served.ts';

/** Starts a worker: of the module that serves, or of one whose script is empty or cannot be found. */
export type Start = (module: 'served' | 'silent' | 'missing') => WorkerLike;
export type Scenario = { readonly run: (remote: Remote<Served>) => Promise<unknown>; readonly expected: unknown };

/** How a promise fails. */
async function failure(promise: PromiseLike<unknown>): Promise<Record<string, unknown>> {
  try {
    await promise;
    return { name: 'none' };
  } catch (error) {
    const { name, message, code } = error as FluxionError;
    return { name, message: message.split(' at ')[0], ...(error instanceof FluxionError && { code }) };
  }
}

const scenarios = {
  'tensors go and come back': {
    run: async ({ add }) => (await add(tensor([1, 2]), tensor([[3], [4]]))).tolist(),
    expected: [
      [4, 5],
      [5, 6],
    ],
  },
  'a compiled function is compiled and run there': {
    run: async ({ square }) => [await (await square(tensor([1, 2, 3]))).tolist(), await (await square(tensor([4, 5, 6]))).tolist()],
    expected: [
      [1, 4, 9],
      [16, 25, 36],
    ],
  },
  'tensors travel inside of lists and objects, beside what else can be copied': {
    run: async ({ tree }) => {
      const { name, sums, when } = await tree({ rows: [tensor([1, 2]), tensor([3, 4], { dtype: 'int64' })], name: 'rows' });
      return { name, sums: sums.map((s: Tensor) => `${s.dtype} ${s.itemSync()}`), year: when.getUTCFullYear() };
    },
    expected: { name: 'rows', sums: ['float32 3', 'int64 7'], year: 1970 },
  },
  'arrays are copied, and moved if they are handed over': {
    run: async ({ total, bytes }) => {
      const array = Float32Array.of(1, 2, 3);
      const copied = await total(array);
      const kept = array.length;
      return { copied, kept, moved: await total(handOver(array)), left: array.length, made: [...(await bytes(3))] };
    },
    expected: { copied: 6, kept: 3, moved: 6, left: 0, made: [7, 7, 7] },
  },
  'calls are taken in their order, also where some carry tensors': {
    run: async ({ note }) => (await Promise.all([note('a', tensor([1])), note('b'), note('c', tensor([2])), note('d')])).at(-1),
    expected: ['a', 'b', 'c', 'd'],
  },
  'training tells its progress, and its result in the end': {
    run: async ({ train }) => {
      const losses: number[] = [];
      const training = train(20);
      for (let step = await training.next(); ; step = await training.next()) {
        if (step.done) return { steps: step.value, count: losses.length, isBetter: losses.at(-1)! < losses[0]! / 2 };
        losses.push(step.value.loss);
      }
    },
    expected: { steps: 20, count: 20, isBetter: true },
  },
  'leaving the loop ends the training': {
    run: async ({ train, stillOpen }) => {
      for await (const { step } of train(1000)) if (step === 2) break;
      return stillOpen();
    },
    expected: 0,
  },
  'two trainings go on side by side': {
    run: async ({ train }) => {
      const all = async (steps: number): Promise<number[]> => {
        const losses: number[] = [];
        for await (const { loss } of train(steps)) losses.push(loss);
        return losses;
      };
      const [short, long] = await Promise.all([all(3), all(5)]);
      return [short!.length, long!.length];
    },
    expected: [3, 5],
  },
  'a generator is told values and errors': {
    run: async ({ adder }) => {
      const sums = adder();
      return [await sums.next(), await sums.next(2), await sums.next(3), await sums.throw(new Error('enough')), await sums.next()];
    },
    expected: [
      { done: false, value: 0 },
      { done: false, value: 2 },
      { done: false, value: 5 },
      { done: true, value: '5 after enough' },
      { done: true, value: undefined },
    ],
  },
  'a generator that throws ends': {
    run: async ({ breaks }) => {
      const values = breaks();
      return [await values.next(), await failure(values.next()), await values.next()];
    },
    expected: [
      { done: false, value: 1 },
      { name: 'RangeError', message: 'in the second' },
      { done: true, value: undefined },
    ],
  },
  'an error is of the same class, with its fields and both stacks': {
    run: async ({ misfit, fails }) => {
      const error = await fails().catch((e: TypeError & { detail: number }) => e);
      const shape = await failure(misfit());
      return {
        shape: { ...shape, message: (shape.message as string).slice(0, 4) },
        isTypeError: error instanceof TypeError,
        detail: error.detail,
        stacks: /^TypeError: no such thing\n[\s\S]*in a worker, called\n[\s\S]+/.test(error.stack!),
      };
    },
    expected: { shape: { name: 'ShapeError', code: 'SHAPE', message: 'add:' }, isTypeError: true, detail: 42, stacks: true },
  },
  'what cannot be copied is refused on both ways': {
    run: async ({ total, uncopyable }) => {
      const [there, back] = [await failure(total((() => 1) as never)), await failure(uncopyable())];
      return [there.name, back.name, await total(Float32Array.of(1))];
    },
    expected: ['ArgumentError', 'DataError', 1],
  },
  'a function that is no generator gives no values one after another': {
    run: async ({ stillOpen }) => (await failure((stillOpen as unknown as Served['train'])(1).next())).name,
    expected: 'ArgumentError',
  },
  'only functions are served': {
    run: async (remote) => [Object.keys(remote).includes('spin'), Object.keys(remote).includes('version')],
    expected: [true, false],
  },
  'this thread goes on while the worker computes': {
    run: async ({ spin }) => {
      let ticks = 0;
      const timer = setInterval(() => ticks++, 5);
      await spin(200);
      clearInterval(timer);
      return ticks > 3;
    },
    expected: true,
  },
  'an error outside of any call ends the worker': {
    run: async ({ stray, stillOpen }) => {
      const [first, second] = [await failure(stray()), await failure(stillOpen())];
      return [first.name, /out of the blue/.test(first.message as string), second.name];
    },
    expected: ['WorkerError', true, 'WorkerError'],
  },
  'a worker that leaves fails the calls that wait': {
    run: async ({ leaves, never }) => (await Promise.all([failure(leaves()), failure(never())])).map(({ name }) => name),
    expected: ['WorkerError', 'WorkerError'],
  },
  'closing ends generators and calls, and may be repeated': {
    run: async (remote) => {
      const { train, never } = remote;
      const training = train(1000);
      await training.next();
      const waiting = failure(never());
      await Promise.all([close(remote), close(remote)]);
      return [(await waiting).message, (await failure(training.next())).message];
    },
    expected: ['host: the worker was closed', 'host: the worker was closed'],
  },
} satisfies Readonly<Record<string, Scenario>>;

export const scenarioNames = Object.keys(scenarios);
export const expectedOf = (name: string): unknown => scenarios[name as keyof typeof scenarios].expected;

/** Runs a scenario with a worker of its own. */
export async function play(name: string, start: Start): Promise<unknown> {
  const remote = await host<Served>(start('served'));
  try {
    return await scenarios[name as keyof typeof scenarios].run(remote);
  } finally {
    await close(remote);
  }
}

/** How hosting fails with a worker that never serves, and with one that cannot be started. */
export const unhosted = async (start: Start): Promise<unknown> => [
  await failure(host(start('silent'), { timeout: 0.3 })),
  (await failure(host(start('missing')))).name,
];
export const unhostedExpected = [
  { name: 'WorkerError', code: 'WORKER', message: 'host: the worker did not call serve() within 0.3 s' },
  'WorkerError',
];
