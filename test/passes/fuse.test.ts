// What fusion must reach: kernels launched and elements moved, never more than PyTorch's Inductor moves for the same formula.
import { describe, expect, test } from 'vitest';
import { pullback } from '../../compiler/autodiff/reverse.ts';
import { b, full, lit } from '../../compiler/ir/builder.ts';
import { avalOf, type Graph, shapeOf, type Value } from '../../compiler/ir/node.ts';
import { verify } from '../../compiler/ir/verify.ts';
import { composite } from '../../compiler/ops/composite/table.ts';
import { fuse } from '../../compiler/passes/fuse/fuse.ts';
import { runPipeline } from '../../compiler/passes/pipeline.ts';
import { jsTarget, type Target } from '../../runtime/target.ts';
import { chainLength } from '../effort.ts';
import { expectSameMeaning } from '../meaning.ts';
import { passTest } from '../pass-test.ts';
import { elementsMoved, kernelsOf } from './counts.ts';

const input = (...shape: number[]): Value => b.input({ dtype: 'f32', shape });
const slot = (): Value => b.slot({ dtype: 'f32' });
const all = (v: Value): number[] => shapeOf(v).map((_, i) => i);
const like = (scalar: Value, v: Value): Value => (shapeOf(v).length === 0 ? scalar : b.expand(scalar, { shape: shapeOf(v), at: all(v) }));
const along = (row: Value, v: Value, at: readonly number[]): Value => b.expand(row, { shape: shapeOf(v), at });
const sum = (x: Value, ...axes: number[]): Value => b.sum(x, { axes });
const mm = (x: Value, y: Value): Value => b.dot(x, y, { batch: [], contract: [[1, 0]] });

/** Fuses, verifies against the target, and holds the result to the meaning of the graph. */
function fused(
  inputs: readonly Value[],
  outputs: readonly Value[],
  target: Target = jsTarget,
): { graph: Graph; kernels: number; moved: number; notes: string[] } {
  const before = { inputs, outputs };
  const notes: string[] = [];
  const graph = runPipeline(before, target, { note: (text) => notes.push(text), onPass: (_, g) => verify(g, target) });
  expectSameMeaning(before, graph);
  return { graph, kernels: kernelsOf(graph).length, moved: elementsMoved(graph), notes };
}

describe('one kernel each', () => {
  const x = input(10, 10);
  const row = input(10);
  test.each([
    ['softmax over the rows', [x], composite('softmax', [x], { axis: 1 }), 200],
    ['softmax over the columns', [x], composite('softmax', [x], { axis: 0 }), 200],
    ['log-softmax', [x], composite('logSoftmax', [x], { axis: 1 }), 200],
    ['GELU', [x], composite('gelu', [x], {}), 200],
    ['GELU by tanh', [x], composite('geluTanh', [x], {}), 200],
    ['sum and maximum of the same', [x], [sum(x, 1), b.amax(x, { axes: [1] })], 120],
    ['a sum, and a function of what is summed', [x], [sum(x, 1), b.cos(x)], 210],
    ['a sum with a permuted operand', [x], [b.add(x, b.permute(b.cos(x), { order: [1, 0] }))], 200],
    ['a function of a sum of a function', [x], [b.cos(sum(b.cos(x), 1))], 110],
    ['a full reduction and what it scales', [x], [b.div(x, like(sum(x, 0, 1), x))], 200],
    ['a row sum times a column vector', [x, row], [b.mul(along(sum(x, 1), x, [1]), along(b.cos(row), x, [0]))], 210],
    ['a column sum plus a function', [x, row], [b.add(along(sum(x, 0), x, [0]), along(b.cos(row), x, [1]))], 210],
    ['two halves joined', [row], [b.concat([b.sin(row), b.abs(row)], { axis: 0 })], 30],
    ['a number that is returned', [], [b.slot({ dtype: 'f32' })], 1],
  ] as readonly (readonly [string, readonly Value[], readonly Value[], number])[])('%s', (_, inputs, outputs, moved) => {
    const slots = outputs.filter((v) => v.node.op === 'slot');
    const result = fused([...inputs, ...slots], outputs);
    expect(result.kernels).toBe(1);
    expect(result.moved).toBeLessThanOrEqual(moved);
  });

  test('a chain of normalisations', () => {
    let y = x;
    for (let i = 0; i < 3; i++) y = b.mul(y, along(sum(y, 1), y, [1]));
    const result = fused([x], [y]);
    expect([result.kernels, result.moved]).toEqual([1, 200]);
  });
});

