// Indices out of range: the op, the value and the limit are named, nothing is read or written outside, and every tensor stays as it was.
import { describe, expect, it } from 'vitest';
import { noGrad } from '../../compiler/frontend/autograd/mode.ts';
import { stepBoundary } from '../../compiler/frontend/boundary.ts';
import { ones, tensor } from '../../compiler/frontend/creation.ts';
import { embedding } from '../../compiler/frontend/functional/layers.ts';
import { crossEntropy, nllLoss } from '../../compiler/frontend/functional/loss.ts';
import { kept } from '../../compiler/frontend/state.ts';
import '../../compiler/frontend/tensor.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { load } from '../../compiler/jit/executable.ts';
import { onCompile } from '../../compiler/jit/structure.ts';
import { IndexError } from '../../runtime/errors.ts';

const at = (...positions: number[]): Tensor => tensor(positions, { dtype: 'int64' });
const n = 10;
/** Each op that indexes a dimension of ten elements. */
const indexed: Readonly<Record<string, (table: Tensor, i: number) => Tensor>> = {
  embedding: (x, i) => embedding(at(1, i), x),
  indexSelect: (x, i) => x.indexSelect(0, at(i)),
  gather: (x, i) => x.gather(0, at(i).reshape([1, 1])),
  index: (x, i) => x.index(at(i)),
  scatter: (x, i) => x.scatter(0, at(i).reshape([1, 1]), 1),
  scatterAdd: (x, i) => x.scatterAdd(0, at(i).reshape([1, 1]), ones([1, 1])),
  indexAdd: (x, i) => x.indexAdd(0, at(i), ones([1, 2])),
  'the class of crossEntropy': (x, i) => crossEntropy(x.t(), at(3, i)),
  'the class of nllLoss': (x, i) => nllLoss(x.t(), at(3, i)),
};

describe.each(Object.entries(indexed))('%s', (_, f) => {
  it.each([n, -n - 1, 2 ** 31 - 1, -(2 ** 31)])('refuses position %i of ten', (i) => {
    const table = kept(ones([n, 2]));
    expect(() => f(table, i).dataSync()).toThrow(IndexError);
    expect(() => f(table, i).dataSync()).toThrow(/index -?\d+ is out of range for a dimension of 10 elements/);
    expect(table.sum().itemSync()).toBe(20);
    expect(f(table, 9).dataSync().length).toBeGreaterThan(0);
  });
});

it('an update with an index out of range leaves the last state, and the next one works', () => {
  const w = kept(ones([n, 2])).requiresGrad_();
  const step = (i: number): void => {
    w.grad = null;
    embedding(at(0, i), w).sum().backward();
    noGrad(() => void w.sub_(w.grad!));
    stepBoundary();
  };
  step(3);
  const before = w.tolistSync();
  expect(() => step(n)).toThrow(IndexError);
  expect(w.tolistSync()).toEqual(before);
  step(4);
  expect(w.index(4).tolistSync()).toEqual([0, 0]);
});

it('a kernel refuses before it touches what lies beside its buffers', () => {
  const programs: Parameters<typeof load>[0][] = [];
  const stop = onCompile((e) => void programs.push(e.program));
  ones([5])
    .mul(2)
    .scatterAdd(0, at(0), ones([1]))
    .dataSync();
  stop();
  const program = programs.at(-1)!;
  const { run } = load(program);
  const room = 8;
  const inputs = program.inputs.map(({ dtype, shape }) => {
    const length = shape.reduce((m, d) => m * d, 1);
    if (dtype === 'i64') return new BigInt64Array(length).fill(-1n);
    return new Float32Array(length);
  });
  const zone = new Float32Array(5 + 2 * room).fill(77);
  const output = zone.subarray(room, room + 5);
  expect(() =>
    run(
      inputs,
      Float64Array.from(program.slots, () => 2),
      [output],
    ),
  ).toThrow(IndexError);
  expect([...zone.subarray(0, room), ...zone.subarray(room + 5)]).toEqual(Array(2 * room).fill(77));
});
