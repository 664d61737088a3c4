// FLUXION_LOG shows what is compiled, while it is compiled.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { tensor } from '../../compiler/index.ts';
import { parseModule } from '../../compiler/ir/parse.ts';
import { forgetStructures } from '../../compiler/jit/structure.ts';
import { pipeline } from '../../compiler/passes/pipeline.ts';
import { ArgumentError } from '../../runtime/errors.ts';

const shown: string[] = [];
beforeEach(() => {
  shown.length = 0;
  forgetStructures();
  vi.spyOn(console, 'error').mockImplementation((text: string) => void shown.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

test('of passes: the recording and what each pass made of it, as graphs that parse', () => {
  vi.stubEnv('FLUXION_LOG', 'passes');
  for (let i = 0; i < 2; i++) tensor([1, 2]).mul(3).sum().itemSync();
  expect(parseModule(shown.join('\n')).map(({ name }) => name)).toEqual(['recorded', ...pipeline.map((pass) => pass.name)]);
});

test('of kernels: the generated functions', () => {
  vi.stubEnv('FLUXION_LOG', 'kernels');
  tensor([1, 2]).mul(3).sum().itemSync();
  expect(shown.join('\n')).toMatch(/^function mul_sum_\w+\(.*\) \{\n/);
});

test('of fusion: which neighbours were kept apart, and why', () => {
  vi.stubEnv('FLUXION_LOG', 'fusion');
  const x = tensor([
    [1, 2],
    [3, 4],
  ]);
  x.sum(0).mul(x.matmul(x).sum(1)).sum().itemSync();
  expect(shown.join('\n')).toMatch(/^not fused:\n {2}%\S+ \(\w+\) and %\S+ \(\w+\): .+/);
});

test('of memory: the arena against its lower bound', () => {
  vi.stubEnv('FLUXION_LOG', 'memory');
  tensor([1, 2]).mul(3).sum().itemSync();
  expect(shown).toEqual(['arena 0 bytes, lower bound 0 bytes, kernels: 1']);
});

test('of nothing, unless it is asked for', () => {
  tensor([1, 2]).mul(3).sum().itemSync();
  expect(shown).toEqual([]);
});

test('of what there is no log of is refused', () => {
  vi.stubEnv('FLUXION_LOG', 'kernels,thoughts');
  expect(() => tensor([1, 2]).mul(3).sum().itemSync()).toThrow(ArgumentError);
  expect(() => tensor([1, 2]).mul(3).sum().itemSync()).toThrow(
    /FLUXION_LOG: there is no log of 'thoughts'; ask for guards, retraces, passes, fusion, kernels, memory, cache at/,
  );
});