describe('layer norm', () => {
  const x = input(8, 10);
  const weight = input(10);
  const bias = input(10);
  const eps = lit(1e-5, 'f32');
  const results = composite('layerNorm', [x, eps, weight, bias], { rank: 1, weight: true, bias: true });

  test('forward is one kernel', () => {
    const { kernels, moved } = fused([x, weight, bias], [results[0]!]);
    expect([kernels, moved]).toEqual([1, 180]);
  });

  test('backward is two kernels', () => {
    const ct = input(8, 10);
    const gradients = pullback([results[0]!], [ct], [x, weight, bias]) as Value[];
    expect(fused([x, weight, bias, ct], gradients).kernels).toBeLessThanOrEqual(2);
  });
});

describe('contractions', () => {
  const x = input(10, 10);
  const y = input(10, 10);

  test('a function of a product is its epilogue; a dear function of an operand is stored, not made again at every reading', () => {
    const c = b.cos(x);
    const { kernels, moved } = fused([x], [b.cos(mm(c, c))]);
    expect([kernels, moved]).toEqual([2, 400]);
  });

  test('permuted operands are read in place', () => {
    const { kernels, moved } = fused([x, y], [mm(b.permute(x, { order: [1, 0] }), y)]);
    expect([kernels, moved]).toEqual([1, 300]);
  });

  test('a permuted product is computed permuted', () => {
    const { kernels } = fused([x, y], [b.add(b.permute(mm(x, y), { order: [1, 0] }), x)]);
    expect(kernels).toBe(1);
  });

  test('bias and activation are an epilogue', () => {
    const bias = input(10);
    const product = mm(x, y);
    const { kernels, moved } = fused([x, y, bias], [b.tanh(b.add(product, along(bias, product, [0])))]);
    expect([kernels, moved]).toEqual([1, 310]);
  });

  test('an update follows the gradient that it reads, which is stored as well', () => {
    const product = mm(x, y);
    const w = input(10, 10);
    const rate = slot();
    const { kernels, moved } = fused([x, y, w, rate], [product, b.sub(w, b.mul(product, like(rate, w)))]);
    expect([kernels, moved]).toEqual([1, 500]);
  });

  test('two products are two kernels, and the reason is told', () => {
    const { kernels, notes } = fused([x, y], [mm(mm(x, y), y)]);
    expect(kernels).toBe(2);
    expect(notes.join()).toContain('(dot) and %3 (dot): a contraction reads each element of its operand many times');
  });
});

/** Forward, backward and update of 784-256-10 with cross-entropy; gradients are results, too. */
function mlpStep(): Graph {
  const x = input(128, 784);
  const target = b.input({ dtype: 'i64', shape: [128] });
  const params = [input(256, 784), input(256), input(10, 256), input(10)] as const;
  const rate = slot();
  const linear = (v: Value, w: Value, bias: Value): Value => {
    const y = mm(v, b.permute(w, { order: [1, 0] }));
    return b.add(y, along(bias, y, [0]));
  };
  const pre = linear(x, params[0], params[1]);
  const logits = linear(b.max(pre, full(0, avalOf(pre))), params[2], params[3]);
  const options = { axis: 1, reduction: 'mean', weight: false, smoothing: false, ignoreIndex: -100 } as const;
  const [loss] = composite('crossEntropy', [logits, target], options);
  const gradients = pullback([loss!], [lit(1, 'f32')], params) as Value[];
  const updated = params.map((p, i) => b.sub(p, b.mul(gradients[i]!, like(rate, p))));
  return { inputs: [x, target, ...params, rate], outputs: [loss!, ...gradients, ...updated] };
}

