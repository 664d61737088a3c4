// Takes times: the median of many rounds, after rounds that let the engine optimise.

const warmUpMs = 300;
const roundsMs = 700;
const fewestRounds = 5;

export const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!;

/** Microseconds that `measured` takes, whose result `after` clears away unmeasured. */
export function microseconds<T>(measured: () => T, after: (result: T) => void = () => {}): number {
  const round = (): number => {
    const start = performance.now();
    const result = measured();
    const time = performance.now() - start;
    after(result);
    return time;
  };
  for (const end = performance.now() + warmUpMs; performance.now() < end; ) round();
  const times: number[] = [];
  for (const end = performance.now() + roundsMs; performance.now() < end || times.length < fewestRounds; ) times.push(round());
  return 1000 * median(times);
}
