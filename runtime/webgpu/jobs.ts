// What a device is to do, in order. Most of it is submitted at once; what must wait holds up what comes behind it, and never the program.
import { DeviceError, FluxionError } from '../errors.ts';
import type { Pipeline } from './pipelines.ts';
import type { Machine } from './state.ts';

export type Job = {
  /** What it dispatches, which must be compiled first. */
  readonly pipelines: readonly Pipeline[];
  /** Submits its work; a promise is for work that looks at results on its way. */
  readonly run: () => void | Promise<void>;
};

/** Jobs that may wait for pipelines: a program that never yields would pile up more and more. */
const mostJobs = 64;

/** Does `run` after everything before it: at once, if nothing waits. */
export function perform(m: Machine, run: Job['run'], pipelines: readonly Pipeline[] = []): void {
  const job: Job = { pipelines, run };
  if (m.jobs.length === 0 && !m.isBusy && isReady(job)) {
    begin(m, job);
    return;
  }
  m.jobs.push(job);
  if (m.jobs.length > mostJobs) hurry(m);
  else m.draining ??= drain(m);
}

/** The same, and what it gives. */
export const performed = <T>(m: Machine, run: () => T): Promise<T> =>
  new Promise((resolve, reject) =>
    perform(m, () => {
      try {
        resolve(run());
      } catch (error) {
        reject(error);
      }
    }),
  );

const isReady = ({ pipelines }: Job): boolean => pipelines.every((p) => p.made !== undefined);

function begin(m: Machine, job: Job): void {
  const rest = job.run();
  if (rest === undefined) return;
  m.isBusy = true;
  m.draining = rest
    .catch((error: unknown) => raise(m, error))
    .then(() => {
      m.isBusy = false;
      return drain(m);
    });
}

/** What goes wrong behind a call is told to whoever looks next. */
function raise(m: Machine, error: unknown): void {
  m.raised ??=
    error instanceof FluxionError ? error : new DeviceError(`work on webgpu failed: ${String(error)}`, { op: 'webgpu', cause: error });
}

async function drain(m: Machine): Promise<void> {
  for (let job = m.jobs[0]; job !== undefined; job = m.jobs[0]) {
    if (!isReady(job)) {
      await Promise.all(job.pipelines.map((p) => p.making));
      // Somebody may have been in a hurry, and a shader may have been refused.
      if (m.jobs[0] !== job) continue;
      if (!isReady(job)) {
        m.jobs.shift();
        continue;
      }
    }
    m.jobs.shift();
    m.isBusy = true;
    try {
      await job.run();
    } catch (error) {
      raise(m, error);
    } finally {
      m.isBusy = false;
    }
  }
  m.draining = undefined;
}

/** Compiles here and now what is waited for, up to a job that looks at results. */
function hurry(m: Machine): void {
  while (m.jobs.length > 0 && !m.isBusy) {
    const job = m.jobs.shift()!;
    for (const p of job.pipelines) p.now();
    try {
      begin(m, job);
    } catch (error) {
      raise(m, error);
    }
  }
}
