// The model of the page: a small convolutional network, and what the build step makes of it.
import { aot, F, nn, spec, type Tensor } from 'fluxion';

import { side } from './size.ts';

/** Two convolutions, each followed by pooling, and a linear classifier: 20 490 numbers. */
export class DigitNet extends nn.Module {
  conv1 = new nn.Conv2d(1, 16, 3, { padding: 1 });
  conv2 = new nn.Conv2d(16, 32, 3, { padding: 1 });
  output = new nn.Linear(32 * 7 * 7, 10);

  /** Logits for images of ink between 0 and 1. */
  forward(ink: Tensor): Tensor {
    let x = ink.sub(0.1307).div(0.3081); // Mean and standard deviation of MNIST's pixels.
    x = F.maxPool2d(F.relu(this.conv1(x)), 2);
    x = F.maxPool2d(F.relu(this.conv2(x)), 2);
    return this.output(x.flatten(1));
  }
}

const net = new DigitNet().eval();

/** How probable each of the ten digits is. */
export const classify = aot((image: Tensor) => net(image).softmax(1).squeeze(0), {
  inputs: { image: spec([1, 1, side, side]) },
  targets: ['wasm', 'js'], // So small a network is done before a GPU has begun.
  weights: 'weights.safetensors',
});
