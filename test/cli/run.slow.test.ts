// `fluxion run` and `fluxion inspect` as users run them on a built module.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encode as encodePng } from 'fast-png';
import jpeg from 'jpeg-js';
import { afterAll, describe, expect, test } from 'vitest';
import { writeArtifact } from '../../compiler/build/artifact/write.ts';
import type { BuiltEntry } from '../../compiler/build/model.ts';
import { decodeNpy, encodeNpy } from '../../compiler/frontend/io/npy.ts';
import { tensor } from '../../compiler/index.ts';
import { classifier, modelOf, newFolder, noise, programs, removeFolders, trainer, weight } from '../build/artifact/models.ts';

const launcher = fileURLToPath(new URL('../../compiler/cli/fluxion.mjs', import.meta.url));
const folder = newFolder();
afterAll(removeFolders);

function fluxion(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { NO_COLOR: _, FORCE_COLOR: __, ...env } = process.env;
  return spawnSync(process.execPath, [launcher, ...args], { cwd: folder, encoding: 'utf8', env });
}
const write = (name: string, content: string | Uint8Array): void => writeFileSync(join(folder, name), content);

/** `scale(image, by)` gives the picture times a number. */
const [entry] = classifier().entries as [BuiltEntry];
const scale: BuiltEntry = {
  ...entry,
  name: 'scale',
  inputs: [{ name: 'image', dtype: 'f32', shape: [1, 2, 4] }],
  numbers: [{ name: 'by' }],
  parameters: [
    { name: 'image', tree: { kind: 'tensor', index: 0 } },
    { name: 'by', tree: { kind: 'number', index: 0 } },
  ],
  result: { kind: 'tensor', index: 0, dtype: 'f32', shape: [1, 2, 4] },
  variants: [
    {
      sizes: {},
      programs: programs(
        'graph @scale(%x: f32[1,2,4], %s: slot f32) -> (%y: f32[1,2,4]) { %e: f32[1,2,4] = expand(%s) {shape: [1,2,4], at: [0,1,2]} %y: f32[1,2,4] = mul(%x, %e) }',
        {
          inputs: [{ from: 'input', index: 0 }],
          slots: [{ from: 'number', index: 0 }],
          outputs: [{ to: 'result', index: 0 }],
        },
      ),
    },
  ],
};
for (const model of [classifier(), modelOf([scale], [], { name: 'scale' }), { ...trainer(4), name: 'trainer' }])
  for (const [name, content] of writeArtifact(model, { inlineBytes: 0 }).files) write(name, content);

