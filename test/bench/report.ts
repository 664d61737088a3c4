// What the bench prints for people, and what it writes for programs.
import { freshVerdict, limitOf, type Verdict, verdictsOf } from './bars.ts';
import type { Limits } from './limits.ts';
import type { Measurement } from './measure.ts';
import { contenders, type PeerName } from './peers/subject.ts';

export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  /** Of one thread, as is the bandwidth: that of reading main memory. */
  readonly peak_gflops: number;
  readonly bandwidth_gbs: number;
};
export type ReportedRow = {
  readonly work: string;
  readonly threads: number;
  readonly fluxion_ms: number;
  readonly limit_ms: number;
  readonly peers: Readonly<Partial<Record<PeerName, number>>>;
};
/** The file that `--json` writes. */
export type Report = { readonly machine: Machine; readonly rows: readonly ReportedRow[] };

/** `reported` is undefined if Fluxion did not run the row. */
export type Judged = {
  readonly work: string;
  readonly reported: ReportedRow | undefined;
  readonly verdicts: readonly Verdict[];
  readonly sound: boolean;
};

export const peerNames = contenders.filter((c): c is PeerName => c !== 'fluxion');

/** A measurement against its bars. A row is sound if Fluxion ran it and every contender computed the same. */
export function judge({ row, times, steady, different }: Measurement, limits: Limits, wide: boolean): Judged {
  const limit = limitOf(row.least, limits);
  const { fluxion, ...peers } = times;
  return {
    work: row.work,
    reported: fluxion === undefined ? undefined : { work: row.work, threads: limits.threads, fluxion_ms: fluxion, limit_ms: limit, peers },
    verdicts: [
      ...verdictsOf(row, times, limit, wide),
      ...(steady !== undefined && fluxion !== undefined ? [freshVerdict(fluxion, steady)] : []),
    ],
    sound: fluxion !== undefined && different.length === 0,
  };
}

/** Three significant figures, without an exponent. */
export function figures(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 0.001 || value === 0 ? value.toPrecision(3) : value.toFixed(6);
}

const widths = { work: 58, number: 9, peer: 11 } as const;
const titles: Readonly<Record<PeerName, string>> = {
  'jax-js': 'jax-js',
  tfjs: 'tfjs',
  'onnxruntime-web': 'ort-web',
  pytorch: 'PyTorch',
  inductor: 'Inductor',
  xla: 'XLA',
};

export function heading(peers: readonly PeerName[]): string {
  const columns = ['ms', 'limit', 'share'].map((t) => t.padStart(widths.number)).join('');
  return `${'work'.padEnd(widths.work)}${columns}${peers.map((p) => titles[p].padStart(widths.peer)).join('')}  bars`;
}

/** Times, the limit and the share of it that is reached, the time of each peer over Fluxion's, and bars: how many are met, and which are not. */
export function line({ work, reported, verdicts }: Judged, peers: readonly PeerName[]): string {
  if (reported === undefined) return `${work.padEnd(widths.work)}${'-'.padStart(widths.number)}`;
  const { fluxion_ms: ms, limit_ms: limit } = reported;
  const share = limit > 0 ? (limit / ms).toFixed(2) : '-';
  const numbers = [figures(ms), limit > 0 ? figures(limit) : '-', share].map((t) => t.padStart(widths.number)).join('');
  const ratios = peers.map((p) => {
    const time = reported.peers[p];
    return (time === undefined ? '-' : `${figures(time / ms)}x`).padStart(widths.peer);
  });
  return `${work.padEnd(widths.work)}${numbers}${ratios.join('')}  ${barsOf(verdicts)}`.trimEnd();
}

function barsOf(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return '';
  const missed = verdicts.filter((v) => !v.met);
  if (missed.length === 0) return `met (${verdicts.length})`;
  return `missed: ${missed.map(({ bar, value, asked }) => `${bar} ${figures(value)} of ${figures(asked)}`).join(', ')}`;
}

export const remarks = ({ different, failed }: Measurement): string[] => [
  ...different.map(({ peer, why }) => `    DIFFERENT: ${peer}: ${why}`),
  ...failed.map(({ peer, why }) => `    not run: ${peer}: ${why}`),
];

export function limitsText(limits: Limits): string {
  const { threads, fused, unfused, divide, read, write } = limits;
  const gb = ({ near, shared, far }: Limits['read']): string => [near, shared, far].map((v) => v.toFixed(0)).join(' / ');
  return [
    `128-bit limits, ${threads} thread${threads === 1 ? '' : 's'}: multiply-add ${fused === undefined ? 'not fused here' : `${fused.toFixed(1)} GF/s`},`,
    `mul+add ${unfused.toFixed(1)} GF/s, sqrt+div ${divide.toFixed(3)} ns a float,`,
    `read ${gb(read)} GB/s, write ${gb(write)} GB/s (16 KiB / 8 MiB / 96 MiB a thread)`,
  ].join(' ');
}
