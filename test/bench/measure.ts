// Measures one row: prepares its contenders on the same data, compares their results with Fluxion's, and takes their times in turns.
import { difference } from './compare.ts';
import { dataOfAll, type HostArray } from './data.ts';
import { type Effort, interleave } from './interleave.ts';
import { fluxionCold, fluxionSubject } from './peers/fluxion.ts';
import { jaxSubject } from './peers/jax.ts';
import { onnxSubject } from './peers/onnx.ts';
import { type Python, pythonSubject } from './peers/python.ts';
import { type Contender, executionsBeforeResults, type PeerName, type Subject } from './peers/subject.ts';
import { tfjsSubject } from './peers/tfjs.ts';
import type { ColdRow, FreshRow, FunctionRow, Row, StepRow } from './row.ts';

export type Session = {
  readonly threads: number;
  readonly effort: Effort;
  readonly peers: readonly PeerName[];
  readonly python: Python | undefined;
};

export type Measurement = {
  readonly row: Row;
  readonly times: Readonly<Partial<Record<Contender, number>>>;
  /** Of a fresh module: milliseconds once everything is warm. */
  readonly steady?: number;
  /** Contenders whose results are not Fluxion's. */
  readonly different: readonly Remark[];
  /** Contenders that cannot do the row. */
  readonly failed: readonly Remark[];
};
type Remark = { readonly peer: Contender; readonly why: string };

type Prepared = Subject & { readonly firstMs?: number };
async function prepare(
  peer: Contender,
  row: FunctionRow | StepRow,
  data: readonly HostArray[],
  { threads, python }: Session,
): Promise<Prepared | undefined> {
  switch (peer) {
    case 'fluxion':
      return fluxionSubject(row, data);
    case 'jax-js':
      return jaxSubject(row, data);
    case 'tfjs':
      return tfjsSubject(row, data);
    case 'onnxruntime-web':
      return onnxSubject(row, data, threads);
    case 'pytorch':
    case 'inductor':
    case 'xla':
      return python && pythonSubject(python, peer, row, data);
    default:
      peer satisfies never;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!.slice(0, 200);

/** A row that breaks down while it is timed counts as one that Fluxion cannot run: the others go on. */
export async function measure(row: Row, session: Session): Promise<Measurement> {
  try {
    if (row.kind === 'cold') return await measureCold(row, session);
    if (row.kind === 'fresh') return await measureFresh(row, session);
    return await measureWarm(row, session);
  } catch (error) {
    return { row, times: {}, different: [], failed: [{ peer: 'fluxion', why: messageOf(error) }] };
  }
}

function toleranceOf({ tolerance = 2e-5, chainTolerance = 0 }: Row, name: Contender): number {
  const isChaining = name === 'jax-js' || name === 'tfjs' || name === 'onnxruntime-web';
  return isChaining ? Math.max(tolerance, chainTolerance) : tolerance;
}

async function measureWarm(row: FunctionRow | StepRow, session: Session): Promise<Measurement> {
  const data = dataOfAll(row.inputs);
  const ready: { readonly name: Contender; readonly subject: Subject }[] = [];
  const [different, failed]: [Remark[], Remark[]] = [[], []];
  let expected: Awaited<ReturnType<Subject['results']>> | undefined;
  for (const name of ['fluxion', ...session.peers] as const)
    try {
      const subject = await prepare(name, row, data, session);
      if (subject === undefined) continue;
      await subject.sample(executionsBeforeResults(row.kind) - (subject.firstMs === undefined ? 0 : 1));
      const results = await subject.results();
      expected ??= results;
      const how = difference(results, expected, toleranceOf(row, name));
      if (how !== undefined) different.push({ peer: name, why: how });
      ready.push({ name, subject });
    } catch (error) {
      failed.push({ peer: name, why: messageOf(error) });
      if (name === 'fluxion') break;
    }
  const best = await interleave(
    ready.map((r) => r.subject),
    session.effort,
  );
  for (const { subject } of ready) await subject.close();
  return { row, times: Object.fromEntries(ready.map(({ name }, i) => [name, best[i]!])), different, failed };
}

async function measureCold({ step, ...row }: ColdRow, session: Session): Promise<Measurement> {
  const data = dataOfAll(step.inputs);
  const times: Partial<Record<Contender, number>> = { fluxion: Math.min(...[0, 1, 2].map(() => fluxionCold(step, data))) };
  const failed: Remark[] = [];
  for (const peer of session.peers)
    try {
      const start = performance.now();
      const subject = await prepare(peer, step, data, session);
      // TensorFlow.js compiles nothing, and a step is no inference.
      if (subject === undefined || peer === 'tfjs') continue;
      if (subject.firstMs === undefined) await subject.sample(1);
      times[peer] = subject.firstMs ?? performance.now() - start;
      await subject.close();
    } catch (error) {
      failed.push({ peer, why: messageOf(error) });
    }
  return { row: { ...row, step }, times, different: [], failed };
}

const freshMs = 50;
async function measureFresh(row: FreshRow, { effort }: Session): Promise<Measurement> {
  const subject = fluxionSubject(row.function, dataOfAll(row.inputs));
  for (const end = performance.now() + freshMs; performance.now() < end; ) await subject.sample(1);
  const fluxion = Math.min(...(await Promise.all([subject.sample(1), subject.sample(1), subject.sample(1)])));
  const [steady] = await interleave([subject], effort);
  await subject.close();
  return { row, times: { fluxion }, steady: steady!, different: [], failed: [] };
}
