// aot(): a declaration that is called as compile(fn) is, with its arguments checked; and calls that are recorded without running anything.
import { describe, expect, test } from 'vitest';
import { declarationOf } from '../../compiler/frontend/aot.ts';
import { recordAhead } from '../../compiler/frontend/compile/ahead.ts';
import { aot, dim, F, nn, ones, optim, rand, spec, type Tensor, tensor, zeros } from '../../compiler/index.ts';
import type { Aval } from '../../compiler/ir/aval.ts';

describe('a declared function', () => {
  const double = aot((x: Tensor) => x.mul(2), { inputs: { x: spec([dim('batch', 1, 4), 3]) } });

  test('computes as the function does', () => {
    expect(double(ones([2, 3])).tolistSync()).toEqual([
      [2, 2, 2],
      [2, 2, 2],
    ]);
    expect(double.traces()).toBe(1);
  });

  test.each([
    ['a size out of its range', () => double(ones([5, 3])), "input 'x' is [batch=1..4, 3], not [5, 3]"],
    ['another shape', () => double(ones([3])), "input 'x' is [batch=1..4, 3], not [3]"],
    ['another dtype', () => double(ones([1, 3], { dtype: 'float64' })), "input 'x' is float32, not float64; convert it by to('float32')"],
    ['no tensor', () => (double as (x: unknown) => unknown)(3), "input 'x' is a tensor, not a number"],
    ['nothing', () => (double as unknown as () => unknown)(), "input 'x' is a tensor, not missing"],
  ])('refuses %s', (_name, act, message) => {
    expect(act).toThrow(message);
  });

  test('wants one size for one name', () => {
    const batch = dim('batch', { sizes: [1, 8] });
    const add = aot((x: Tensor, y: Tensor) => x.add(y), { inputs: { x: spec([batch]), y: spec([batch]) } });
    expect(() => add(zeros([1]), zeros([8]))).toThrow("input 'y' is [batch=1|8], not [8]");
    expect(add(zeros([8]), zeros([8])).shape).toEqual([8]);
  });

  test('takes structures and numbers', () => {
    const scaled = aot(({ x }: { x: Tensor }, by: number) => ({ y: x.mul(by) }), { inputs: { batch: { x: spec([2]) }, by: 'number' } });
    expect(scaled({ x: ones([2]) }, 3).y.tolistSync()).toEqual([3, 3]);
    expect(() => scaled({ x: ones([3]) }, 3)).toThrow("input 'batch.x' is [2], not [3]");
    expect(() => scaled({ x: ones([2]) }, '3' as never)).toThrow("input 'by' is a number, not a string");
  });

  test.each([
    ['no shapes', () => aot((x: Tensor) => x, undefined as never), 'there are no shapes to build for'],
    [
      'an argument that is not described',
      () => aot((x: Tensor, y: Tensor) => x.add(y), { inputs: { x: spec([1]) } }),
      'takes 2 arguments, of which 1 are described',
    ],
    ['what is no specification', () => aot((x: Tensor) => x, { inputs: { x: new Date() as never } }), "input 'x' is not described"],
    [
      'an unknown target',
      () => aot((x: Tensor) => x, { inputs: { x: spec([1]) }, targets: ['cuda' as never] }),
      "there is no target 'cuda'",
    ],
    [
      'targets that are no list',
      () => aot((x: Tensor) => x, { inputs: { x: spec([1]) }, targets: 3 as never }),
      'there are no targets to build for',
    ],
    [
      'weights that are no path',
      () => aot((x: Tensor) => x, { inputs: { x: spec([1]) }, weights: 3 as never }),
      'weights is the path of a file, but it is a number',
    ],
    ['a misspelt option', () => aot((x: Tensor) => x, { inputs: { x: spec([1]) }, target: ['js'] } as never), "has no option 'target'"],
    ['a misspelt option of a tensor', () => spec([1], { type: 'int64' } as never), "has no option 'type'"],
    ['no options of a tensor', () => spec([1], null as never), 'options must be an object, but they are null'],
    ['what is no size', () => spec([Symbol('n') as never]), 'a symbol is no size'],
    ['sizes that are no list', () => dim('n', { sizes: 3 as never }), "sizes of 'n' are whole numbers"],
    ['half a range', () => dim('n', 1, undefined as never), "'n' has no range from 1 to missing"],
    ['a fraction of a row', () => spec([1.5]), '1.5 is no size'],
    ['an empty range', () => dim('n', 4, 2), "'n' has no range from 4 to 2"],
    [
      'one name with two meanings',
      () => aot((x: Tensor) => x, { inputs: { x: spec([dim('n', 1, 2), dim('n', 1, 3)]) } }),
      "the dimension 'n' is described in two ways",
    ],
  ])('cannot be declared with %s', (_name, act, message) => {
    expect(act).toThrow(message);
  });
});

