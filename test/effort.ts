// How hard the random and the deep tests try. `npm test` tries as hard as they say, `npm run check` a tenth as hard
// (vitest.config.ts sets it), and FLUXION_TEST_EFFORT=10 ten times harder.
const effort = Number(process.env.FLUXION_TEST_EFFORT ?? 1);

/** Whether the dear tests of files that are cheap otherwise run: those of long chains, of processes and of hundreds of steps. */
export const isThorough = effort >= 1;

/** How many random runs, of so many in a whole test run. */
export const runs = (whole: number): number => Math.max(1, Math.ceil(whole * effort));

/** Length of a chain of ops that no recursion survives: a stack holds about ten thousand calls. */
export const chainLength = effort < 1 ? 12_000 : 100_000;
