// What the worker of these tests serves: results of every kind that travels, training that tells how it goes, and each way to fail.
import { compile, F, init, manualSeed, nn, optim, randn, type Tensor, tensor } from 'fluxion';
import { handOver, serve } from 'fluxion/worker';

const add = (a: Tensor, b: Tensor): Tensor => a.add(b);
/** As a Program that is compiled in the worker. */
const square = compile((x: Tensor) => x.mul(x));
const tree = ({ rows, name }: { rows: readonly Tensor[]; name: string }) => ({ name, sums: rows.map((r) => r.sum()), when: new Date(0) });
/** A result whose elements are on a GPU when it is sent. */
async function onGpu(x: Tensor): Promise<{ readonly device: string; readonly doubled: Tensor }> {
  await init('webgpu');
  const doubled = x.to('webgpu').mul(2);
  return { device: doubled.device, doubled };
}
const total = (array: Float32Array): number => array.reduce((a, b) => a + b, 0);
const bytes = (length: number): Uint8Array => handOver(new Uint8Array(length).fill(7));

const taken: string[] = [];
/** Notes the order in which calls are taken; gives all so far. */
function note(what: string, _more?: Tensor): readonly string[] {
  taken.push(what);
  return taken;
}

let open = 0;
/** Losses of a small network, one for each step; the number of steps in the end. */
async function* train(steps: number): AsyncGenerator<{ readonly step: number; readonly loss: number }, number, undefined> {
  open++;
  try {
    manualSeed(0);
    const model = new nn.Sequential(new nn.Linear(2, 8), new nn.Tanh(), new nn.Linear(8, 1));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    const x = randn([16, 2]);
    const y = x.sum(1, { keepdim: true });
    for (let step = 0; step < steps; step++) {
      optimizer.zeroGrad();
      const loss = F.mseLoss(model(x), y);
      loss.backward();
      optimizer.step();
      yield { step, loss: await loss.item() };
    }
    return steps;
  } finally {
    open--;
  }
}
const stillOpen = (): number => open;
/** Adds up what it is told; says what it had before each number. */
function* adder(): Generator<number, string, number> {
  let sum = 0;
  try {
    for (;;) sum += yield sum;
  } catch (error) {
    return `${sum} after ${(error as Error).message}`;
  }
}
async function* breaks(): AsyncGenerator<number> {
  yield 1;
  throw new RangeError('in the second');
}

const misfit = (): Tensor => tensor([1, 2]).add(tensor([1, 2, 3]));
const fails = (): never => {
  throw Object.assign(new TypeError('no such thing'), { detail: 42 });
};
const uncopyable = (): unknown => () => 1;
const stray = (): Promise<never> => {
  setTimeout(() => {
    throw new Error('out of the blue');
  });
  return new Promise(() => undefined);
};
const leaves = (): Promise<never> => {
  if (globalThis.process?.getBuiltinModule === undefined) close();
  else process.exit(3);
  return new Promise(() => undefined);
};
const never = (): Promise<never> => new Promise(() => undefined);
function spin(ms: number): number {
  for (const end = performance.now() + ms; performance.now() < end; );
  return ms;
}

const functions = {
  add,
  square,
  onGpu,
  tree,
  total,
  bytes,
  note,
  train,
  stillOpen,
  adder,
  breaks,
  misfit,
  fails,
  uncopyable,
  stray,
  leaves,
  never,
  spin,
};
export type Served = typeof functions;
serve({ ...functions, version: 1 });
