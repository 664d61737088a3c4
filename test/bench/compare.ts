// Whether two contenders computed the same.

/** Results on the host, whatever their dtype was. */
export type Results = readonly ArrayLike<number | bigint>[];

/** What is different between results, or undefined. `tolerance` is a share of the largest expected number. */
export function difference(actual: Results, expected: Results, tolerance: number): string | undefined {
  if (actual.length !== expected.length) return `${actual.length} results instead of ${expected.length}`;
  for (let r = 0; r < expected.length; r++) {
    const [a, e] = [actual[r]!, expected[r]!];
    if (a.length !== e.length) return `result ${r} has ${a.length} elements instead of ${e.length}`;
    let [largest, apart, at] = [0, 0, -1];
    for (let i = 0; i < e.length; i++) {
      const [x, y] = [Number(a[i]), Number(e[i])];
      if (Number.isNaN(x) !== Number.isNaN(y)) return `result ${r} differs at ${i}: ${x} instead of ${y}`;
      largest = Math.max(largest, Math.abs(y) || 0);
      const d = x === y ? 0 : Math.abs(x - y);
      if (d > apart) [apart, at] = [d, i];
    }
    if (apart > tolerance * largest) return `result ${r} differs at ${at}: ${Number(a[at])} instead of ${Number(e[at])}`;
  }
  return undefined;
}
