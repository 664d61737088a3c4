// The call of backward() that runs at present, for those that do something once for each.
import type { GradFn } from './graph.ts';

export type Backward = {
  /** Tells calls apart. */
  readonly token: object;
  /** Whether gradients will come to the function. */
  reaches(fn: GradFn): boolean;
};

let running: Backward | undefined;
export const currentBackward = (): Backward | undefined => running;

export function duringBackward<T>(backward: Backward, f: () => T): T {
  const before = running;
  running = backward;
  try {
    return f();
  } finally {
    running = before;
  }
}
