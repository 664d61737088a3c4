// The two networks that can be trained: a multilayer perceptron and a small convolutional network.
import { F, nn, type Tensor } from 'fluxion';

/** One hidden layer. */
class MLP extends nn.Module {
  hidden = new nn.Linear(784, 128);
  output = new nn.Linear(128, 10);

  forward(x: Tensor): Tensor {
    return this.output(F.relu(this.hidden(x.flatten(1))));
  }
}

/** Two convolutions, each followed by pooling, and a linear classifier. */
class CNN extends nn.Module {
  conv1 = new nn.Conv2d(1, 8, 3, { padding: 1 });
  conv2 = new nn.Conv2d(8, 16, 3, { padding: 1 });
  output = new nn.Linear(16 * 7 * 7, 10);

  forward(x: Tensor): Tensor {
    x = F.maxPool2d(F.relu(this.conv1(x)), 2);
    x = F.maxPool2d(F.relu(this.conv2(x)), 2);
    return this.output(x.flatten(1));
  }
}

export const models = { mlp: () => new MLP(), cnn: () => new CNN() };
