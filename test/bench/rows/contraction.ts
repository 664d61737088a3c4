// Matrix products: square, skinny, batched, and with what follows them in a layer.
import { F } from '../../../compiler/index.ts';
import { bytesOf, type FreshRow, type FunctionRow, normal } from '../row.ts';

/** How all contenders write a product of two operands. */
const product = {
  fluxion: (x, y) => x.matmul(y),
  jax:
    ({ numpy }) =>
    (x, y) =>
      numpy.matmul(x, y),
  tfjs: (tf) => (x, y) => tf.matMul(x, y),
  onnx: [{ op: 'MatMul', inputs: ['x0', 'x1'], output: 'y' }],
  torch: 'lambda x, y: torch.matmul(x, y)',
  out: 'lambda o, x, y: torch.matmul(x, y, out=o)',
  xla: 'lambda x, y: jnp.matmul(x, y)',
} satisfies Partial<FunctionRow>;

const matmul = (n: number): FunctionRow => ({
  kind: 'function',
  work: `matmul ${n}`,
  inputs: [normal([n, n]), normal([n, n])],
  least: { flops: 2 * n ** 3, read: bytesOf([n, n], [n, n]), written: bytesOf([n, n]) },
  bound: 'contraction',
  ...product,
});

const matvec = (n: number): FunctionRow => ({
  kind: 'function',
  work: `matrix-vector ${n}`,
  inputs: [normal([n, n]), normal([n, 1])],
  least: { flops: 2 * n * n, read: bytesOf([n, n], [n]), written: bytesOf([n]) },
  bound: 'matrix-vector',
  ...product,
});

const batched = (batch: number, n: number): FunctionRow => ({
  kind: 'function',
  work: `batched matmul ${batch}x${n}x${n}`,
  inputs: [normal([batch, n, n]), normal([batch, n, n])],
  least: { flops: 2 * batch * n ** 3, read: bytesOf([batch, n, n], [batch, n, n]), written: bytesOf([batch, n, n]) },
  bound: 'contraction',
  ...product,
});

const layer = (n: number): FunctionRow => ({
  kind: 'function',
  work: `matmul+bias+GELU ${n}`,
  inputs: [normal([n, n]), normal([n, n], n ** -0.5), normal([n])],
  least: { flops: 2 * n ** 3, read: bytesOf([n, n], [n, n], [n]), written: bytesOf([n, n]) },
  bound: 'contraction',
  fluxion: (x, w, b) => F.gelu(x.matmul(w).add(b)),
  jax:
    ({ numpy, nn }) =>
    (x, w, b) =>
      nn.gelu(numpy.matmul(x, w).add(b), { approximate: false }),
  tfjs: (tf) => (x, w, b) => {
    const y = tf.add(tf.matMul(x, w), b);
    return tf.mul(tf.mul(y, 0.5), tf.add(tf.erf(tf.mul(y, Math.SQRT1_2)), 1));
  },
  onnx: [
    { op: 'MatMul', inputs: ['x0', 'x1'], output: 'p' },
    { op: 'Add', inputs: ['p', 'x2'], output: 'z' },
    { op: 'Gelu', inputs: ['z'], output: 'y' },
  ],
  torch: 'lambda x, w, b: F.gelu(torch.addmm(b, x, w))',
  xla: 'lambda x, w, b: jax.nn.gelu(x @ w + b, approximate=False)',
});

/** V8 replaces no code inside a running loop, so a module's first calls tell whether its loops live in small functions. */
const fresh = (n: number): FreshRow => {
  const { inputs, least, bound } = matmul(n);
  return { kind: 'fresh', work: `matmul ${n}, 50 ms after its first call`, inputs, least, bound, function: matmul(n) };
};

export const contractions = [...[64, 256, 512, 513, 1024, 2048].map(matmul), matvec(4096), batched(64, 128), layer(512), fresh(512)];
export const tinyContractions = [matmul(5), matvec(6), batched(3, 4), layer(5)];
