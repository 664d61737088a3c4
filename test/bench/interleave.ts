// Takes the times of contenders in turns, so that what the machine does meanwhile meets all of them: the minimum of several samples each.
import type { Subject } from './peers/subject.ts';

export type Effort = {
  /** Milliseconds of sampling that each contender gets. */
  readonly budgetMs: number;
  /** Milliseconds of warm-up at least, unless one execution takes longer. */
  readonly warmUpMs: number;
  readonly fewest: number;
};
export const thorough: Effort = { budgetMs: 1000, warmUpMs: 150, fewest: 5 };
export const quick: Effort = { budgetMs: 150, warmUpMs: 60, fewest: 2 };
/** For checking rows, not for times. */
export const once: Effort = { budgetMs: 0, warmUpMs: 0, fewest: 1 };

/** Samples are at least this long, so that the clock's steps do not matter. */
const sampleMs = 1;

type Runner = { readonly subject: Subject; readonly times: number; spent: number; samples: number; best: number };

/** Warms up until two samples agree within 5 %, and finds how many executions fill a sample. */
async function warm(subject: Subject, { warmUpMs }: Effort): Promise<Runner> {
  let times = 1;
  let before = Infinity;
  const start = performance.now();
  for (let agreed = false; !agreed; ) {
    const ms = await subject.sample(times);
    const each = ms / times;
    const spent = performance.now() - start;
    agreed = spent >= warmUpMs && (Math.abs(each - before) <= 0.05 * before || spent >= 10 * warmUpMs);
    before = each;
    times = Math.max(1, Math.min(100_000, Math.ceil(sampleMs / Math.max(each, 1e-5))));
  }
  return { subject, times, spent: 0, samples: 0, best: Infinity };
}

/** The least milliseconds of one execution, by subject. */
export async function interleave(subjects: readonly Subject[], effort: Effort): Promise<number[]> {
  const runners: Runner[] = [];
  for (const subject of subjects) runners.push(await warm(subject, effort));
  const unfinished = (r: Runner): boolean => r.samples < 1 || (r.spent < effort.budgetMs && r.samples < 60) || lacksSamples(r);
  const lacksSamples = (r: Runner): boolean => r.samples < effort.fewest && r.spent < 4 * effort.budgetMs;
  for (let waiting = runners; waiting.length > 0; waiting = waiting.filter(unfinished))
    for (const runner of waiting) {
      const ms = await runner.subject.sample(runner.times);
      runner.best = Math.min(runner.best, ms / runner.times);
      runner.spent += ms;
      runner.samples++;
    }
  return runners.map((r) => r.best);
}
