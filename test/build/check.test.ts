// What cannot be built is told at the user's line, all of it at once, and nothing is run for it.
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checkModel } from '../../compiler/build/build.ts';
import { BuildError, diagnosticText } from '../../compiler/build/diagnostic.ts';

const models = fileURLToPath(new URL('models', import.meta.url));

test('each mistake of a model file is one line, at its place', async () => {
  const error = await checkModel(`${models}/wrong.ts`).catch((e: unknown) => e);
  if (!(error instanceof BuildError)) throw error;
  expect(error.diagnostics.map((d) => diagnosticText(d, models).split('\n')[0])).toMatchInlineSnapshot(`
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
      "wrong.ts:48:1 - error COMPILE: webgpu has no float64",
      "wrong.ts:49:16 - error BUILD: a built function is exported under a name of its own, not as 'default'",
    ]
  `);
});
