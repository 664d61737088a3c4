// onnxruntime-web as a contender, where a row is an inference.
import type { HostArray } from '../data.ts';
import type { FunctionRow, StepRow } from '../row.ts';
import { load } from './install.ts';
import { onnxModel } from './onnx-model.ts';
import { type Subject, sampleAsync } from './subject.ts';

type OrtTensor = { readonly data: ArrayLike<number | bigint> };
type Session = {
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
};
type Ort = {
  readonly env: { readonly wasm: { numThreads: number }; logLevel: string };
  readonly Tensor: new (type: string, data: HostArray, shape: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(model: Uint8Array, options: { executionProviders: readonly string[] }): Promise<Session>;
  };
};

/** The number of threads is the process's: it counts until the first session. */
export async function onnxSubject(row: FunctionRow | StepRow, data: readonly HostArray[], threads: number): Promise<Subject | undefined> {
  if (row.kind !== 'function' || row.onnx === undefined || row.gradients !== undefined) return undefined;
  const ort = load('onnxruntime-web') as Ort;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = 'error';
  const inputs = row.inputs.map(({ shape }, i) => ({ shape, data: data[i]! }));
  const model = onnxModel(row.onnx, inputs, row.onnx.at(-1)!.op === 'ArgMax' ? 'i64' : 'f32');
  const session = await withoutTrace('Worker', () => ort.InferenceSession.create(model, { executionProviders: ['wasm'] }));
  const feeds = Object.fromEntries(
    inputs.map(({ shape, data: d }, i) => [`x${i}`, new ort.Tensor(d instanceof Int32Array ? 'int32' : 'float32', d, shape)]),
  );
  let last: OrtTensor | undefined;
  return {
    sample: sampleAsync(async () => {
      last = (await session.run(feeds)).y;
    }),
    results: () => [last!.data],
    close: () => session.release(),
  };
}

/** Leaves a global as it was: onnxruntime-web defines `Worker` in Node, from which jax-js concludes that it runs in a browser. */
async function withoutTrace<T>(name: string, run: () => Promise<T>): Promise<T> {
  const before = Object.getOwnPropertyDescriptor(globalThis, name);
  try {
    return await run();
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, before);
  }
}
