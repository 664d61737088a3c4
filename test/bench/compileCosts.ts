// What a call of a compiled function costs beside its kernels: the check of its guards, a replay, and each branch on the way.
import { type Compilation, call, compilationOf } from '../../compiler/frontend/compile/calls.ts';
import { admits, forget } from '../../compiler/frontend/compile/guards.ts';
import { compile, nn, randn, type Tensor, tensor } from '../../compiler/index.ts';
import { mlpStep } from '../replay/steps.ts';
import { microseconds } from './clock.ts';
import type { Cost } from './costs.ts';

/** 20 tensors as arguments, and a module with 18 tensors besides its mode and hooks. */
function guardedCall(): { compilation: Compilation; args: readonly unknown[] } {
  class Wide extends nn.Module {
    constructor() {
      super();
      for (let i = 0; i < 18; i++) this.registerParameter(`w${i}`, new nn.Parameter(tensor([i])));
    }
    forward(x: Tensor): Tensor {
      let y = this.training ? x : x.neg();
      for (const p of this.parameters()) y = y.mul(p.detach());
      return y;
    }
  }
  const net = new Wide();
  const args = Array.from({ length: 20 }, (_, i) => tensor([i, 1]));
  const sum = (...xs: Tensor[]): Tensor => (net(xs.reduce((a, b) => a.add(b))) as Tensor).detach();
  const compilation = compilationOf(sum as Compilation['fn'], {
    name: 'sum',
    at: undefined,
    maxVariants: 8,
    fullgraph: false,
    check: false,
    dynamic: false,
  });
  call(compilation, args);
  call(compilation, args);
  return { compilation, args };
}

function guards(): Cost[] {
  const { compilation, args } = guardedCall();
  const s = compilation.specialisations[0]!;
  const many = 1000;
  const check = (): void => {
    for (let i = 0; i < many; i++) {
      if (!admits(s, args)) throw new Error('a guard failed');
      forget(s);
    }
  };
  const time = microseconds(check) / many;
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 100; i++) check();
  const bytes = Math.max(0, process.memoryUsage().heapUsed - before) / (100 * many);
  const count = s.root.guards.state.length + s.root.guards.captured.length;
  return [
    { what: `checking 20 tensors and ${count} guards of modules and captures`, value: time, unit: 'µs', aim: '< 1.5' },
    { what: '  what it allocates', value: bytes, unit: 'bytes', aim: '0' },
  ];
}

/** Looks at a boolean so many times; all known. */
function branching(looks: number): Cost {
  const x = tensor([1]);
  const f = compile((t: Tensor) => {
    let y = t;
    for (let i = 0; i < looks; i++) y = y.gt(0).any().itemSync() ? y.add(1) : y;
    return y;
  });
  return { what: `replay with ${looks} looks at a boolean`, value: microseconds(() => void f(x)), unit: 'µs' };
}

export function compiled(): Cost[] {
  const step = compile(mlpStep({ batch: 2, inputs: 2, hidden: 16, classes: 1 }));
  const add = compile((x: Tensor) => x.add(1));
  const x = randn([2]);
  return [
    ...guards(),
    { what: 'compiled MLP 2-16-1, batch 2, SGD: a whole step', value: microseconds(() => void step()), unit: 'µs', aim: '< 15' },
    { what: 'replay of one op', value: microseconds(() => void add(x)), unit: 'µs' },
    branching(1),
    branching(10),
  ];
}