describe('whole steps', () => {
  test('an SGD step of the MLP is at most ten kernels', () => {
    const graph = runPipeline(mlpStep(), jsTarget, { onPass: (_, g) => verify(g, jsTarget) });
    expect(kernelsOf(graph).length).toBeLessThanOrEqual(10);
  });

  test('an Adam step over twenty parameters is at most two kernels', () => {
    const shapes = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? [i + 2, i + 3] : [i + 2]));
    const [rate, beta1, beta2, eps, correction] = [slot(), slot(), slot(), slot(), slot()] as const;
    const one = lit(1, 'f32');
    const inputs: Value[] = [rate, beta1, beta2, eps, correction];
    const outputs: Value[] = [];
    for (const shape of shapes) {
      const [p, g, m, v] = [input(...shape), input(...shape), input(...shape), input(...shape)] as const;
      const m1 = b.add(b.mul(m, like(beta1, m)), b.mul(g, like(b.sub(one, beta1), g)));
      const v1 = b.add(b.mul(v, like(beta2, v)), b.mul(b.mul(g, g), like(b.sub(one, beta2), g)));
      const denominator = b.add(b.div(b.sqrt(v1), like(b.sqrt(correction), v1)), like(eps, v1));
      inputs.push(p, g, m, v);
      outputs.push(b.sub(p, b.div(b.mul(m1, like(rate, m1)), denominator)), m1, v1);
    }
    expect(fused(inputs, outputs).kernels).toBeLessThanOrEqual(2);
  });
});

describe('limits and size', () => {
  test('a kernel keeps within the buffers of its target', () => {
    const xs = Array.from({ length: 9 }, () => input(4));
    const graph = fused(xs, [xs.reduce((s, v) => b.add(s, v))], { ...jsTarget, maxBuffersPerKernel: 4 }).graph;
    for (const k of kernelsOf(graph)) expect(k.inputs.length + k.values.length).toBeLessThanOrEqual(4);
  });

  test('a concat of more operands than a kernel may read is a concat of concats', () => {
    const xs = Array.from({ length: 20 }, () => input(2));
    const graph = fused(xs, [b.concat(xs, { axis: 0 })], { ...jsTarget, maxBuffersPerKernel: 8 }).graph;
    // The three inner ones are small members of one launch.
    expect(kernelsOf(graph).length).toBe(2);
  });

  test('operands of a concat that read too much together are computed first', () => {
    const xs = Array.from({ length: 12 }, () => input(2));
    const pairs = Array.from({ length: 6 }, (_, i) => b.add(xs[2 * i]!, xs[2 * i + 1]!));
    fused(xs, [b.concat(pairs, { axis: 0 })], { ...jsTarget, maxBuffersPerKernel: 8 });
  });

  test('a kernel keeps within the ops of its target', () => {
    let y = input(4);
    const x = y;
    for (let i = 0; i < 100; i++) y = b.cos(y);
    const graph = fused([x], [y], { ...jsTarget, maxOpsPerKernel: 16 }).graph;
    for (const k of kernelsOf(graph)) expect(k.regions[0]!.outputs.length).toBe(1);
    expect(kernelsOf(graph).length).toBeGreaterThanOrEqual(7);
  });

  test('a long chain of nodes is fused without recursion', () => {
    const x = input(4);
    let y = x;
    for (let i = 0; i < chainLength / 2; i++) y = b.sin(b.add(y, x));
    const graph = runPipeline({ inputs: [x], outputs: [y] }, jsTarget);
    expect(kernelsOf(graph).length).toBeLessThanOrEqual(Math.ceil((1.6 * chainLength) / 100));
  });

  test('a dear row is stored rather than made again for every element of a large space', () => {
    const x = input(64, 512);
    const row = input(512);
    expect(fused([x, row], [b.mul(x, along(b.exp(row), x, [0]))]).kernels).toBe(2);
  });

  test('the same graph always gives the same text', async () => {
    const { print } = await import('../../compiler/ir/print.ts');
    expect(print(runPipeline(mlpStep(), jsTarget))).toBe(print(runPipeline(mlpStep(), jsTarget)));
  });

  test('an output that is a reshape of an input costs no kernel', () => {
    const x = input(4, 6);
    expect(fused([x], [b.reshape(x, { shape: [24] })]).kernels).toBe(0);
  });

  test('sizes of zero are fused as any other', () => {
    const x = input(0, 3);
    expect(fused([x], [sum(b.cos(x), 0), b.sin(x)]).kernels).toBe(1);
  });
});

