// A network that has the structure of its input: an expression is a tree, and each kind of node is a small network over its children.
import { cat, nn, type Tensor } from 'fluxion';
import type { Expression } from './expression.ts';

export class TreeNet extends nn.Module {
  bits: nn.Embedding;
  not: nn.Linear;
  and: nn.Linear;
  or: nn.Linear;
  xor: nn.Linear;
  output: nn.Linear;

  constructor(width: number) {
    super();
    this.bits = new nn.Embedding(2, width);
    this.not = new nn.Linear(width, width);
    this.and = new nn.Linear(2 * width, width);
    this.or = new nn.Linear(2 * width, width);
    this.xor = new nn.Linear(2 * width, width);
    this.output = new nn.Linear(width, 2);
  }

  /** What is known of an expression, from what is known of its parts; `bits` are its bits in the order in which they stand in it. */
  private encode(e: Expression, bits: Iterator<Tensor>): Tensor {
    switch (e.kind) {
      case 'bit':
        return bits.next().value as Tensor;
      case 'not':
        return this.not.forward(this.encode(e.of, bits)).tanh();
      default:
        return this[e.kind].forward(cat([this.encode(e.left, bits), this.encode(e.right, bits)], -1)).tanh();
    }
  }

  /** Logits of 0 and 1 for the values of an expression, one for each row of bits ([batch, bits]). */
  forward(e: Expression, values: Tensor): Tensor {
    const bits = this.bits.forward(values).unbind(1);
    return this.output.forward(this.encode(e, bits[Symbol.iterator]()));
  }
}
