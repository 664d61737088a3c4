// Learns to evaluate boolean expressions by a network that is put together anew for each of them: `npx tsx samples/tree-net/main.ts`.
// Compiled, a step is recorded for each shape of expression (and perhaps once more, when some parts have learned more often than others).
import { compile, F, manualSeed, noGrad, optim, randint, type Tensor } from 'fluxion';
import { draw, type Expression, evaluate, width, written } from './expression.ts';
import { TreeNet } from './model.ts';

const [shapes, unseen, epochs, batch] = [16, 8, 40, 32];

manualSeed(0);
const model = new TreeNet(32);
const optimizer = new optim.Adam(model.parameters(), { lr: 3e-3 });

/** Different expressions of depth 1 to 3, and not those of `others`. */
function expressions(count: number, others: readonly Expression[] = []): Expression[] {
  const seen = new Set(others.map(written));
  const found: Expression[] = [];
  for (let depth = 1; found.length < count; depth = 1 + (depth % 3)) {
    const e = draw(depth);
    if (!seen.has(written(e))) found.push(e);
    seen.add(written(e));
  }
  return found;
}

const train = compile(
  function train(e: Expression, bits: Tensor) {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(e, bits), evaluate(e, bits));
    loss.backward();
    optimizer.step();
    return loss.detach();
  },
  { maxVariants: 4 * shapes },
);

/** The share of inputs for which the network finds the value. */
const accuracy = (e: Expression): number => {
  const bits = randint(0, 2, [256, width(e)], { dtype: 'int32' });
  return noGrad(() => model.forward(e, bits).argmax(-1).eq(evaluate(e, bits)).to('float32').mean()).itemSync();
};
const percent = (shares: readonly number[]): string => `${((100 * shares.reduce((a, b) => a + b)) / shares.length).toFixed(1)} %`;

const known = expressions(shapes);
for (let epoch = 1; epoch <= epochs; epoch++) {
  let total = 0;
  for (const e of known) total += train(e, randint(0, 2, [batch, width(e)], { dtype: 'int32' })).itemSync();
  if (epoch % 10 === 0)
    console.log(`epoch ${epoch}  loss ${(total / shapes).toFixed(3)}  traces ${train.traces()} of ${epoch * shapes} steps`);
}
const others = expressions(unseen, known);
console.log(`expressions of ${shapes} shapes that it learned from: ${percent(known.map(accuracy))}`);
console.log(`expressions of ${unseen} other shapes: ${percent(others.map(accuracy))}, such as ${written(others.at(-1)!)}`);
