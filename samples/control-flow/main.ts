// A network whose depth and activation change at every step, after PyTorch's DynamicNet: plain `for` and `if` decide, and gradients follow.
import { F, manualSeed, mean, nn, optim, randint, randn, type Tensor } from 'fluxion';

/** One hidden layer, applied one to four times; what follows it depends on the values that it gives. */
class DynamicNet extends nn.Module {
  input = new nn.Linear(4, 16);
  hidden = new nn.Linear(16, 16);
  output = new nn.Linear(16, 1);
  /** What the last forward did, to be printed. */
  path = '';

  forward(x: Tensor): Tensor {
    const depth = randint(1, 5, [1]).itemSync();
    x = F.tanh(this.input(x));
    this.path = '';
    for (let layer = 0; layer < depth; layer++) {
      x = this.hidden(x);
      const positive = mean(x).itemSync() > 0;
      x = positive ? F.relu(x) : F.tanh(x);
      this.path += positive ? ' relu' : ' tanh';
    }
    return this.output(x);
  }
}

manualSeed(0);
const model = new DynamicNet();
const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
const x = randn([64, 4]);
const y = x.sin().sum(1, { keepdim: true });

for (let step = 1; step <= 300; step++) {
  optimizer.zeroGrad();
  const loss = F.mseLoss(model(x), y);
  loss.backward();
  const slope = model.hidden.weight.grad!.norm().itemSync();
  optimizer.step();
  if (step <= 5 || step % 50 === 0)
    console.log(`step ${String(step).padStart(3)}  loss ${loss.itemSync().toFixed(4)}  gradient ${slope.toFixed(4)}  hidden:${model.path}`);
}
