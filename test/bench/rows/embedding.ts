// Rows of a table by index, and the gradient that scatters back into it.
import { F } from '../../../compiler/index.ts';
import { bytesOf, type FunctionRow, indices, normal } from '../row.ts';

const embedding = (entries: number, width: number, count: number): FunctionRow => ({
  kind: 'function',
  work: `embedding ${entries}x${width}, ${count} rows`,
  inputs: [normal([entries, width]), indices([count], entries)],
  least: { read: bytesOf([count, width], [count]), written: bytesOf([count, width]) },
  bound: 'memory',
  tolerance: 0,
  against512: 0.9,
  fluxion: (table, at) => F.embedding(at, table),
  jax:
    ({ numpy }) =>
    (table, at) =>
      numpy.take(table, at, 0),
  tfjs: (tf) => (table, at) => tf.gather(table, at),
  onnx: [{ op: 'Gather', inputs: ['x0', 'x1'], output: 'y', attributes: { axis: 0 } }],
  torch: 'lambda table, at: F.embedding(at, table)',
  out: 'lambda o, table, at: torch.index_select(table, 0, at, out=o)',
  xla: 'lambda table, at: table[at]',
});

const backward = (entries: number, width: number, count: number): FunctionRow => {
  const forward = embedding(entries, width, count);
  return {
    ...forward,
    work: `${forward.work}, backward`,
    inputs: [...forward.inputs, normal([count, width])],
    gradients: 1,
    tolerance: 2e-5,
    least: { read: bytesOf([count, width], [count]), written: bytesOf([entries, width]) },
  };
};

export const embeddings = [embedding(30_000, 256, 8192), backward(30_000, 256, 8192)];
export const tinyEmbeddings = [embedding(7, 3, 5), backward(7, 3, 5)];
