// Functions of the graph of gradients that are ready to run, the latest-made first.
import type { GradFn } from './graph.ts';

/** A binary heap by sequence; accumulation into a leaf, whose sequence is infinite, comes before anything else. */
export class ReadyQueue {
  private readonly heap: GradFn[] = [];

  add(fn: GradFn): void {
    const { heap } = this;
    let i = heap.push(fn) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.sequence >= heap[i]!.sequence) break;
      [heap[parent], heap[i]] = [heap[i]!, heap[parent]!];
      i = parent;
    }
  }

  take(): GradFn | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return top;
    heap[0] = last;
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      let largest = i;
      for (const child of [left, left + 1]) if (child < heap.length && heap[child]!.sequence > heap[largest]!.sequence) largest = child;
      if (largest === i) return top;
      [heap[largest], heap[i]] = [heap[i]!, heap[largest]!];
      i = largest;
    }
  }
}
