// What holds of every differentiable function: its gradients are those of differences, both modes agree, and vmap is the loop.
import { describe, expect, test } from 'vitest';
import { gradcheck, gradgradcheck } from '../../../compiler/frontend/autograd/gradcheck.ts';
import * as func from '../../../compiler/frontend/func/index.ts';
import { flatten } from '../../../compiler/frontend/pytree.ts';
import { stack, type Tensor } from '../../../compiler/index.ts';
import { elements, expectNear } from './near.ts';
import { argument, cases, functions, others } from './table.ts';

test('the table has every function, or says why not', () => {
  const known = new Set<string>([...cases.map((c) => c.name), ...Object.keys(others)]);
  const exported = Object.entries(functions).filter(([, f]) => typeof f === 'function');
  expect(exported.map(([name]) => name).filter((name) => !known.has(name))).toEqual([]);
});

function list(y: Tensor | readonly Tensor[]): Tensor[] {
  const { tensors } = flatten(y);
  expect(tensors.length).toBeGreaterThan(0);
  return [...tensors];
}

describe.each(cases.map((c, i) => ({ ...c, title: `${c.name} #${i}` })))('$title', ({ f, inputs }) => {
  const fresh = (seed: number): Tensor[] => inputs.map((a, i) => argument(a, seed + i));
  const leaves = (): Tensor[] => fresh(1).map((t) => t.detach().requiresGrad_());
  const by = inputs.map((_, i) => i);

  test('gradients are those of differences', () => {
    expect(gradcheck(f, leaves())).toBe(true);
  });
  test('second derivatives too', () => {
    expect(gradgradcheck(f, leaves(), undefined, { fastMode: true })).toBe(true);
  });
  test('forward mode is reverse mode', () => {
    const all = (...xs: Tensor[]): Tensor[] => list(f(...xs));
    const rows = flatten(func.jacrev(all, { argnums: by })(...fresh(1))).tensors;
    const columns = flatten(func.jacfwd(all, { argnums: by })(...fresh(1))).tensors;
    for (const [i, t] of rows.entries()) expectNear(t, elements(columns[i]!));
  });
  test('vmap is the loop', () => {
    const examples = [fresh(1), fresh(5), fresh(9)];
    const all = (...xs: Tensor[]): Tensor[] => list(f(...xs));
    const loop = examples.map((xs) => all(...xs));
    const many = func.vmap(all)(...by.map((i) => stack(examples.map((xs) => xs[i]!))));
    for (const [i, t] of many.entries()) expectNear(t, elements(stack(loop.map((ys) => ys[i]!))));
  });
});
