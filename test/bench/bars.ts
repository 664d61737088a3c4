// What is asked of a row: the least time that the machine allows, and the ratios to peers and to that limit which count as met.
import type { Limits } from './limits.ts';
import type { Contender, PeerName } from './peers/subject.ts';
import type { Bound, LeastWork, Row } from './row.ts';

const MiB = 2 ** 20;

/** Milliseconds below which no 128-bit program can go: arithmetic, division or traffic, whichever takes longest. */
export function limitOf({ flops = 0, read = 0, written = 0, divided = 0 }: LeastWork, limits: Limits): number {
  const bytes = read + written;
  const level = bytes <= MiB ? 'near' : bytes <= 16 * MiB ? 'shared' : 'far';
  const traffic = read / limits.read[level] + written / limits.write[level];
  return Math.max(flops / limits.peak, traffic, divided * limits.divide) / 1e6;
}

/** A bar and how a row stands to it. For `at most`, smaller is better. */
export type Verdict = {
  readonly bar: string;
  readonly value: number;
  readonly asked: number;
  readonly met: boolean;
};

/** Share of the limit that rows of a kind must reach. */
const shares: Readonly<Partial<Record<Bound, number>>> = { contraction: 0.9, convolution: 0.88, attention: 0.8, 'matrix-vector': 0.8 };
/** Kinds of rows whose bar is PyTorch's time, because wider vectors do not decide them. */
const asFastAsPyTorch: readonly Bound[] = ['memory', 'overhead', 'matrix-vector'];
const browserPeers: Readonly<Partial<Record<PeerName, number>>> = { 'jax-js': 2, tfjs: 2, 'onnxruntime-web': 1.5 };

export type Times = Readonly<Partial<Record<Contender, number>>>;

export function verdictsOf(row: Row, times: Times, limitMs: number, wide: boolean): Verdict[] {
  const ours = times.fluxion;
  if (ours === undefined) return [];
  const atLeast = (bar: string, value: number, asked: number): Verdict => ({ bar, value, asked, met: value >= asked });
  const verdicts: Verdict[] = [];
  if (row.atMost !== undefined) verdicts.push({ bar: 'ms', value: ours, asked: row.atMost, met: ours <= row.atMost });
  if (row.kind === 'cold' || row.kind === 'fresh') return verdicts;
  for (const [peer, asked] of Object.entries(browserPeers) as [PeerName, number][])
    if (times[peer] !== undefined) verdicts.push(atLeast(peer, times[peer] / ours, asked));
  const share = shares[row.bound];
  if (share !== undefined) verdicts.push(atLeast('limit', limitMs / ours, share));
  const compared = asFastAsPyTorch.includes(row.bound) || !wide;
  for (const peer of ['pytorch', 'inductor'] as const)
    if (compared && times[peer] !== undefined) verdicts.push(atLeast(peer, times[peer] / ours, wide ? (row.against512 ?? 1) : 1));
  return verdicts;
}

/** Milliseconds of a module's call after its first 50 ms: as fast as ever. */
export const freshVerdict = (after: number, steady: number): Verdict => ({
  bar: 'full speed',
  value: steady / after,
  asked: 0.9,
  met: steady / after >= 0.9,
});

/** Threads over one thread: asked of rows above 2 ms where the machine's own second core gives it. */
export function scalingVerdict(one: number, all: number, machine: number): Verdict | undefined {
  if (one < 2 || machine < 1.95) return undefined;
  return { bar: 'threads', value: one / all, asked: 1.9, met: one / all >= 1.9 };
}
