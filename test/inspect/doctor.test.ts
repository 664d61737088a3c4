// What the examination of a machine finds, here where both devices work.
import { afterEach, expect, test, vi } from 'vitest';
import { examine } from '../../compiler/inspect/index.ts';

afterEach(() => vi.unstubAllGlobals());

const stateOf = async (what: string): Promise<string | undefined> => (await examine()).find((f) => f.what === what)?.state;

test('devices are tried, and nothing is broken', async () => {
  const findings = await examine();
  expect(findings.filter((f) => f.state === 'broken')).toEqual([]);
  expect(findings.map((f) => f.what)).toEqual(
    expect.arrayContaining([
      'engine',
      'device js',
      'device wasm',
      'SIMD',
      'relaxed SIMD',
      'SharedArrayBuffer',
      'threads',
      'WebGPU adapter',
      'cache',
    ]),
  );
});

test('what is missing has a way out', async () => {
  vi.stubGlobal('SharedArrayBuffer', undefined);
  const shared = (await examine()).find((f) => f.what === 'SharedArrayBuffer');
  expect(shared).toMatchObject({ state: 'missing', fix: expect.stringContaining('Cross-Origin-Opener-Policy') });
});

test('an adapter is asked for where the engine has one', async () => {
  vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => ({ info: { vendor: 'v', architecture: 'a' } }) } });
  expect(await stateOf('WebGPU adapter')).toBe('ok');
  vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => null } });
  expect(await stateOf('WebGPU adapter')).toBe('missing');
});

test('an adapter whose device does not come is told', async () => {
  const adapter = { features: new Set(), limits: {}, requestDevice: () => Promise.reject(new Error('out of luck')) };
  vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => adapter } });
  const found = (await examine()).find((f) => f.what === 'device webgpu');
  expect(found).toMatchObject({ state: 'broken', detail: expect.stringContaining('out of luck'), fix: 'update the driver' });
});