passTest(
  fuse,
  'a reshape of what is stored stays outside, as an alias',
  `
  graph @g(%x: f32[4,6]) -> (%y: f32[24], %z: f32[24]) {
    %a: f32[4,6] = exp(%x)
    %s: f32[] = sum(%a) {axes: [0,1]}
    %y: f32[24] = reshape(%a) {shape: [24]}
    %b: f32[24] = expand(%s) {shape: [24], at: [0]}
    %z: f32[24] = div(%y, %b)
  }`,
  `
  graph @g(%x: f32[4,6]) -> (%y: f32[24], %z: f32[24]) {
    %a, %s: f32[4,6], f32[] = kernel(%x) {name: "exp_sum_4x6", form: rows, space: [4,6], reduce: [0,1]} body(%x: f32[4,6]) -> (%a, %s) {
      %a: f32[4,6] = exp(%x)
      %s: f32[] = sum(%a) {axes: [0,1]}
    }
    %y: f32[24] = reshape(%a) {shape: [24]}
    %z: f32[24] = kernel(%s, %y) {name: "div_24", form: pointwise, space: [24], reduce: []} body(%s: f32[], %y: f32[24]) -> (%z) {
      %b: f32[24] = expand(%s) {shape: [24], at: [0]}
      %z: f32[24] = div(%y, %b)
    }
  }`,
);

passTest(
  fuse,
  'members of several shapes share a launch, and a number',
  `
  graph @g(%x: f32[4], %y: f32[2,3], %s: slot f32) -> (%a: f32[4], %b: f32[2,3]) {
    %sx: f32[4] = expand(%s) {shape: [4], at: [0]}
    %sy: f32[2,3] = expand(%s) {shape: [2,3], at: [0,1]}
    %a: f32[4] = mul(%x, %sx)
    %b: f32[2,3] = mul(%y, %sy)
  }`,
  `
  graph @g(%x: f32[4], %y: f32[2,3], %s: slot f32) -> (%a: f32[4], %b: f32[2,3]) {
    %a, %b: f32[4], f32[2,3] = kernel(%s, %x, %y) {name: "mul_2", form: members, space: [], reduce: []} body(%s: slot f32, %x: f32[4], %y: f32[2,3]) -> (%a, %b) {
      %sx: f32[4] = expand(%s) {shape: [4], at: [0]}
      %a: f32[4] = mul(%x, %sx)
      %sy: f32[2,3] = expand(%s) {shape: [2,3], at: [0,1]}
      %b: f32[2,3] = mul(%y, %sy)
    }
  }`,
);

