// What a forward pass stores besides what is looked at, counted as outputs of its Programs: under noGrad nothing.
import { afterEach, expect, test } from 'vitest';
import { autograd, compile, inferenceMode, manualSeed, nn, noGrad, type Tensor, tensor } from '../../compiler/index.ts';
import { type Inspected, type Watch, watch } from '../../compiler/inspect/programs.ts';

let watched: Watch | undefined;
afterEach(() => watched?.stop());
/** Names of ops whose results the Programs of `f` store. */
function stored(f: () => void): string[] {
  watched?.stop();
  watched = watch();
  f();
  return watched.programs().flatMap(outputsOf);
}
const outputsOf = ({ graph }: Inspected): string[] => graph.outputs.map((v) => v.node.op);

/** With parameters that are computed, so that no Program here makes them. */
function model(): nn.Sequential {
  manualSeed(0);
  const net = new nn.Sequential(
    new nn.Linear(6, 5),
    new nn.Tanh(),
    new nn.LayerNorm(5),
    new nn.Linear(5, 4),
    new nn.GELU(),
    new nn.Linear(4, 3),
  );
  for (const p of net.parameters()) p.dataSync();
  return net;
}
/** Data, so that no Program makes them. */
const inputs = (rows: number): Tensor =>
  tensor(Array.from({ length: rows }, (_, r) => Array.from({ length: 6 }, (__, c) => Math.sin(r + 7 * c))));

test('a forward that training looks at keeps values for backward, one for each that a derivative reads', () => {
  const net = model();
  const x = inputs(2);
  const found = stored(() => {
    for (let i = 0; i < 3; i++) {
      const loss = net(x).square().mean();
      loss.itemSync();
      loss.backward();
      for (const p of net.parameters()) p.grad = null;
    }
  });
  // From the second round on the forward Program stores them beside the loss.
  expect(found.length).toBeGreaterThan(6);
});

test('under noGrad and in inference mode it keeps nothing but what is looked at', () => {
  for (const [rows, mode] of [noGrad, inferenceMode].entries()) {
    const net = model();
    const x = inputs(3 + rows);
    const found = stored(() => {
      for (let i = 0; i < 3; i++) mode(() => void net(x).square().mean().itemSync());
    });
    expect(found).toEqual(['composite']);
  }
});

test('detach and frozen parameters keep what the rest of the way needs, and no more', () => {
  const x = inputs(7);
  const net = model();
  net.requiresGrad_(false);
  const frozen = stored(() => {
    for (let i = 0; i < 3; i++) void net(x).square().mean().itemSync();
  });
  expect(frozen).toHaveLength(1);
  expect(autograd.savedResiduals((t: Tensor) => net(t).sum(), x)).toEqual([]);
  expect(autograd.savedResiduals((t: Tensor) => noGrad(() => net(t).sum()), x.clone().requiresGrad_())).toEqual([]);
});

test('compiled too: one Program whose only output is the result', () => {
  const net = model();
  const f = compile((t: Tensor) => noGrad(() => net(t).square().mean()));
  const found = stored(() => {
    for (let i = 0; i < 3; i++) f(inputs(11)).itemSync();
  });
  expect(found).toHaveLength(1);
  expect(f.traces()).toBe(1);
});

test('training and noGrad give the same numbers', () => {
  const net = model();
  const x = inputs(2);
  expect(noGrad(() => net(x)).tolistSync()).toEqual(net(x).tolistSync());
});
