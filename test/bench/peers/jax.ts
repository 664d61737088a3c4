// jax-js as a contender, on its WebAssembly device, through `jit`. Its functions consume their arguments: what is used again is passed as `.ref`.
import type { HostArray } from '../data.ts';
import type { FunctionRow, StepRow } from '../row.ts';
import { load } from './install.ts';
import { type Subject, sampleAsync } from './subject.ts';

export type JaxArray = {
  readonly ref: JaxArray;
  readonly shape: readonly number[];
  add(x: JaxArray | number): JaxArray;
  sub(x: JaxArray | number): JaxArray;
  mul(x: JaxArray | number): JaxArray;
  div(x: JaxArray | number): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  data(): Promise<ArrayLike<number>>;
  dispose(): void;
};

type Op = (...args: readonly unknown[]) => JaxArray;
type NumpyOp =
  | 'argmax'
  | 'array'
  | 'exp'
  | 'matmul'
  | 'max'
  | 'maximum'
  | 'mean'
  | 'sqrt'
  | 'square'
  | 'sum'
  | 'take'
  | 'tanh'
  | 'transpose'
  | 'tril'
  | 'ones'
  | 'where';
type NnOp = 'dotProductAttention' | 'gelu' | 'logSoftmax' | 'oneHot' | 'relu' | 'softmax' | 'standardize';

/** The part of the package that the rows use. */
export type Jax = {
  readonly numpy: Readonly<Record<NumpyOp, Op>> & { split(x: JaxArray, sections: number, axis: number): JaxArray[] };
  readonly nn: Readonly<Record<NnOp, Op>>;
  readonly lax: Readonly<Record<'convGeneralDilated' | 'reduceWindow', Op>>;
  init(device: string): Promise<unknown>;
  defaultDevice(device: string): unknown;
  jit<A extends readonly unknown[], R>(f: (...args: A) => R): ((...args: A) => R) & { dispose(): void };
  grad(f: (...args: JaxArray[]) => JaxArray, options: { argnums: readonly number[] }): (...args: JaxArray[]) => JaxArray[];
  valueAndGrad(
    f: (...args: JaxArray[]) => JaxArray,
    options: { argnums: readonly number[] },
  ): (...args: JaxArray[]) => [JaxArray, JaxArray[]];
  blockUntilReady(x: unknown): Promise<unknown>;
};

let loaded: Jax | undefined;
async function jax(): Promise<Jax> {
  if (loaded !== undefined) return loaded;
  // The package looks for WebGPU on it, and Node 20 has none.
  const scope = globalThis as { navigator?: unknown };
  scope.navigator ??= {};
  loaded = load('@jax-js/jax') as Jax;
  await loaded.init('wasm');
  loaded.defaultDevice('wasm');
  return loaded;
}

/** The row as a pure function from all inputs to next state and results. */
function pureOf(row: FunctionRow | StepRow, j: Jax): ((...xs: JaxArray[]) => readonly JaxArray[]) | undefined {
  if (row.kind === 'step') return row.jax?.(j);
  const fn = row.jax?.(j);
  if (fn === undefined) return undefined;
  const { gradients } = row;
  if (gradients === undefined) return (...xs) => [fn(...xs)];
  const argnums = Array.from({ length: gradients }, (_, i) => i);
  return j.grad((...xs) => j.numpy.sum(fn(...xs.slice(0, -1)).mul(xs.at(-1)!)), { argnums });
}

export async function jaxSubject(row: FunctionRow | StepRow, data: readonly HostArray[]): Promise<Subject | undefined> {
  const j = await jax();
  const pure = pureOf(row, j);
  if (pure === undefined) return undefined;
  const run = j.jit(pure);
  const carried = row.kind === 'step' ? row.state : 0;
  let inputs = row.inputs.map(({ shape }, i) => j.numpy.array(data[i]!, { shape: [...shape] }));
  let results: readonly JaxArray[] = [];
  return {
    sample: sampleAsync(async () => {
      for (const y of results) y.dispose();
      const all = run(...inputs.slice(0, carried), ...inputs.slice(carried).map((x) => x.ref));
      await j.blockUntilReady(all);
      inputs = [...all.slice(0, carried), ...inputs.slice(carried)];
      results = all.slice(carried);
    }),
    results: async () => Promise.all((results.length > 0 ? results : inputs.slice(0, 1)).map((y) => y.ref.data())),
    close: () => {
      for (const x of [...inputs, ...results]) x.dispose();
      run.dispose();
    },
  };
}
