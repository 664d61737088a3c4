// What transforms refuse, and in which words.
import { describe, expect, test } from 'vitest';
import * as func from '../../../compiler/frontend/func/index.ts';
import {
  ArgumentError,
  AutogradError,
  FluxionError,
  KeyError,
  nn,
  noGrad,
  ones,
  optim,
  ShapeError,
  type Tensor,
  tensor,
} from '../../../compiler/index.ts';
import { f64 } from './near.ts';

const x = f64([1, 2, 3]);
const m = ones([2, 3]);
/** The sum, after something else was done. */
const after = (_: unknown, a: Tensor): Tensor => a.sum();
const loose = (v: unknown): never => v as never;

type Row = readonly [situation: string, error: new (...args: never[]) => FluxionError, text: RegExp, run: () => unknown];
const rows: readonly Row[] = [
  ['grad of no function', ArgumentError, /^grad: expected a function, got number/, () => func.grad(loose(3))(x)],
  [
    'grad of a vector',
    AutogradError,
    /expected f\(\.\.\.args\) to return a scalar tensor, got tensor with 1 dims; maybe you wanted to use the vjp or jacrev APIs instead/,
    () => func.grad((a: Tensor) => a)(x),
  ],
  ['grad of a number', ArgumentError, /expected the function to return only tensors, got number/, () => func.grad(loose(() => 3))(x)],
  ['grad of a tuple', ArgumentError, /expected f\(\.\.\.args\) to return a tensor/, () => func.grad(loose((a: Tensor) => [a.sum()]))(x)],
  ['grad of an integer result', AutogradError, /to return a floating point tensor, got i64/, () => func.grad((a: Tensor) => a.argmax())(x)],
  [
    'grad by integers',
    AutogradError,
    /only tensors of floating point dtype can require gradients, not int64/,
    () => func.grad((a: Tensor) => a.sum())(tensor([1, 2], { dtype: 'int64' })),
  ],
  [
    'grad by a number',
    ArgumentError,
    /arguments to differentiate by are tensors, got number/,
    () => func.grad(loose((a: number) => x.sum().mul(a)))(loose(3)),
  ],
  [
    'argnums out of range',
    ArgumentError,
    /argnum 2 is out of range: there are 1 arguments/,
    () => func.grad((a: Tensor) => a.sum(), { argnums: 2 })(x),
  ],
  ['argnums twice', ArgumentError, /argnums \[0,0\] must be unique/, () => func.grad((a: Tensor) => a.sum(), { argnums: [0, 0] })(x)],
  [
    'no argnums',
    ArgumentError,
    /argnums is a position, or a non-empty list of them/,
    () => func.grad((a: Tensor) => a.sum(), { argnums: [] })(x),
  ],
  [
    'hasAux without a pair',
    ArgumentError,
    /with hasAux the function must return \[result, auxiliary\]/,
    () =>
      func.grad(
        loose((a: Tensor) => a.sum()),
        { hasAux: true },
      )(x),
  ],
  ['an async function', AutogradError, /promise/, () => func.grad(loose(async (a: Tensor) => a.sum()))(x)],
  [
    'primals that are no list',
    ArgumentError,
    /vjp: the function's arguments come as an array, got object; write vjp\(f, \[x, y\]\)/,
    () => func.vjp((a: Tensor) => a, loose(x)),
  ],
  [
    'cotangents of another structure',
    ArgumentError,
    /expected the structure of cotangents to be that of the results/,
    () => func.vjp((a: Tensor) => [a], [x])[1](loose(x)),
  ],
  [
    'cotangents of another shape',
    ArgumentError,
    /expected cotangents 0 to be f64\[3\] as in the results, got f64\[2\]/,
    () => func.vjp((a: Tensor) => a, [x])[1](f64([1, 2])),
  ],
  [
    'tangents of another dtype',
    ArgumentError,
    /expected tangents 0 to be f64\[3\] as in the primals, got f32\[3\]/,
    () => func.jvp((a: Tensor) => a, [x], [ones([3])]),
  ],
  [
    'too few tangents',
    ArgumentError,
    /expected the structure of tangents to be that of the primals/,
    () => func.jvp((a: Tensor, c: Tensor) => a.mul(c), [x, x], loose([x])),
  ],
  [
    'item() of a traced tensor',
    AutogradError,
    /^vmap: it looks like you're calling item\(\) or data\(\) on a tensor, or using one in data-dependent control flow/,
    () => func.vmap((a: Tensor) => a.mul(a.sum().itemSync()))(m),
  ],
  [
    'a condition on a traced tensor',
    AutogradError,
    /data-dependent control flow/,
    () => func.grad((a: Tensor) => (a.sum().gt(0).itemSync() ? a.sum() : a.mul(2).sum()))(x),
  ],
  ['an observing function', AutogradError, /data-dependent control flow/, () => func.vmap((a: Tensor) => a.nonzero())(m)],
  [
    'backward() of a traced tensor',
    AutogradError,
    /backward\(\) was called inside of a function under the transform vmap/,
    () => func.vmap((a: Tensor) => after(a.sum().backward(), a))(m),
  ],
  [
    'writing to a captured tensor',
    AutogradError,
    /attempted to call an in-place operation that would mutate a captured tensor/,
    () => func.grad((a: Tensor) => after(x.add_(a), a))(x),
  ],
  [
    'stepping an optimiser',
    AutogradError,
    /mutate a captured tensor/,
    () => {
      const w = ones([3], { requiresGrad: true });
      w.sum().backward();
      const sgd = new optim.SGD([w], { lr: 1 });
      func.grad((a: Tensor) => after(sgd.step(), a))(x);
    },
  ],
  [
    'using a traced tensor afterwards',
    AutogradError,
    /a tensor of the function under grad was used after the function had returned/,
    () => {
      const kept: Tensor[] = [];
      func.grad((a: Tensor) => after(kept.push(a.mul(2)), a))(x);
      kept[0]!.add(1);
    },
  ],
  [
    'looking at a traced argument afterwards',
    AutogradError,
    /was used after the function had returned/,
    () => {
      const kept: Tensor[] = [];
      func.grad((a: Tensor) => after(kept.push(a), a))(x);
      kept[0]!.dataSync();
    },
  ],
  [
    'vmap over different sizes',
    ShapeError,
    /expected all tensors to have the same size in the mapped dimension, got sizes \[2, 3\]/,
    () => func.vmap((a: Tensor, c: Tensor) => a.add(c))(ones([2]), ones([3])),
  ],
  ['vmap over nothing', ArgumentError, /got no tensor to map over/, () => func.vmap((a: Tensor) => a, { inDims: null })(m)],
  [
    'vmap over a number',
    ArgumentError,
    /got inDims 0 for an argument that is no tensor but a number; use null as its dimension/,
    () => func.vmap((a: Tensor, _: number) => a)(m, 3),
  ],
  [
    'vmap over a missing dimension',
    ShapeError,
    /got inDims 2 for a tensor of dimensionality 2, so it must satisfy -2 <= dim < 2/,
    () => func.vmap((a: Tensor) => a, { inDims: 2 })(m),
  ],
  [
    'inDims of another structure',
    ArgumentError,
    /inDims is not compatible with the structure of the arguments/,
    () => func.vmap((a: Tensor) => a, { inDims: [0, 0] })(m),
  ],
  [
    'outDims out of range',
    ShapeError,
    /got outDims 3 for a result of dimensionality 2/,
    () => func.vmap((a: Tensor) => a, { outDims: 3 })(m),
  ],
  [
    'no outDims for a mapped result',
    ArgumentError,
    /outDims is null for a result that depends on the mapped arguments/,
    () => func.vmap((a: Tensor) => a, { outDims: null })(m),
  ],
  [
    'a result that is no tensor',
    ArgumentError,
    /expected the function to return only tensors, got string/,
    () => func.vmap(loose(() => 'a'))(m),
  ],
  [
    'an unknown randomness',
    ArgumentError,
    /randomness is 'error', 'same' or 'different', got some/,
    () => func.vmap((a: Tensor) => a, { randomness: loose('some') })(m),
  ],
  ['a chunk of no size', ArgumentError, /chunkSize is a positive integer, got 0/, () => func.vmap((a: Tensor) => a, { chunkSize: 0 })(m)],
  ['jacrev of integers', AutogradError, /only tensors of floating point dtype/, () => func.jacrev((a: Tensor) => a.argsort())(x)],
  [
    'unknown names in functionalCall',
    KeyError,
    /the module has no parameter or buffer 'wait'; it has weight, bias/,
    () => func.functionalCall(new nn.Linear(3, 1), { wait: x }, [m]),
  ],
  [
    'missing names with strict',
    KeyError,
    /missing bias/,
    () => func.functionalCall(new nn.Linear(3, 1), { weight: ones([1, 3]) }, [m], { strict: true }),
  ],
  [
    'stacking different modules',
    ArgumentError,
    /expected all modules to be of the same class/,
    () => func.stackModuleState([new nn.Linear(1, 1), new nn.ReLU()]),
  ],
];

describe('transforms refuse', () => {
  test.each(rows)('%s', (_, error, text, run) => {
    let thrown: unknown;
    try {
      run();
    } catch (e) {
      thrown = e;
    }
    expect(thrown).toBeInstanceOf(error);
    expect((thrown as FluxionError).message).toMatch(text);
    expect((thrown as FluxionError).loc).toMatch(/^errors\.test\.ts:\d+$/);
  });
  test('and leave the recording as it was', () => {
    const y = x.mul(2);
    expect(() => func.vmap((a: Tensor) => a.mul(a.sum().itemSync()))(m)).toThrow(FluxionError);
    expect(y.add(1).tolistSync()).toEqual([3, 5, 7]);
    expect(noGrad(() => func.grad((a: Tensor) => a.sum())(x)).tolistSync()).toEqual([1, 1, 1]);
  });
});
