// TensorFlow.js as a contender, on its WebAssembly backend: one thread in Node, whatever is asked for.
import type { HostArray } from '../data.ts';
import type { FunctionRow, StepRow } from '../row.ts';
import { load } from './install.ts';
import { type Subject, sampleSync } from './subject.ts';

export type TfTensor = {
  readonly shape: readonly number[];
  dataSync(): ArrayLike<number>;
  dispose(): void;
};
type Op = (...args: readonly unknown[]) => TfTensor;
type OpName =
  | 'add'
  | 'argMax'
  | 'conv2d'
  | 'depthwiseConv2d'
  | 'div'
  | 'erf'
  | 'gather'
  | 'logSoftmax'
  | 'matMul'
  | 'max'
  | 'maxPool'
  | 'mean'
  | 'mul'
  | 'neg'
  | 'oneHot'
  | 'relu'
  | 'reshape'
  | 'rsqrt'
  | 'softmax'
  | 'square'
  | 'sub'
  | 'sum'
  | 'tanh'
  | 'tensor'
  | 'transpose'
  | 'variable';
type Optimizer = {
  minimize(f: () => TfTensor, returnCost: boolean, variables: readonly TfTensor[]): TfTensor;
  applyGradients(gradients: Readonly<Record<string, TfTensor>>): void;
};

/** The part of the package that the rows use. */
export type Tf = Readonly<Record<OpName, Op>> & {
  readonly losses: { softmaxCrossEntropy: Op };
  readonly train: { sgd(lr: number): Optimizer; adam(lr: number, beta1: number, beta2: number, epsilon: number): Optimizer };
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  grads(f: (...xs: TfTensor[]) => TfTensor): (xs: readonly TfTensor[], dy?: TfTensor) => TfTensor[];
  tidy<T>(f: () => T): T;
};

let loaded: Tf | undefined;
async function tf(): Promise<Tf> {
  if (loaded !== undefined) return loaded;
  loaded = load('@tensorflow/tfjs') as Tf;
  load('@tensorflow/tfjs-backend-wasm');
  await loaded.setBackend('wasm');
  await loaded.ready();
  return loaded;
}

function workOf(row: FunctionRow | StepRow, t: Tf, xs: readonly TfTensor[]): (() => readonly TfTensor[]) | undefined {
  if (row.kind === 'step') return row.tfjs?.(t)(...xs);
  const fn = row.tfjs?.(t);
  if (fn === undefined) return undefined;
  const { gradients } = row;
  if (gradients === undefined) return () => [fn(...xs)];
  const operands = xs.slice(0, -1);
  const others = operands.slice(gradients);
  const differentiate = t.grads((...wrt) => fn(...wrt, ...others));
  return () => differentiate(operands.slice(0, gradients), xs.at(-1));
}

export async function tfjsSubject(row: FunctionRow | StepRow, data: readonly HostArray[]): Promise<Subject | undefined> {
  const t = await tf();
  const inputs = row.inputs.map(({ shape }, i) => t.tensor(data[i]!, [...shape], data[i] instanceof Int32Array ? 'int32' : 'float32'));
  const work = workOf(row, t, inputs);
  if (work === undefined) return undefined;
  let last: readonly TfTensor[] = [];
  return {
    sample: sampleSync(() => {
      for (const y of last) y.dispose();
      last = t.tidy(work);
    }),
    results: () => last.map((y) => y.dataSync()),
    close: () => {
      for (const x of [...inputs, ...last]) x.dispose();
    },
  };
}
