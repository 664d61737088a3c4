// What derivatives cost in Programs: a whole Jacobian is one, and a forward pass that needs no gradient keeps nothing for one.
import { expect, test } from 'vitest';
import { func, noGrad, randn, type Tensor, tensor } from '../../compiler/index.ts';
import { watch } from '../../compiler/inspect/index.ts';
import { launchesOf, type Program } from '../../runtime/program.ts';

const size = 64;

function mlp(requiresGrad: boolean): (x: Tensor) => Tensor {
  const [w, v] = [randn([size, 32], { requiresGrad }), randn([32, size], { requiresGrad })];
  for (const t of [w, v]) t.dataSync();
  return (x) => x.matmul(w).tanh().matmul(v);
}

function programsOf(f: () => Tensor): Program[] {
  const watched = watch();
  f().dataSync();
  watched.stop();
  return watched.programs().map((p) => p.program());
}

test.each([
  ['jacrev', func.jacrev],
  ['jacfwd', func.jacfwd],
] as const)('%s of a network of 64 results by 64 arguments is one Program', (_, jac) => {
  const f = mlp(false);
  const x = tensor(new Float64Array(size), { dtype: 'float32' });
  const programs = programsOf(() => jac(f)(x));
  expect(programs).toHaveLength(1);
  // Forward, the derivative of all rows at once, and what stands between them: not a kernel for each row.
  expect(launchesOf(programs[0]!.steps).length).toBeLessThan(8);
});

test('a forward pass under noGrad has the result as its only output', () => {
  const f = mlp(true);
  const x = tensor(new Float64Array(size), { dtype: 'float32' });
  const [program, ...others] = programsOf(() => noGrad(() => f(x)));
  expect(others).toEqual([]);
  expect(program!.outputs.map((o) => o.shape)).toEqual([[size]]);
});
