// Any sequence of calls of any function gives compiled what it gives uncompiled: values, gradients, state, errors.
import fc from 'fast-check';
import { compile, manualSeed } from 'fluxion';
import { expect, test, vi } from 'vitest';
import { runs } from '../effort.ts';
import { functionOf, happenings, type Scenario, scenarios, world } from './compileCalls.ts';

const seed = Number(process.env.PROPERTY_SEED ?? 20_261_124);

function bothWays({ body, calls }: Scenario): { expected: string[]; actual: string[] } {
  const [e, c] = [world(), world()];
  manualSeed(3);
  const expected = happenings(calls, e, functionOf(body, e));
  manualSeed(3);
  const actual = happenings(calls, c, compile(functionOf(body, c)));
  return { expected, actual };
}

test('a compiled function does what the function does', () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  fc.assert(
    fc.property(scenarios, (scenario) => {
      const { expected, actual } = bothWays(scenario);
      expect(actual).toEqual(expected);
    }),
    { seed, numRuns: runs(500) },
  );
}, 600_000);
