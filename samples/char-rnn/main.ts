// Learns a poem by heart, character by character. The cell is recorded once, so a step compiles as fast for 800 characters as for 8.
import { compile, F, manualSeed, optim, type Tensor, tensor } from 'fluxion';
import { CharRnn } from './model.ts';
import { text } from './text.ts';

const [steps, batch, rounds] = [48, 16, 400];
const alphabet = [...new Set(text)].sort();
const codes = [...text].map((c) => alphabet.indexOf(c));

manualSeed(0);
const model = new CharRnn(alphabet.length, 96);
const optimizer = new optim.Adam(model.parameters(), { lr: 3e-3 });

const train = compile((x: Tensor, y: Tensor) => {
  optimizer.zeroGrad();
  const [logits] = model.forward(x, model.start(batch));
  const loss = F.crossEntropy(logits.reshape([-1, alphabet.length]), y.reshape([-1]));
  loss.backward();
  optimizer.step();
  return loss.detach();
});

/** `steps` characters from each of `batch` places of the text, and the characters after them. */
function excerpts(round: number): [Tensor, Tensor] {
  const at = Array.from({ length: batch }, (_, b) => (b * 67 + round * 31) % (codes.length - steps - 1));
  const shifted = (by: number): Tensor =>
    tensor(
      Array.from({ length: steps }, (_, t) => at.map((start) => codes[start + t + by]!)),
      { dtype: 'int32' },
    );
  return [shifted(0), shifted(1)];
}

const predict = compile((x: Tensor, h: Tensor) => {
  const [logits, state] = model.forward(x, h);
  return [logits.select(0, -1).argmax(-1), state] as const;
});

/** What the network thinks comes after `beginning`. */
function goOn(beginning: string, length: number): string {
  const read = (s: string): Tensor =>
    tensor(
      [...s].map((c) => [alphabet.indexOf(c)]),
      { dtype: 'int32' },
    );
  let [next, state] = predict(read(beginning), model.start(1));
  let found = '';
  while (found.length < length) {
    found += alphabet[Number(next.itemSync())]!;
    [next, state] = predict(read(found.at(-1)!), state);
  }
  return beginning + found;
}

for (let round = 0; round <= rounds; round++) {
  const loss = train(...excerpts(round));
  if (round % 50 === 0) console.log(`round ${String(round).padStart(3)}  loss ${loss.itemSync().toFixed(3)}`);
}
console.log(`\n${goOn('The Jabberwock, ', 120)}`);
