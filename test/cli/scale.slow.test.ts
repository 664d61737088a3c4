// `fluxion export` and `fluxion import` as users call them, on the sample.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test, vi } from 'vitest';
import { main } from '../../compiler/cli/main.ts';
import { readSafetensors } from '../../runtime/safetensors.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fluxion-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Ended = { readonly code: number; readonly output: string };
const fluxion = (...args: string[]): Promise<Ended> =>
  new Promise((done) => {
    execFile(process.execPath, ['compiler/cli/fluxion.mjs', ...args], { cwd: root }, (error, stdout, stderr) =>
      done({ code: Number(error?.code ?? 0), output: stdout + stderr }),
    );
  });
const names = (file: string): string[] => [...readSafetensors(new Uint8Array(readFileSync(file))).tensors.keys()].sort();

test('a step is exported, and its state imported by the names of the state dict', async () => {
  const out = join(folder, 'run');
  const exported = await fluxion('export', 'samples/scale/step.ts', '--target', 'stablehlo', '--out', out);
  expect(exported).toMatchObject({ code: 0, output: expect.stringContaining('run.py --data FILE --steps N') });
  expect(readdirSync(out).sort()).toEqual(['init.safetensors', 'requirements.txt', 'run.py', 'step.mlir']);
  const weights = join(folder, 'weights.safetensors');
  const imported = await fluxion('import', join(out, 'init.safetensors'), '--out', weights);
  expect(imported).toMatchObject({ code: 0, output: expect.stringContaining('tensors after 0 steps') });
  expect(names(weights)).toContain('blocks.0.mlp.0.weight');
  expect(names(join(folder, 'weights.optimizer.safetensors'))).toContain('expAvg:blocks.0.mlp.0.weight');
});

test('mistakes are one line and exit code 2', async () => {
  const file = join(folder, 'nothing.mjs');
  writeFileSync(file, 'export const x = 1;\n');
  const out = join(folder, 'none');
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['export', file], 'export wants --out FOLDER'],
    [['export', file, '--out', out, '--target', 'hlo'], "export writes stablehlo or onnx, not 'hlo'"],
    [['export', file, '--out', out], 'has nothing to export; let it call'],
    [['import', file], 'safetensors'],
  ];
  const argv = process.argv;
  const said = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    for (const [args, message] of cases) {
      said.mockClear();
      expect(await main(args), message).toBe(2);
      expect(said.mock.calls).toEqual([[expect.stringContaining(message)]]);
    }
  } finally {
    said.mockRestore();
    process.argv = argv;
  }
  expect(existsSync(out)).toBe(false);
});
