// ONNX models in onnxruntime: the samples of each op that it has in the dtypes that it has, and whole models beside the JIT.
import { describe, expect, test } from 'vitest';
import { compile, F, manualSeed, nn, noGrad, randint, randn, type Tensor } from '../../compiler/index.ts';
import { arrayOf } from '../../compiler/inspect/data.ts';
import { type OpName, opNames } from '../../compiler/ir/opset.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import { exportedModel } from '../../compiler/scale/exportModel.ts';
import { modelBytes } from '../../compiler/scale/onnx/model.ts';
import { type Case, casesOf } from '../ops/samples.ts';
import { ulpsApart } from '../run-program.ts';
import { hasOnnxRuntime, runOnnx } from './onnx.ts';

/** What ONNX has no word for; each is refused by name. */
const lacking: ReadonlySet<OpName> = new Set<OpName>([
  ...(['randomBits', 'threefry', 'bitcast', 'shl', 'shr', 'atan2', 'cumprod', 'convWeightGrad'] as const),
  ...(['cholesky', 'lu', 'triangularSolve', 'qr', 'eigh', 'svd'] as const),
]);
/** What the format leaves open, or onnxruntime decides otherwise: NaN in extrema and orders, integers that wrap, special quotients. */
const isPlain = ({ op, trial, data }: Case): boolean =>
  data.every((r) => r.dtype !== 'f64' || trial.regions !== undefined) &&
  !(op === 'pad' && (trial.attrs as { interior: readonly number[] }).interior.some((gap) => gap > 0)) &&
  !(op === 'scan' && (trial.attrs as { length: number }).length === 0) &&
  !(['amax', 'amin', 'sort', 'topk', 'floorDiv'].includes(op) && data.some((r) => r.data.some((v) => !Number.isFinite(v)))) &&
  !(['sum', 'prod'].includes(op) && data[0]!.dtype === 'i32' && data[0]!.data.some((v) => Math.abs(v) > 2 ** 30)) &&
  !(op === 'floorDiv' && data[1]!.data.includes(0));

const modelOf = ({ graph }: Case): Uint8Array =>
  modelBytes(
    'test',
    graph,
    graph.inputs.map((_, i) => ({ argument: `x${i}` })),
    graph.outputs.map((_, i) => `y${i}`),
  );

describe.runIf(hasOnnxRuntime)('in onnxruntime', () => {
  const ops = opNames.filter((op) => op !== 'input' && op !== 'slot' && op !== 'size' && !lacking.has(op));
  test.each(ops)('%s agrees with its meaning', async (op) => {
    const own = casesOf(op).filter(isPlain).slice(0, 4);
    expect(own.length).toBeGreaterThan(0);
    for (const c of own) {
      const feeds = c.data.map((r, i) => [`x${i}`, { dtype: r.dtype, shape: r.shape, data: arrayOf(r) }] as const);
      const results = await runOnnx(modelOf(c), Object.fromEntries(feeds));
      evaluate(c.graph, c.data).forEach((e, i) => {
        const got = results[`y${i}`]!;
        expect(got.dims, c.title).toEqual(e.shape);
        e.data.forEach(
          (value, k) => void expect(ulpsApart(Number(got.data[k]), value, e.dtype), `${c.title} at ${k}`).toBeLessThanOrEqual(16),
        );
      });
    }
  });

  test.each([...lacking])('%s is refused by name', (op) => {
    expect(() =>
      modelOf(casesOf(op).find(({ graph }) => graph.outputs.every((v) => v.node.outputs[0]!.shape.every((d) => d !== 0)))!),
    ).toThrow(`ONNX has no ${op}`);
  });

  class Net extends nn.Module {
    conv = new nn.Conv2d(1, 4, 3, { padding: 1 });
    norm = new nn.BatchNorm2d(4);
    head = new nn.Linear(4 * 16, 5);
    forward(x: Tensor): Tensor {
      const y = F.maxPool2d((this.norm(this.conv(x)) as Tensor).relu(), 2);
      return (this.head(y.flatten(1)) as Tensor).softmax(1);
    }
  }
  class Attention extends nn.Module {
    table = new nn.Embedding(11, 16);
    norm = new nn.LayerNorm(16);
    project = new nn.Linear(16, 48);
    forward(x: Tensor): Tensor {
      const e = this.table(x) as Tensor;
      const parts = (this.project(this.norm(e) as Tensor) as Tensor).reshape([2, 6, 3, 2, 8]).permute([2, 0, 3, 1, 4]).unbind(0);
      const [q, k, v] = parts as [Tensor, Tensor, Tensor];
      return F.gelu(F.scaledDotProductAttention(q, k, v, { isCausal: true }).transpose(1, 2).reshape([2, 6, 16]).add(e));
    }
  }
  test.each<[string, () => readonly [nn.Module & { forward(x: Tensor): Tensor }, Tensor]]>([
    ['a convolutional network', () => [new Net(), randn([2, 1, 8, 8])]],
    ['attention', () => [new Attention(), randint(0, 11, [2, 6])]],
  ])('%s gives what the JIT gives', async (_, make) => {
    manualSeed(2);
    const [model, x] = make();
    model.eval();
    const run = (t: Tensor): Tensor => noGrad(() => model.forward(t));
    const { output } = await runOnnx(exportedModel(run, { example: { x }, model }), {
      x: { dtype: x.element, shape: x.shape, data: x.dataSync() },
    });
    const expected = compile(run)(x).dataSync() as Float32Array;
    expect(output!.dims).toEqual([...run(x).shape]);
    expected.forEach((v, i) => void expect(Math.abs(Number(output!.data[i]) - v), `at ${i}`).toBeLessThan(1e-5));
  });
});
