// `npm run bench`: every row of work, on one thread and on all, beside its limit on this machine, its peers and its bars.
//   --device js|wasm   --only NAME (part of a row's name, or with *; may be repeated)   --json FILE   --quick   --tiny (checks every row on small sizes)
//   --threads 1,2      --peers jax-js,tfjs,...|none
//   --scale: steps that are exported to XLA, beside the same written in JAX, in the Python that FLUXION_SCALE_PYTHON names
// PyTorch, Inductor and XLA take part if FLUXION_BENCH_PYTHON names a Python that has them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { getDefaultDevice } from '../../compiler/index.ts';
import { scalingVerdict } from './bars.ts';
import { costs } from './costs.ts';
import { once, quick, thorough } from './interleave.ts';
import { type Limits, measureLimits } from './limits.ts';
import { measure } from './measure.ts';
import { configure, devices } from './peers/fluxion.ts';
import { installPeers } from './peers/install.ts';
import { startPython } from './peers/python.ts';
import type { PeerName } from './peers/subject.ts';
import { figures, heading, judge, limitsText, line, peerNames, type Report, type ReportedRow, remarks } from './report.ts';
import { rows, tinyRows } from './rows/index.ts';
import { benchScale } from './scale.ts';

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: getDefaultDevice() },
    only: { type: 'string', multiple: true },
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    tiny: { type: 'boolean', default: false },
    threads: { type: 'string' },
    peers: { type: 'string' },
    scale: { type: 'boolean', default: false },
    /** Set for the processes that this one starts: where to leave what they measured. */
    part: { type: 'string' },
  },
});

/** What a process for one number of threads hands back. */
type Part = { readonly limits: Limits; readonly rows: readonly ReportedRow[]; readonly missed: number; readonly unsound: number };

function fail(message: string): never {
  console.error(`bench: ${message}`);
  process.exit(2);
}

/** Whether a name is one of those asked for: a part of it, or the whole with `*` for anything. */
function selector(patterns: readonly string[] | undefined): (name: string) => boolean {
  if (patterns === undefined) return () => true;
  const tests = patterns.map((pattern) => {
    const lower = pattern.toLowerCase();
    if (!lower.includes('*')) return (name: string) => name.includes(lower);
    const parts = lower.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    const whole = new RegExp(`^${parts.join('.*')}$`);
    return (name: string) => whole.test(name);
  });
  return (name) => tests.some((test) => test(name.toLowerCase()));
}

function chosenPeers(): PeerName[] {
  if (values.peers === 'none') return [];
  const wanted = values.peers?.split(',') ?? peerNames;
  const unknown = wanted.find((name) => !peerNames.includes(name as PeerName));
  if (unknown !== undefined) fail(`there is no peer '${unknown}'; there are ${peerNames.join(', ')}`);
  return wanted as PeerName[];
}

function chosenThreads(): number[] {
  const counts = values.threads?.split(',').map(Number) ?? [1, availableParallelism()];
  if (counts.some((n) => !Number.isInteger(n) || n < 1)) fail(`--threads wants numbers such as 1,2, not '${values.threads}'`);
  return [...new Set(counts)];
}

const select = selector(values.only);
const chosenRows = (values.tiny ? tinyRows : rows).filter((row) => select(row.work));
const chosenCosts = values.tiny ? [] : Object.keys(costs).filter((name) => select(`costs ${name}`));
const device =
  devices.find((name) => name === values.device) ?? fail(`there is no device '${values.device}'; there are ${devices.join(', ')}`);
if (chosenRows.length + chosenCosts.length === 0)
  fail(`no row is called ${values.only?.map((n) => `'${n}'`).join(' or ')}; there are ${rows.map((r) => r.work).join('; ')}`);
