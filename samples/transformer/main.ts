// Trains a small transformer on six sonnets, character by character, and lets it write: `npx tsx samples/transformer/main.ts`.
// `--rounds N` of `--steps N`; `--save PATH` keeps a checkpoint after each round, `--resume PATH` goes on from one, to the same bits as if it had never stopped.
import { parseArgs } from 'node:util';
import {
  compile,
  DataLoader,
  data,
  F,
  loadCheckpoint,
  manualSeed,
  multinomial,
  noGrad,
  optim,
  saveCheckpoint,
  type Tensor,
  tensor,
} from 'fluxion';
import { startProgress } from '../mnist/progress.ts';
import { alphabetOf, Excerpts, encode } from './data.ts';
import { CharTransformer } from './model.ts';
import { text } from './text.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '12' },
    steps: { type: 'string', default: '50' },
    save: { type: 'string' },
    resume: { type: 'string' },
    seed: { type: 'string', default: '0' },
  },
});
const [batchSize, stepsPerRound, context] = [16, Number(options.steps), 64];

manualSeed(Number(options.seed));
const alphabet = alphabetOf(text);
const excerpts = new Excerpts(encode(text, alphabet), context);
const model = new CharTransformer({ vocabulary: alphabet.length, context, width: 64, heads: 4, layers: 2 });
const optimizer = new optim.AdamW(model.parameters(), { lr: 3e-3 });
const loader = new DataLoader(excerpts, {
  batchSize,
  sampler: new data.RandomSampler(excerpts, { replacement: true, numSamples: stepsPerRound * batchSize }),
});

const train = compile((x: Tensor, y: Tensor) => {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(model.forward(x).flatten(0, 1), y.flatten());
  loss.backward();
  optimizer.step();
  return loss.detach();
});

const chances = compile((codes: Tensor) => noGrad(() => model.forward(codes).select(1, -1).div(0.5).softmax(-1)));

/** What the network writes after the first words of the text. */
function write(length: number): string {
  const codes = encode(text.slice(0, context), alphabet);
  for (let i = 0; i < length; i++) {
    const next = multinomial(chances(tensor([codes.slice(-context)], { dtype: 'int32' })), 1);
    codes.push(next.itemSync());
  }
  return codes
    .slice(context)
    .map((code) => alphabet[code])
    .join('');
}

const checkpoint = { model, optimizer };
let round = options.resume === undefined ? 0 : ((await loadCheckpoint(options.resume, checkpoint)).step ?? 0);

// The first Ctrl-C ends the run after the step at hand, a second one at once.
let isInterrupted = false;
process.once('SIGINT', () => {
  isInterrupted = true;
});

console.log(`${model.parameters().reduce((n, p) => n + p.numel(), 0)} parameters, ${text.length} characters`);
for (; round < Number(options.rounds) && !isInterrupted; round++) {
  const progress = startProgress(`round ${round + 1}/${options.rounds}`, stepsPerRound, process.stdout, 'steps');
  let [steps, total] = [0, 0];
  for await (const [x, y] of loader) {
    total += train(x, y).itemSync();
    progress.advance(++steps, total / steps);
    if (isInterrupted) break;
  }
  progress.finish(`loss ${(total / steps).toFixed(4)}`);
  if (!isInterrupted) console.log(`  ${JSON.stringify(write(60))}`);
  // A round that was broken off is begun again.
  if (options.save !== undefined) await saveCheckpoint(options.save, { ...checkpoint, step: isInterrupted ? round : round + 1 });
}
if (isInterrupted) process.exit(130);
