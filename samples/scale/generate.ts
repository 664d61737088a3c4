// Writes on from a beginning with the weights that JAX trained: `npx tsx samples/scale/generate.ts run/final.safetensors`.
import { readFile } from 'node:fs/promises';
import { compile, noGrad, type Tensor, tensor } from 'fluxion';
import { importStep } from 'fluxion/scale';
import { alphabet, context, newModel } from './task.ts';

const [path = 'run/final.safetensors', beginning = "'Twas brillig, and the slithy toves\n", length = '160'] = process.argv.slice(2);
const model = newModel();
const steps = importStep(await readFile(path), { model });

/** For a whole window of characters, the likeliest after each. */
const guess = compile((x: Tensor) => noGrad(() => model.forward(x).argmax(-1)));

let found = beginning;
for (let i = 0; i < Number(length); i++) {
  const window = [...found.slice(-context)].map((c) => Math.max(0, alphabet.indexOf(c)));
  const padded = [...window, ...Array<number>(context - window.length).fill(0)];
  const guesses = guess(tensor([padded], { dtype: 'int32' }));
  found += alphabet[Number(guesses.index(0, window.length - 1).itemSync())]!;
}
console.log(`after ${steps} steps:\n\n${found}`);