describe('fluxion run', () => {
  const answer = [...noise(16)];

  test('takes JSON and prints JSON', () => {
    write('image.json', JSON.stringify(answer));
    const { status, stdout, stderr } = fluxion('run', 'model.js', '--input', 'image=image.json', '--target', 'js');
    expect([status, stderr]).toEqual([0, '']);
    const result = JSON.parse(stdout) as { probabilities: number[]; best: number[] };
    expect(result.probabilities).toHaveLength(10);
    expect(Math.max(...result.probabilities)).toBe(result.best[0]);
  });

  test('takes .npy and writes .npy for each array', async () => {
    write('image.npy', await encodeNpy(tensor([answer])));
    const { status, stdout, stderr } = fluxion('run', 'model.js', '--input', 'image=image.npy', '--out', 'result.npy');
    expect([status, stdout, stderr]).toEqual([0, '', '']);
    const probabilities = decodeNpy(readFileSync(join(folder, 'result.probabilities.npy')));
    expect(probabilities.shape).toEqual([1, 10]);
    expect(probabilities.sum().itemSync()).toBeCloseTo(1, 5);
    expect(decodeNpy(readFileSync(join(folder, 'result.best.npy'))).shape).toEqual([1]);
  });

  test('takes pictures, in grey where there is one channel, and numbers', () => {
    const grey = Uint8Array.of(0, 51, 102, 153, 204, 255, 0, 255);
    write('grey.png', encodePng({ width: 4, height: 2, channels: 1, data: grey }));
    write(
      'colour.png',
      encodePng({ width: 4, height: 2, channels: 3, data: Uint8Array.from({ length: 24 }, (_, i) => (i % 3 === 1 ? 255 : 0)) }),
    );
    write('grey.jpg', jpeg.encode({ width: 4, height: 2, data: Buffer.alloc(32, 255) }, 100).data);
    const results = ['grey.png', 'colour.png', 'grey.jpg'].map((file) => {
      const { status, stdout, stderr } = fluxion('run', 'scale.js', '--input', `image=${file}`, '--input', 'by=2');
      expect([status, stderr]).toEqual([0, '']);
      return JSON.parse(stdout) as number[];
    });
    expect(results[0]).toEqual([...grey].map((x) => 2 * Math.fround(x / 255)));
    expect(results[1]).toEqual(new Array(8).fill(2 * Math.fround(0.587)));
    results[2]!.forEach((x) => {
      expect(x).toBeCloseTo(2, 1);
    });
  });

  test('chooses the function by name, and takes other weights', () => {
    write('x.json', '[1, 2, 3, 4]');
    const asked = fluxion('run', 'trainer.js', '--input', 'x=x.json');
    expect([asked.status, asked.stderr]).toEqual([2, 'fluxion: name one of its functions with --entry: train, read\n']);
    const { weights } = {
      weights: writeArtifact(
        modelOf(trainer(4).entries, [weight('w', [4], Float32Array.of(5, 6, 7, 8), true)], { counters: trainer(4).counters }),
        { inlineBytes: 0 },
      ),
    };
    write('other.safetensors', [...weights.files].find(([name]) => name.endsWith('.safetensors'))![1]);
    const { status, stdout, stderr } = fluxion('run', 'trainer.js', '--entry', 'read', '--weights', 'other.safetensors');
    expect([status, stdout, stderr]).toEqual([0, '[5,6,7,8]\n', '']);
  });

  test.each([
    [['model.js'], 2, /classify wants --input image=FILE/],
    [['model.js', '--input', 'picture=x.json'], 2, /classify has no input 'picture'; it has image/],
    [['model.js', '--input', 'image=x.json'], 1, /image: 4 numbers do not have its shape/],
    [['model.js', '--weights', 'image.json', '--input', 'image=image.json'], 1, /safetensors: /],
    [['nowhere.js'], 2, /nowhere.js cannot be imported/],
    [['model.js', '--input', 'image=grey.png'], 1, /image does not take a picture of 4 x 2/],
  ] as const)('%j is one line and an exit code', (args, code, message) => {
    const { status, stdout, stderr } = fluxion('run', ...args);
    expect([status, stdout]).toEqual([code, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('fluxion inspect', () => {
  test('prints functions, kernels and sizes without running the module', () => {
    const { status, stdout } = fluxion('inspect', 'model.js');
    expect(status).toBe(0);
    expect(stdout).toContain('model.js, built from src/model.ts\n');
    expect(stdout).toContain('classify(image: float32 [1, 16]) -> { probabilities: float32 [1, 10], best: float32 [1] }   src/model.ts:3');
    expect(stdout).toMatch(/ {2}wasm: 2 kernels, 370 flops, 64 bytes of arena\n {4}dot_add_exp_1x10: 340 flops/);
    expect(stdout).toMatch(/weights +0\.8 kB/);
    expect(fluxion('inspect', 'model.js', '--graph').stdout).toContain('graph @');
  });

  test('gives data, and refuses what is no built module', () => {
    const data = JSON.parse(fluxion('inspect', 'model.js', '--json').stdout) as {
      entries: { name: string }[];
      sizes: { weights: { bytes: number } };
    };
    expect(data.entries.map((e) => e.name)).toEqual(['classify']);
    expect(data.sizes.weights.bytes).toBe(824);
    const { status, stderr } = fluxion('inspect', 'other.js');
    expect([status, stderr]).toEqual([2, expect.stringMatching(/other.js is no built module/)]);
  });
});
