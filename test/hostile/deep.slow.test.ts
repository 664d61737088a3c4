// Deep and wide programs: nothing recurses over a graph, nothing spreads an array that may be long, also where the stack is small.
import { execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
const prelude = `
  import { cat, compile, noGrad, optim, tensor, zeros, randn, manualSeed, nn, F } from ${JSON.stringify(`${root}compiler/index.ts`)};
`;
/** Runs a program in a process of its own, and gives what it printed. */
async function print(program: string, options: readonly string[] = []): Promise<string> {
  const { stdout } = await run(process.execPath, [...options, '--import', 'tsx', '--input-type=module', '-e', prelude + program], {
    cwd: root,
    timeout: 110_000,
  });
  return stdout.trim();
}

describe('with a stack of 200 kB', () => {
  const small = ['--stack-size=200'];

  it('a chain of a hundred thousand ops is recorded, differentiated and run', async () => {
    const out = await print(
      `
      const x = tensor([1, 2], { requiresGrad: true });
      let y = x;
      for (let i = 0; i < 100_000; i++) y = y.add(x);
      y.sum().backward();
      console.log(JSON.stringify([y.tolistSync(), x.grad.tolistSync()]));`,
      small,
    );
    expect(out).toBe('[[100001,200002],[100001,100001]]');
  }, 120_000);

  it('a compiled function of twenty thousand ops is one graph', async () => {
    const out = await print(
      `
      const f = compile((x) => { let y = x; for (let i = 0; i < 20_000; i++) y = i % 2 ? y.mul(1) : y.add(x); return y; });
      console.log(f(tensor([1])).itemSync(), f(tensor([2])).itemSync(), f.traces());`,
      small,
    );
    expect(out).toBe('10001 20002 1');
  }, 120_000);

  it('ten thousand tensors are joined, and each gets its gradient', async () => {
    const out = await print(
      `
      const parts = Array.from({ length: 10_000 }, (_, i) => tensor([i], { requiresGrad: true }));
      const all = cat(parts);
      all.mul(all).sum().backward();
      console.log(all.sum().itemSync(), parts[9_999].grad.itemSync());`,
      small,
    );
    expect(out).toBe('49995000 19998');
  }, 120_000);
});

it('an optimiser steps over five thousand parameters', async () => {
  const out = await print(`
    const ps = Array.from({ length: 5_000 }, (_, i) => tensor([i % 7], { requiresGrad: true }));
    const adam = new optim.SGD(ps, { lr: 0.5 });
    for (let round = 0; round < 2; round++) {
      adam.zeroGrad();
      let loss = ps[0].mul(0).sum();
      for (const p of ps) loss = loss.add(p.sum());
      loss.backward();
      adam.step();
    }
    console.log(ps[6].itemSync(), ps[4_999].itemSync());`);
  expect(out).toBe(`5 ${(4_999 % 7) - 1}`);
}, 120_000);

it('trains with every prototype frozen', async () => {
  const out = await print(`
    for (const o of [Object, Array, Map, Set, Function, Error, Promise]) Object.freeze(o.prototype);
    manualSeed(0);
    const net = new nn.Sequential(new nn.Linear(3, 4), new nn.ReLU(), new nn.LayerNorm([4]), new nn.Linear(4, 2));
    const adam = new optim.AdamW(net.parameters(), { lr: 0.05 });
    const [x, y] = [randn([16, 3]), randn([16, 2])];
    const step = compile((x, y) => { const loss = F.mseLoss(net.forward(x), y); adam.zeroGrad(); loss.backward(); adam.step(); return loss.detach(); });
    const first = step(x, y).itemSync();
    let last = first;
    for (let i = 0; i < 30; i++) last = step(x, y).itemSync();
    net.loadStateDict(net.stateDict());
    console.log(last < first, Object.keys(Object.prototype).length);`);
  expect(out).toBe('true 0');
}, 120_000);

it('a training loop that yields ends within a step of SIGINT', async () => {
  const program = `${prelude}
    const w = tensor([1, 2], { requiresGrad: true });
    const sgd = new optim.SGD([w], { lr: 0.01 });
    let stop = false;
    process.on('SIGINT', () => { stop = true; });
    let steps = 0;
    while (!stop) {
      sgd.zeroGrad(); w.square().sum().backward(); sgd.step();
      if (++steps === 20) console.log('running');
      await new Promise((done) => setImmediate(done));
    }
    console.log('stopped', Number.isFinite(w.sum().itemSync()));
    process.exit(130);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], { cwd: root });
  let out = '';
  child.stdout.on('data', (text) => {
    if (out === '') child.kill('SIGINT');
    out += text;
  });
  const code = await new Promise((done) => child.on('exit', done));
  expect([code, out]).toEqual([130, 'running\nstopped true\n']);
}, 120_000);
