// Modules as functions of their state.
import { expect, test } from 'vitest';
import * as func from '../../../compiler/frontend/func/index.ts';
import { compile, nn, randn, type Tensor } from '../../../compiler/index.ts';
import { elements, expectNear } from './near.ts';

const model = (): nn.Sequential => new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 2));
const state = (m: nn.Module): { [name: string]: Tensor } => Object.fromEntries(m.namedParameters().map(([name, p]) => [name, p.detach()]));

test('functionalCall runs a module with other parameters, and leaves it as it was', () => {
  const [one, other] = [model(), model()];
  const x = randn([5, 3]);
  const before = elements(one(x));
  expectNear(func.functionalCall(one, state(other), [x]), elements(other(x)), 1e-6);
  expectNear(one(x), before, 0);
  expect(() => func.functionalCall(one, state(other), [randn([5, 7])])).toThrow();
  expectNear(one(x), before, 0);
});

test('gradients for each sample by all parameters, as the loop gives them', () => {
  const net = model();
  const x = randn([4, 3]);
  const loss = (p: { [name: string]: Tensor }, row: Tensor): Tensor => func.functionalCall(net, p, [row]).square().sum();
  const each = func.vmap(func.grad(loss), { inDims: [null, 0] })(state(net), x);
  for (let i = 0; i < 4; i++) {
    net.zeroGrad();
    net(x.select(0, i)).square().sum().backward();
    for (const [name, p] of net.namedParameters()) expectNear(each[name]!.select(0, i), elements(p.grad!), 1e-5);
  }
});

test('an ensemble runs as one by its stacked state', () => {
  const nets = [model(), model(), model()];
  const [parameters, buffers] = func.stackModuleState(nets);
  expect(Object.keys(buffers)).toEqual([]);
  expect(parameters['0.weight']!.shape).toEqual([3, 4, 3]);
  expect(parameters['0.weight']!.requiresGrad).toBe(true);
  const x = randn([5, 3]);
  const run = compile((p: { [name: string]: Tensor }, a: Tensor) =>
    func.vmap((one: { [name: string]: Tensor }) => func.functionalCall(nets[0]!, one, [a]).detach())(p),
  );
  const all = run(parameters, x);
  for (const [i, net] of nets.entries()) expectNear(all.select(0, i), elements(net(x)), 1e-6);
});

test('running statistics that are given are updated where they were given', () => {
  const net = new nn.BatchNorm1d(2);
  const x = randn([8, 2]);
  const buffers = Object.fromEntries(net.namedBuffers().map(([name, t]) => [name, t.clone()]));
  const own = elements(net.namedBuffers()[0]![1]);
  const y = func.grad((a: Tensor) =>
    func
      .functionalCall(net, Object.fromEntries(Object.entries(buffers).map(([k, t]) => [k, t.add(0).mul(a.sum().mul(0).add(1))])), [a])
      .square()
      .sum(),
  )(x);
  expect(y.shape).toEqual([8, 2]);
  expect(elements(net.namedBuffers()[0]![1])).toEqual(own);
});