passTest(
  fuse,
  'a library routine takes its constants along, and nothing else',
  `
  graph @g(%i: i64[3], %u: f32[3]) -> (%y: f32[5]) {
    %zero: f32[] = literal() {value: f32 0}
    %x: f32[5] = expand(%zero) {shape: [5], at: [0]}
    %v: f32[3] = neg(%u)
    %y: f32[5] = scatterAdd(%x, %i, %v) {axis: 0, mode: trusted}
  }`,
  `
  graph @g(%i: i64[3], %u: f32[3]) -> (%y: f32[5]) {
    %v: f32[3] = kernel(%u) {name: "neg_3", form: pointwise, space: [3], reduce: []} body(%u: f32[3]) -> (%v) {
      %v: f32[3] = neg(%u)
    }
    %y: f32[5] = kernel(%i, %v) {name: "scatterAdd_5", form: library, space: [5], reduce: []} body(%i: i64[3], %v: f32[3]) -> (%y) {
      %zero: f32[] = literal() {value: f32 0}
      %x: f32[5] = expand(%zero) {shape: [5], at: [0]}
      %y: f32[5] = scatterAdd(%x, %i, %v) {axis: 0, mode: trusted}
    }
  }`,
  { notes: '%v (neg) and %y (scatterAdd): a library routine stays alone' },
);

passTest(
  fuse,
  'what waits for another kernel in between is not joined',
  `
  graph @g(%x: f32[4,6]) -> (%a: f32[4,6], %z: f32[4,6]) {
    %a: f32[4,6] = exp(%x)
    %p: f32[6,4] = permute(%a) {order: [1,0]}
    %s: f32[6] = sum(%p) {axes: [1]}
    %e: f32[4,6] = expand(%s) {shape: [4,6], at: [0]}
    %z: f32[4,6] = mul(%a, %e)
  }`,
  `
  graph @g(%x: f32[4,6]) -> (%a: f32[4,6], %z: f32[4,6]) {
    %a: f32[4,6] = kernel(%x) {name: "exp_4x6", form: pointwise, space: [4,6], reduce: []} body(%x: f32[4,6]) -> (%a) {
      %a: f32[4,6] = exp(%x)
    }
    %s: f32[6] = kernel(%a) {name: "sum_6", form: rows, space: [6,4], reduce: [1]} body(%a: f32[4,6]) -> (%s) {
      %p: f32[6,4] = permute(%a) {order: [1,0]}
      %s: f32[6] = sum(%p) {axes: [1]}
    }
    %z: f32[4,6] = kernel(%s, %a) {name: "mul_4x6", form: pointwise, space: [4,6], reduce: []} body(%s: f32[6], %a: f32[4,6]) -> (%z) {
      %e: f32[4,6] = expand(%s) {shape: [4,6], at: [0]}
      %z: f32[4,6] = mul(%a, %e)
    }
  }`,
  { notes: '%a (exp) and %z (mul): another kernel must run between them' },
);

passTest(
  fuse,
  'a value behind a barrier is made again by a kernel of its own, after what it waits for',
  `
  graph @g(%x: f32[4], %w: f32[4,4]) -> (%r: f32[4]) {
    %y: f32[4] = exp(%x)
    %g: f32[4] = dot(%w, %y) {batch: []x[], contract: [1]x[0]}
    %b: f32[4] = barrier(%x, %g)
    %again: f32[4] = exp(%b)
    %r: f32[4] = mul(%again, %g)
  }`,
  `
  graph @g(%x: f32[4], %w: f32[4,4]) -> (%r: f32[4]) {
    %y: f32[4] = kernel(%x) {name: "exp_4", form: pointwise, space: [4], reduce: []} body(%x: f32[4]) -> (%y) {
      %y: f32[4] = exp(%x)
    }
    %g: f32[4] = kernel(%w, %y) {name: "dot_4", form: contraction, space: [4], reduce: []} body(%w: f32[4,4], %y: f32[4]) -> (%g) {
      %g: f32[4] = dot(%w, %y) {batch: []x[], contract: [1]x[0]}
    }
    %b: f32[4] = barrier(%x, %g)
    %r: f32[4] = kernel(%b, %g) {name: "exp_mul_4", form: pointwise, space: [4], reduce: []} body(%b: f32[4], %g: f32[4]) -> (%r) {
      %again: f32[4] = exp(%b)
      %r: f32[4] = mul(%again, %g)
    }
  }`,
);
