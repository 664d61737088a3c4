// Chains of elementwise operations, alone and under a sum: what fusion is for.
import { bytesOf, type FunctionRow, normal } from '../row.ts';

const million = 2 ** 20;
/** 4 M as a matrix, since some peers split one dimension only. */
const large = [4 * 1024, 1024] as const;
const sizeOf = (shape: readonly number[]): string => (shape === large ? '4 M' : `[${shape}]`);

const chain = (shape: readonly number[]): FunctionRow => ({
  kind: 'function',
  work: `mul, add, tanh, mul, add, relu over ${sizeOf(shape)}`,
  inputs: [normal(shape)],
  least: { read: bytesOf(shape), written: bytesOf(shape) },
  bound: 'memory',
  fluxion: (x) => x.mul(1.5).add(0.25).tanh().mul(2).add(0.5).relu(),
  jax:
    ({ numpy, nn }) =>
    (x) =>
      nn.relu(numpy.tanh(x.mul(1.5).add(0.25)).mul(2).add(0.5)),
  tfjs: (tf) => (x) => tf.relu(tf.add(tf.mul(tf.tanh(tf.add(tf.mul(x, 1.5), 0.25)), 2), 0.5)),
  onnx: [
    { op: 'constant', output: 'a', shape: [], values: [1.5] },
    { op: 'constant', output: 'b', shape: [], values: [0.25] },
    { op: 'constant', output: 'c', shape: [], values: [2] },
    { op: 'constant', output: 'd', shape: [], values: [0.5] },
    { op: 'Mul', inputs: ['x0', 'a'], output: 't0' },
    { op: 'Add', inputs: ['t0', 'b'], output: 't1' },
    { op: 'Tanh', inputs: ['t1'], output: 't2' },
    { op: 'Mul', inputs: ['t2', 'c'], output: 't3' },
    { op: 'Add', inputs: ['t3', 'd'], output: 't4' },
    { op: 'Relu', inputs: ['t4'], output: 'y' },
  ],
  torch: 'lambda x: torch.relu(torch.tanh(x * 1.5 + 0.25) * 2 + 0.5)',
  out: 'lambda o, x: torch.mul(x, 1.5, out=o).add_(0.25).tanh_().mul_(2).add_(0.5).relu_()',
  xla: 'lambda x: jax.nn.relu(jnp.tanh(x * 1.5 + 0.25) * 2 + 0.5)',
});

const summed = (name: 'tanh' | 'relu', shape: readonly number[]): FunctionRow => ({
  kind: 'function',
  work: `sum(${name}(2x+1)) over ${sizeOf(shape)}`,
  inputs: [normal(shape)],
  least: { read: bytesOf(shape) },
  bound: 'memory',
  chainTolerance: 5e-3,
  fluxion: (x) => x.mul(2).add(1)[name]().sum(),
  jax:
    ({ numpy, nn }) =>
    (x) =>
      numpy.sum((name === 'tanh' ? numpy.tanh : nn.relu)(x.mul(2).add(1))),
  tfjs: (tf) => (x) => tf.sum(tf[name](tf.add(tf.mul(x, 2), 1))),
  onnx: [
    { op: 'constant', output: 'a', shape: [], values: [2] },
    { op: 'constant', output: 'b', shape: [], values: [1] },
    { op: 'Mul', inputs: ['x0', 'a'], output: 't0' },
    { op: 'Add', inputs: ['t0', 'b'], output: 't1' },
    { op: name === 'tanh' ? 'Tanh' : 'Relu', inputs: ['t1'], output: 't2' },
    { op: 'ReduceSum', inputs: ['t2'], output: 'y', attributes: { keepdims: 0 } },
  ],
  torch: `lambda x: torch.${name}(x * 2 + 1).sum()`,
  xla: `lambda x: jnp.sum(${name === 'tanh' ? 'jnp.tanh' : 'jax.nn.relu'}(x * 2 + 1))`,
});

const root = Math.sqrt(2 / Math.PI);
const gelu = (shape: readonly number[]): FunctionRow => ({
  kind: 'function',
  work: `GELU by hand over ${sizeOf(shape)}`,
  inputs: [normal(shape)],
  least: { read: bytesOf(shape), written: bytesOf(shape) },
  bound: 'memory',
  against512: 0.65,
  fluxion: (x) => x.mul(0.5).mul(x.add(x.mul(x).mul(x).mul(0.044715)).mul(root).tanh().add(1)),
  jax:
    ({ numpy }) =>
    (x) =>
      x.ref.mul(0.5).mul(numpy.tanh(x.ref.add(x.ref.mul(x.ref).mul(x).mul(0.044715)).mul(root)).add(1)),
  tfjs: (tf) => (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(tf.mul(tf.add(x, tf.mul(tf.mul(tf.mul(x, x), x), 0.044715)), root)), 1)),
  onnx: [
    { op: 'constant', output: 'a', shape: [], values: [0.5] },
    { op: 'constant', output: 'b', shape: [], values: [0.044715] },
    { op: 'constant', output: 'c', shape: [], values: [root] },
    { op: 'constant', output: 'd', shape: [], values: [1] },
    { op: 'Mul', inputs: ['x0', 'x0'], output: 't0' },
    { op: 'Mul', inputs: ['t0', 'x0'], output: 't1' },
    { op: 'Mul', inputs: ['t1', 'b'], output: 't2' },
    { op: 'Add', inputs: ['x0', 't2'], output: 't3' },
    { op: 'Mul', inputs: ['t3', 'c'], output: 't4' },
    { op: 'Tanh', inputs: ['t4'], output: 't5' },
    { op: 'Add', inputs: ['t5', 'd'], output: 't6' },
    { op: 'Mul', inputs: ['x0', 'a'], output: 't7' },
    { op: 'Mul', inputs: ['t7', 't6'], output: 'y' },
  ],
  torch: `lambda x: x * 0.5 * (torch.tanh((x + x * x * x * 0.044715) * ${root}) + 1)`,
  out: `lambda o, x: torch.mul(x, x, out=o).mul_(x).mul_(0.044715).add_(x).mul_(${root}).tanh_().add_(1).mul_(x).mul_(0.5)`,
  xla: `lambda x: x * 0.5 * (jnp.tanh((x + x * x * x * 0.044715) * ${root}) + 1)`,
});

const transposition = (n: number): FunctionRow => ({
  kind: 'function',
  work: `transposition ${n}x${n}`,
  inputs: [normal([n, n])],
  least: { read: bytesOf([n, n]), written: bytesOf([n, n]) },
  bound: 'memory',
  tolerance: 0,
  fluxion: (x) => x.t().contiguous(),
  // jax-js transposes by changing strides; the zero makes it write the result.
  jax:
    ({ numpy }) =>
    (x) =>
      numpy.transpose(x).add(0),
  tfjs: (tf) => (x) => tf.transpose(x),
  onnx: [{ op: 'Transpose', inputs: ['x0'], output: 'y', attributes: { perm: [1, 0] } }],
  torch: 'lambda x: x.t().clone(memory_format=torch.contiguous_format)',
  out: 'lambda o, x: o.copy_(x.t())',
  xla: 'lambda x: x.T + 0',
});

export const elementwise = [chain(large), summed('tanh', large), summed('relu', large), gelu(large), transposition(4 * Math.sqrt(million))];
export const tinyElementwise = [chain([3, 5]), summed('tanh', [3, 5]), summed('relu', [3, 5]), gelu([3, 5]), transposition(5)];
