// What the harness times: one contender, prepared for one row.
import type { Results } from '../compare.ts';

export type Subject = {
  /** Milliseconds of `times` executions in a row, each complete when the next begins. */
  sample(times: number): number | Promise<number>;
  /** What the last execution gave. */
  results(): Results | Promise<Results>;
  /** Gives back memory. */
  close(): void | Promise<void>;
};

export const contenders = ['fluxion', 'jax-js', 'tfjs', 'onnxruntime-web', 'pytorch', 'inductor', 'xla'] as const;
export type Contender = (typeof contenders)[number];
export type PeerName = Exclude<Contender, 'fluxion'>;

/** Executions that a row's results are taken after: a step's third, so that its updates show. */
export const executionsBeforeResults = (kind: 'function' | 'step'): number => (kind === 'step' ? 3 : 1);

/** A sample of executions that end when they return. */
export function sampleSync(run: () => void): Subject['sample'] {
  return (times) => {
    const start = performance.now();
    for (let i = 0; i < times; i++) run();
    return performance.now() - start;
  };
}

export function sampleAsync(run: () => Promise<void>): Subject['sample'] {
  return async (times) => {
    const start = performance.now();
    for (let i = 0; i < times; i++) await run();
    return performance.now() - start;
  };
}
