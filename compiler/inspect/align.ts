// Which lines of two texts are the same: the longest common subsequence (Myers, An O(ND) Difference Algorithm, 1986).

/** Differences beyond which the rest counts as replaced: the search costs their square. */
const mostDifferences = 2000;

/** Pairs of positions in `a` and `b`, both ascending. */
export function align(a: readonly string[], b: readonly string[]): [number, number][] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let [endA, endB] = [a.length, b.length];
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) [endA, endB] = [endA - 1, endB - 1];
  const pairs: [number, number][] = [];
  for (let i = 0; i < start; i++) pairs.push([i, i]);
  for (const [i, j] of middle(a.slice(start, endA), b.slice(start, endB))) pairs.push([start + i, start + j]);
  for (let i = endA; i < a.length; i++) pairs.push([i, endB + i - endA]);
  return pairs;
}

function middle(a: readonly string[], b: readonly string[]): [number, number][] {
  const most = Math.min(a.length + b.length, mostDifferences);
  /** For each diagonal x - y how far a path of so many differences reaches, and how it stood before each round. */
  let reach = new Map<number, number>([[1, 0]]);
  const before: Map<number, number>[] = [];
  for (let d = 0; d <= most; d++) {
    before.push(reach);
    const next = new Map(reach);
    for (let k = -d; k <= d; k += 2) {
      let x = startOf(reach, k, d);
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return backwards(before, a.length, b.length);
    }
    // Only the diagonals of the last round matter.
    reach = new Map([...next].filter(([k]) => Math.abs(k) <= d));
  }
  return [];
}

/** Where a path comes to a diagonal: down from the one above, or right from the one below, whichever is further. */
function startOf(reach: ReadonlyMap<number, number>, k: number, d: number): number {
  if (d === 0) return 0;
  const isDown = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
  return isDown ? reach.get(k + 1)! : reach.get(k - 1)! + 1;
}

function backwards(before: readonly ReadonlyMap<number, number>[], lengthA: number, lengthB: number): [number, number][] {
  const pairs: [number, number][] = [];
  let [x, y] = [lengthA, lengthB];
  for (let d = before.length - 1; d >= 0; d--) {
    const reach = before[d]!;
    const k = x - y;
    const start = startOf(reach, k, d);
    while (x > start && y > start - k) pairs.push([--x, --y]);
    if (d === 0) break;
    const isDown = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
    if (isDown) y--;
    else x--;
  }
  return pairs.reverse();
}
