// The sample, from the export to text that TypeScript writes with the weights that JAX trained.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { launch, lossesOf } from './launch.ts';
import { python } from './python.ts';

const cwd = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fluxion-sample-'));
afterAll(() => rmSync(folder, { recursive: true }));
const node = async (...args: string[]): Promise<string> => (await promisify(execFile)(process.execPath, args, { cwd })).stdout;

describe.runIf(python !== undefined)('samples/scale', () => {
  test('is exported, trained on 8 devices, resumed, imported, and writes text', async () => {
    await node('compiler/cli/fluxion.mjs', 'export', 'samples/scale/step.ts', '--target', 'stablehlo', '--out', folder);
    await node('--import', 'tsx', 'samples/scale/data.ts', join(folder, 'train.safetensors'));
    const place = (file: string): string => join(folder, file);
    const common = [place('step.mlir'), '--state', place('init.safetensors'), '--data', place('train.safetensors'), '--out', folder];
    const training = [...common, '--shuffle', '0', '--log-every', '10', '--save-every', '10'];
    const first = await launch([...training, '--steps', '20'], 8);
    expect(first).toContain('8 devices, mesh data=4,model=2');
    const second = await launch([...training, '--steps', '40', '--resume'], 8);
    expect(second).toContain('at step 20');
    const [before, after] = [lossesOf(first).get(10)!, lossesOf(second).get(40)!];
    expect(after).toBeLessThan(before - 0.5);
    const text = await node('--import', 'tsx', 'samples/scale/generate.ts', place('final.safetensors'), 'Twas ', '12');
    expect(text).toMatch(/^after 40 steps:\n\nTwas [\s\S]{12}\n$/);
  }, 240_000);
});
