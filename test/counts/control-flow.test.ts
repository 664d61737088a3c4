// What control flow costs in Programs: as many kernels for 800 turns as for 8, and nothing of the size of all turns but what is stacked.
import { randn, scan, type Tensor, zeros } from 'fluxion';
import { expect, test } from 'vitest';
import { watch } from '../../compiler/inspect/index.ts';
import { launchesOf, type Program } from '../../runtime/program.ts';
import { CharRnn } from '../../samples/char-rnn/model.ts';

function programOf(f: () => void): Program {
  const watched = watch();
  f();
  watched.stop();
  const [program, ...others] = watched.programs().map((p) => p.program());
  expect(others).toEqual([]);
  return program!;
}

test('a step of a recurrent network has the same kernels for 8 and for 800 characters', () => {
  const kernelsFor = (turns: number): number[] => {
    const model = new CharRnn(20, 8);
    for (const p of model.parameters()) p.dataSync();
    const codes = zeros([turns, 2], { dtype: 'int32' });
    codes.dataSync();
    const { kernels, steps } = programOf(() => {
      model.forward(codes, model.start(2))[0].square().mean().backward();
      model.recur.weight.grad!.dataSync();
    });
    return [kernels.length, launchesOf(steps).length];
  };
  const [few, many] = [kernelsFor(8), kernelsFor(800)];
  expect(many).toEqual(few);
  expect(few[1]).toBeLessThan(40);
});

test('without gradients a scan keeps one state, whatever the number of turns', () => {
  const w = randn([16, 16]);
  w.dataSync();
  const arenaFor = (turns: number): number => {
    const xs = randn([turns, 16]);
    xs.dataSync();
    const step = (h: Tensor, x: Tensor): [Tensor, null] => [h.matmul(w).add(x).tanh(), null];
    return programOf(() => void scan(step, zeros([16]), xs)[0].dataSync()).arenaBytes;
  };
  expect(arenaFor(500)).toBe(arenaFor(5));
});