describe('recording ahead of time', () => {
  const row: Aval = { dtype: 'f32', shape: [2, 3] };

  test('runs nothing and leaves all state as it was', () => {
    const model = new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2), new nn.Dropout(0.5)).eval();
    const optimizer = new optim.Adam(model.parameters());
    const before = Object.entries(model.stateDict()).map(([key, t]) => [key, t.tolistSync()]);
    const call = recordAhead(
      ([x]) => {
        model.train();
        optimizer.zeroGrad();
        const loss = (model(x!) as Tensor).square().mean();
        loss.backward();
        optimizer.step();
        return loss;
      },
      [row],
    );
    expect(call.results).toEqual([{ dtype: 'f32', shape: [] }]);
    expect(Object.entries(model.stateDict()).map(([key, t]) => [key, t.tolistSync()])).toEqual(before);
    expect([model.training, [...model.parameters()].map((p) => p.grad)]).toEqual([false, [null, null, null, null]]);
    expect(Object.values(optimizer.stateDict().state).map((s) => s.step)).toEqual([0, 0, 0, 0]);
    // Weight, bias, two of the normalisation, each with two moments; and the running statistics.
    expect(call.written.length).toBe(4 * 3 + 2);
  });

  test('tells what each input stands for', () => {
    const w = ones([2, 3]);
    const call = recordAhead(
      ([x]) =>
        x!
          .mul(w)
          .add(tensor([1, 2, 3]))
          .mul(0.5),
      [row],
    );
    expect(call.sources.map((s) => (s.kind === 'slot' ? s.value : s.kind))).toEqual(['argument', 'state', 'constant', 0.5]);
  });

  test.each<[string, (x: Tensor) => unknown, RegExp]>([
    [
      'a look at a value',
      (x) => (x.sum().itemSync() > 0 ? x : x.neg()),
      /looks at a value, which is not there yet; choose with where\(\).* at aot\.test\.ts:\d+/,
    ],
    ['a look at an array', (x) => x.dataSync().length, /looks at a value/],
    ['a random draw', (x) => x.add(rand([3])), /draws random numbers; draw them outside/],
    ['a promise', async (x) => x, /it is async/],
    ['a write into an argument', (x) => x.add_(1), /writes into its argument/],
    ['a shape error', (x) => x.matmul(x), /matmul/],
  ])('refuses %s, and can go on', (_name, f, message) => {
    expect(() => recordAhead(([x]) => f(x!), [row])).toThrow(message);
    expect(ones([2]).add(1).tolistSync()).toEqual([2, 2]);
  });

  test('refuses gradients that the next call would add to', () => {
    const w = ones([3], { requiresGrad: true });
    const loss = (x: Tensor): Tensor => {
      const l = F.mseLoss(x.mul(w), x);
      l.backward();
      return l;
    };
    expect(() => recordAhead(([x]) => loss(x!), [row])).toThrow(
      'it goes on from gradients that an earlier call left; call zeroGrad() before backward()',
    );
    expect(w.grad).toBe(null);
  });

  test('the declaration is found by the value', () => {
    const f = aot((x: Tensor) => x, { inputs: { x: spec([1]) } });
    expect(declarationOf(f)?.inputs.map((i) => i.name)).toEqual(['x']);
    expect(declarationOf(() => 0)).toBe(undefined);
  });
});
