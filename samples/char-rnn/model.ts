// A recurrent network over characters: one cell, which `scan` takes along the text.
import { nn, scan, type Tensor, zeros } from 'fluxion';

export class CharRnn extends nn.Module {
  hidden: number;
  embed: nn.Embedding;
  recur: nn.Linear;
  output: nn.Linear;

  constructor(vocabulary: number, hidden: number) {
    super();
    this.hidden = hidden;
    this.embed = new nn.Embedding(vocabulary, hidden);
    this.recur = new nn.Linear(hidden, hidden);
    this.output = new nn.Linear(hidden, vocabulary);
  }

  start(batch: number): Tensor {
    return zeros([batch, this.hidden]);
  }

  /** Logits for the next character at each of the steps of `codes` ([steps, batch]), and the state after the last. */
  forward(codes: Tensor, state: Tensor): [logits: Tensor, state: Tensor] {
    const [last, states] = scan(
      (h: Tensor, x: Tensor) => {
        const next = this.recur.forward(h).add(x).tanh();
        return [next, next];
      },
      state,
      this.embed.forward(codes),
    );
    return [this.output.forward(states), last];
  }
}
