// What cannot be built is told at the user's line, all of it at once, and nothing is run for it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checkModel } from '../../compiler/build/build.ts';
import { BuildError, diagnosticText } from '../../compiler/build/diagnostic.ts';

const models = fileURLToPath(new URL('models', import.meta.url));

/** The first line of each diagnostic. */
async function problemsOf(file: string): Promise<(string | undefined)[]> {
  const error = await checkModel(`${models}/${file}`).catch((e: unknown) => e);
  if (!(error instanceof BuildError)) throw error;
  return error.diagnostics.map((d) => diagnosticText(d, models).split('\n')[0]);
}

test('each mistake of a model file is one line, at its place', async () => {
  expect(await problemsOf('wrong.ts')).toMatchInlineSnapshot(`
    [
      "wrong.ts:10:51 - error SHAPE: matmul: inner dimensions differ: [8,3] x [8,4] (contracting 3 with 8)",
      "wrong.ts:11:53 - error COMPILE: aot: it looks at a value, which is not there yet; choose with where() or cond(), or return the tensor",
      "wrong.ts:12:53 - error COMPILE: aot: it looks at a value, which is not there yet; choose with where() or cond(), or return the tensor",
      "wrong.ts:13:47 - error COMPILE: aot: it draws random numbers; draw them outside and pass them in",
      "wrong.ts:17:5 - error COMPILE: a number here is not the same in every call: it depends on Math.random(), the clock or state that it changes; pass what differs as a tensor",
      "wrong.ts:21:14 - error COMPILE: it does not do the same in every call: it depends on Math.random(), the clock or state that it changes; pass what differs as a tensor",
      "wrong.ts:22:1 - error COMPILE: a number here is not the same in every call: it depends on Math.random(), the clock or state that it changes; pass what differs as a tensor",
      "wrong.ts:23:14 - error COMPILE: input 'n' is described as number 1, but is parameter number 2 of the function",
      "wrong.ts:24:14 - error COMPILE: parameter 'n' is a number: describe it as 'number'",
      "wrong.ts:25:1 - error COMPILE: a number here is not the same in every call: it depends on Math.random(), the clock, arithmetic on a number that is passed or state that it changes; pass what differs as a tensor",
      "wrong.ts:26:14 - error COMPILE: it gives back an object of class Map, which cannot be written down; give back tensors, numbers and text",
      "wrong.ts:27:14 - error COMPILE: aot: it writes into its argument; return the new value instead",
      "wrong.ts:28:14 - error COMPILE: aot: it goes on from gradients that an earlier call left; call zeroGrad() before backward()",
      "wrong.ts:40:14 - error COMPILE: aot: it changes state of the host, such as the step of a schedule; do that outside of it",
      "wrong.ts:44:14 - error COMPILE: aot: it is async; declare the part between two awaits",
      "wrong.ts:45:14 - error COMPILE: dimension 0 of a result does not grow evenly with n=1|2|3",
      "wrong.ts:48:16 - error BUILD: a built function is exported under a name of its own, not as 'default'",
    ]
  `);
});

test('targets are checked by the dtypes that they have, and are those of all functions of a file', async () => {
  expect(await problemsOf('absent.ts')).toEqual([
    'absent.ts:5:1 - error COMPILE: webgpu has no float64',
    "absent.ts:6:14 - error BUILD: it is for js, wasm, but 'absent' of the same file for webgpu",
    "absent.ts:7:14 - error BUILD: a built function is exported under a name of its own, not as 'load', which every built module has",
  ]);
});

test('a diagnostic shows the line and marks what it is about', () => {
  const found = { file: `${models}/absent.ts`, line: 5, column: 23, code: 'SHAPE', message: 'no' };
  expect(diagnosticText(found, models)).toBe(
    "absent.ts:5:23 - error SHAPE: no\n\n5 export const absent = aot((x: Tensor) => x.double().mul(2), { inputs, targets: ['webgpu'] });\n                        ~~~\n",
  );
});

test('what does not parse is told as TypeScript tells it, and an error of the module at its line', async () => {
  const folder = mkdtempSync(`${tmpdir()}/fluxion-check-`);
  try {
    writeFileSync(`${folder}/broken.ts`, 'export const z = ;\n');
    writeFileSync(`${folder}/imports.ts`, "export * from './broken.js';\n");
    const error = await checkModel(`${folder}/imports.ts`).catch((e: unknown) => e);
    expect((error as BuildError).diagnostics).toEqual([
      { file: `${folder}/broken.ts`, line: 1, column: 18, code: 'TS1109', message: 'Expression expected.' },
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
