// Random tensor programs give the same however they are run: observed after every step, at random places, at the end, or compiled;
// and what a model without graphs says of values, sharing and gradients.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compile } from '../../compiler/frontend/compile.ts';
import '../../compiler/frontend/tensor.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { runs } from '../effort.ts';
import { argument, follow, type Pair, type Program, programs, type Watch, type World, world } from './programs.ts';
import { read } from './strided.ts';

const seed = Number(process.env.PROPERTY_SEED ?? 20_261_124);

function everyProgram(holds: (program: Program, eyes: number) => void): void {
  fc.assert(
    fc.property(programs, fc.nat(0xffffff), (program, eyes) => {
      try {
        holds(program, eyes);
      } catch (error) {
        throw new Error(`${textOf(program)}\n\n${(error as Error).message}`, { cause: error });
      }
    }),
    { seed, numRuns: runs(100) },
  );
}

/** A program as its steps read. */
function textOf(program: Program): string {
  const log: string[] = [];
  try {
    follow(program, world(), argument(0), () => {}, log);
  } catch {
    log.push('  <- throws');
  }
  return log.join('\n');
}

const textOfNumbers = (t: Tensor): string =>
  `[${t.shape}] ${Array.from(t.dataSync() as Float64Array, (v) => (Object.is(v, -0) ? '-0' : String(v))).join(' ')}`;
const gradients = (w: World): string[] => w.parameters.map(({ t }) => (t.grad === null ? 'none' : textOfNumbers(t.grad)));
const snapshot = (pool: readonly Pair[], w: World): string[] => [...pool.map(({ t }) => textOfNumbers(t)), ...gradients(w)];

const blind: Watch = () => {};
const watchAll: Watch = (_, pool) => {
  for (const { t } of pool) t.dataSync();
};
const watchSome =
  (eyes: number): Watch =>
  (step, pool) => {
    if ((eyes >> (step % 24)) & 1) pool[(eyes >> 3) % pool.length]!.t.dataSync();
  };

function eagerly(program: Program, watch: Watch): string[] {
  const w = world();
  return snapshot(follow(program, w, argument(0), watch), w);
}

describe('a tensor program', () => {
  test('has the same bits whenever it is observed', () => {
    everyProgram((program, eyes) => {
      const expected = eagerly(program, blind);
      expect(eagerly(program, watchAll)).toEqual(expected);
      expect(eagerly(program, watchSome(eyes))).toEqual(expected);
    });
  });

  test('shares memory and requires gradients as the model does', () => {
    everyProgram((program) => {
      const w = world();
      const pool = follow(program, w, argument(0), blind);
      for (const [i, { t, m }] of pool.entries()) {
        const elements = read(m);
        expect(t.shape, `shape of t${i}`).toEqual(m.shape);
        expect(t.requiresGrad, `t${i} requires grad`).toBe(m.root.requires);
        Array.from(t.dataSync() as Float64Array).forEach((v, k) => void expectNear(v, elements[k]!.v, `t${i}[${k}]`));
      }
    });
  });

  test('has the gradients that the model finds along a direction', () => {
    everyProgram((program) => {
      const w = world();
      follow(program, w, argument(0), blind);
      let slope = 0;
      for (const { t, m } of w.parameters) {
        const g = t.grad?.dataSync();
        read(m).forEach(({ d }, i) => {
          slope += d * Number(g?.[i] ?? 0);
        });
      }
      expectNear(slope, w.slope, 'slope');
    });
  });

  test('does the same compiled, run after run', () => {
    everyProgram((program) => {
      const [e, c] = [world(), world()];
      const body = (w: World) => (x: Tensor) => follow(program, w, { ...argument(0), t: x }, blind).map(({ t }) => t.detach());
      const [eager, compiled] = [body(e), compile(body(c))];
      for (let round = 0; round < 3; round++) {
        const [x, y] = [argument(round).t, argument(round).t];
        const [expected, actual] = [eager(x), compiled(y)];
        const all = (results: readonly Tensor[], w: World): string[] => [
          ...results.map(textOfNumbers),
          textOfNumbers(w.state.t),
          ...gradients(w),
        ];
        expect(all(actual, c), `round ${round}`).toEqual(all(expected, e));
      }
    });
  });
});

function expectNear(actual: number, expected: number, what: string): void {
  if (Math.abs(actual - expected) > 1e-9 * Math.max(1, Math.abs(expected))) expect.fail(`${what} is ${actual}, not ${expected}`);
}
