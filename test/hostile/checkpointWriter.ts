// A process that writes one checkpoint after the other, until it is killed. Run by checkpoint.slow.test.ts.
import { nn, ones, saveCheckpoint } from '../../compiler/index.ts';

const model = new nn.Linear(1024, 1024);
for (let step = Number(process.argv[3]); ; step++) {
  // All elements tell the step: a checkpoint of two steps would show.
  model.loadStateDict({ weight: ones([1024, 1024]).mul(step), bias: ones([1024]).mul(step) });
  await saveCheckpoint(process.argv[2]!, { model, step });
  console.log('written');
}
