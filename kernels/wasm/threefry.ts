// Threefry-2x32 with 20 rounds (Salmon et al. 2011) over words of any width: scalars and lanes take the same steps.
import type { Node } from './function.ts';

/** Arithmetic on 32-bit words. */
export type Words = {
  readonly bind: (x: Node) => Node;
  readonly constant: (n: number) => Node;
  readonly add: (x: Node, y: Node) => Node;
  readonly xor: (x: Node, y: Node) => Node;
  readonly rotate: (x: Node, by: number) => Node;
};

const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

/** First word of the block at counter (index, 0) under the key (key, stream). */
export function threefryOf(w: Words, key: Node, stream: Node, index: Node): Node {
  const first = w.bind(key);
  const second = w.bind(stream);
  const keys = [first, second, w.bind(w.xor(w.constant(0x1bd11bda), w.xor(first, second)))];
  let a = w.bind(w.add(index, first));
  let b = second;
  for (let group = 1; group <= 5; group++) {
    for (const by of rotations[(group - 1) % 2]!) {
      a = w.bind(w.add(a, b));
      b = w.bind(w.xor(w.rotate(b, by), a));
    }
    a = w.bind(w.add(a, keys[group % 3]!));
    b = w.bind(w.add(w.add(b, keys[(group + 1) % 3]!), w.constant(group)));
  }
  return a;
}
