// Runs ONNX models with onnxruntime-web, which the bench installs for its peers.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { DType, TypedArray } from '../../runtime/dtype.ts';

const peers = fileURLToPath(new URL('../bench/peers/package.json', import.meta.url));
/** Whether it is there. */
export const hasOnnxRuntime = existsSync(fileURLToPath(new URL('../bench/peers/node_modules/onnxruntime-web', import.meta.url)));

export type Fed = { readonly dtype: DType; readonly shape: readonly number[]; readonly data: TypedArray };
type OrtTensor = { readonly data: ArrayLike<number | bigint>; readonly dims: readonly number[] };
type Ort = {
  readonly env: { readonly wasm: { numThreads: number }; logLevel: string };
  readonly Tensor: new (type: string, data: TypedArray, shape: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{
      run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
      release(): Promise<void>;
    }>;
  };
};

const names: Readonly<Record<DType, string>> = {
  f32: 'float32',
  f64: 'float64',
  f16: 'float16',
  i32: 'int32',
  i64: 'int64',
  u8: 'uint8',
  bool: 'bool',
};

/** The outputs of a model, by name. */
export async function runOnnx(model: Uint8Array, feeds: Readonly<Record<string, Fed>>): Promise<Readonly<Record<string, OrtTensor>>> {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'Worker');
  const ort = createRequire(peers)('onnxruntime-web') as Ort;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  try {
    const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'], graphOptimizationLevel: 'basic' });
    const fed = Object.entries(feeds).map(([name, { dtype, shape, data }]) => [name, new ort.Tensor(names[dtype], data, shape)] as const);
    const results = await session.run(Object.fromEntries(fed));
    await session.release();
    return results;
  } finally {
    // It defines a Worker in Node, by which others tell browsers.
    if (before === undefined) Reflect.deleteProperty(globalThis, 'Worker');
    else Object.defineProperty(globalThis, 'Worker', before);
  }
}
