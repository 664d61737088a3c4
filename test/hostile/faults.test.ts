// A fault at every allocation and every launch of a training step: a typed error, the state of the last committed step, and then the right next one.
import { afterEach, describe, expect, it } from 'vitest';
import { compile } from '../../compiler/frontend/compile.ts';
import { mseLoss } from '../../compiler/frontend/functional/loss.ts';
import { Adam } from '../../compiler/frontend/optim/index.ts';
import { kept } from '../../compiler/frontend/state.ts';
import '../../compiler/frontend/tensor.ts';
import { FluxionError, OutOfMemoryError } from '../../runtime/errors.ts';
import { type FaultPoint, faults } from '../../runtime/faults.ts';
import { forward, model, parametersOf, wave } from '../frontend/loops.ts';

afterEach(() => {
  faults.at = undefined;
});

/** Lets the n-th event of a kind fail; says whether it came up. */
function failAt(point: FaultPoint, n: number): { readonly cameUp: () => boolean } {
  let count = 0;
  let fired = false;
  faults.at = (p) => {
    if (p !== point || count++ !== n) return;
    fired = true;
    throw new OutOfMemoryError(`${point} ${n} fails`);
  };
  return { cameUp: () => fired };
}

type Training = { readonly step: () => void; readonly state: () => string };

function training(compiled: boolean): Training {
  const m = model();
  const parameters = parametersOf(m);
  const adam = new Adam(parameters, { lr: 0.05 });
  const [x, y] = [kept(wave(8, 3, 5)), kept(wave(8, 2, 7))];
  const body = (): void => {
    adam.zeroGrad();
    mseLoss(forward(m, x), y).backward();
    adam.step();
  };
  const step = compiled ? compile(body) : body;
  const state = (): string => {
    const moments = Object.values(adam.stateDict().state).flatMap((s) => Object.values(s as object));
    return JSON.stringify([...parameters, ...moments].map((t) => (typeof t === 'object' ? (t as (typeof parameters)[0]).tolistSync() : t)));
  };
  return { step, state };
}

describe.each([
  ['eager', false],
  ['compiled', true],
])('%s', (_, compiled) => {
  it.each(['alloc', 'launch'] as const)('a step that fails at any %s leaves the step before', (point) => {
    const undisturbed = training(compiled);
    const [first, second, third] = [0, 1, 2].map(() => {
      undisturbed.step();
      return undisturbed.state();
    });
    let n = 0;
    for (; n < 500; n++) {
      const t = training(compiled);
      t.step();
      expect(t.state()).toBe(first);
      // Twice: a second failure must find things as the first did.
      let cameUp = false;
      for (let again = 0; again < 2; again++) {
        const fault = failAt(point, n);
        let error: unknown;
        try {
          t.step();
        } catch (e) {
          error = e;
        }
        faults.at = undefined;
        cameUp = fault.cameUp();
        if (!cameUp) break;
        expect(error).toBeInstanceOf(FluxionError);
        expect(t.state(), `after ${point} ${n}`).toBe(first);
      }
      if (!cameUp) break;
      t.step();
      expect(t.state(), `the step after ${point} ${n}`).toBe(second);
      t.step();
      expect(t.state()).toBe(third);
    }
    expect(n).toBeGreaterThan(0);
    expect(n).toBeLessThan(500);
  });
});