const peers = chosenPeers();
const threadCounts = chosenThreads();
/** Starts a process for each number of threads, since some peers choose it once in theirs, and puts their parts together. */
function lead(): void {
  if (peers.some((p) => p === 'jax-js' || p === 'tfjs' || p === 'onnxruntime-web')) installPeers();
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-bench-'));
  const parts = threadCounts.map((threads) => {
    const file = join(folder, `${threads}.json`);
    const args = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2), '--threads', `${threads}`, '--part', file];
    const env = { ...process.env, FLUXION_DEVICE: device, FLUXION_NUM_THREADS: `${threads}` };
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', env });
    if (status !== 0) process.exit(status ?? 1);
    return JSON.parse(readFileSync(file, 'utf8')) as Part;
  });
  rmSync(folder, { recursive: true, force: true });
  const unscaled = scaling(parts);
  if (chosenCosts.length > 0) printCosts();
  const report: Report = { machine: machineOf(parts[0]!.limits), rows: parts.flatMap((p) => p.rows) };
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  const [missed, unsound] = [parts.reduce((n, p) => n + p.missed, unscaled), parts.reduce((n, p) => n + p.unsound, 0)];
  console.log(`\n${report.rows.length} rows, ${missed} bars missed, ${unsound} rows failed or different from a peer`);
  if (unsound > 0) process.exitCode = 1;
}

const machineOf = (limits: Limits): Report['machine'] => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  node: process.versions.node,
  peak_gflops: limits.peak,
  bandwidth_gbs: limits.read.far,
});

/** Prints what more threads gained where they fall short of it, and counts those rows. */
function scaling([one, all]: readonly Part[]): number {
  if (one === undefined || all === undefined || one.limits.threads !== 1) return 0;
  const machine = all.limits.peak / one.limits.peak;
  console.log(`\n${all.limits.threads} threads over one: the machine's arithmetic gains ${machine.toFixed(2)}x`);
  const onAll = new Map(all.rows.map((row) => [row.work, row.fluxion_ms]));
  const verdicts = one.rows.flatMap((row) => {
    const ms = onAll.get(row.work);
    const verdict = ms === undefined ? undefined : scalingVerdict(row.fluxion_ms, ms, machine);
    return verdict === undefined || verdict.met ? [] : [{ work: row.work, ...verdict }];
  });
  for (const { work, value, asked } of verdicts) console.log(`  ${work}: ${figures(value)}x of ${asked}x`);
  return verdicts.length;
}

async function take(threads: number, file: string): Promise<void> {
  configure(device, threads);
  const effort = values.tiny ? once : values.quick ? quick : thorough;
  const limits = await measureLimits(threads, values.quick || values.tiny ? 60 : 200);
  console.log(`\nFluxion on ${device}, Node ${process.versions.node}. ${limitsText(limits)}`);
  const interpreter = process.env.FLUXION_BENCH_PYTHON;
  const wantsPython = peers.some((p) => p === 'pytorch' || p === 'inductor' || p === 'xla');
  const python = interpreter === undefined || !wantsPython ? undefined : await startPython(interpreter, threads);
  const present = peers.filter((p) => !(p === 'pytorch' || p === 'inductor' || p === 'xla') || python?.versions[p] !== undefined);
  if (python !== undefined)
    console.log(`beside ${present.map((p) => (python.versions[p as 'xla'] ? `${p} ${python.versions[p as 'xla']}` : p)).join(', ')}`);
  console.log(`\n${heading(present)}`);
  const reported: ReportedRow[] = [];
  let [missed, unsound] = [0, 0];
  for (const row of chosenRows) {
    const measurement = await measure(row, { threads, effort, peers: present, python });
    const judged = judge(measurement, limits, python?.wide ?? false);
    console.log([line(judged, present), ...remarks(measurement)].join('\n'));
    if (judged.reported !== undefined) reported.push(judged.reported);
    missed += judged.verdicts.filter((v) => !v.met).length;
    if (!judged.sound) unsound++;
  }
  python?.end();
  writeFileSync(file, JSON.stringify({ limits, rows: reported, missed, unsound } satisfies Part));
  process.exit(0);
}

function printCosts(): void {
  for (const name of chosenCosts) {
    console.log(`\ncosts ${name}`);
    for (const { what, value, unit, aim } of costs[name]!())
      console.log(
        `  ${what.padEnd(62)} ${figures(value).padStart(8)} ${unit.padEnd(8)}${aim === undefined ? '' : ` aim ${aim}`}`.trimEnd(),
      );
  }
}

if (values.scale) {
  const interpreter = process.env.FLUXION_SCALE_PYTHON ?? fail('--scale wants FLUXION_SCALE_PYTHON, a Python with JAX');
  process.exitCode = benchScale(interpreter, values.quick ? 5 : 20) > 0 ? 1 : 0;
} else if (values.part === undefined) lead();
else await take(threadCounts[0]!, values.part);
