// The call of backward() that runs at present, for those that do something once for each.
import type { Value } from '../../ir/node.ts';
import type { GradFn } from './graph.ts';

export type Backward = {
  /** Tells calls apart. */
  readonly token: object;
  /** Whether gradients will come to the function. */
  reaches(fn: GradFn): boolean;
};

let running: Backward | undefined;
let arriving: Value | undefined;
export const currentBackward = (): Backward | undefined => running;

/** A gradient that has come to the function which runs: what backward computes for it alone need not be there earlier. */
export const currentGradient = (): Value | undefined => arriving;

export function withGradient<T>(gradient: Value | undefined, f: () => T): T {
  const before = arriving;
  arriving = gradient;
  try {
    return f();
  } finally {
    arriving = before;
  }
}

export function duringBackward<T>(backward: Backward, f: () => T): T {
  const before = running;
  running = backward;
  try {
    return f();
  } finally {
    running = before;
  }
}
