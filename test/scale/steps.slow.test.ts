// Whole training steps by run.py on XLA against the same steps by the JIT: state and losses, after several steps on the same batches.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { cat, compile, F, manualSeed, nn, optim, randint, randn, type Tensor } from '../../compiler/index.ts';
import { exportedStep } from '../../compiler/scale/export.ts';
import { readTrained } from '../../compiler/scale/import.ts';
import { elementsOf, storedOf, writeSafetensors } from '../../runtime/safetensors.ts';
import { python, runner } from './python.ts';

const folder = mkdtempSync(join(tmpdir(), 'fluxion-steps-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Subject = {
  readonly model: nn.Module;
  readonly step: (x: Tensor, y: Tensor) => { readonly loss: Tensor };
  readonly batches: readonly (readonly [Tensor, Tensor])[];
};
const count = 5;

function training<M extends nn.Module>(
  model: M,
  optimizer: { zeroGrad(): void; step(): void },
  loss: (model: M, x: Tensor, y: Tensor) => Tensor,
  batch: () => readonly [Tensor, Tensor],
): Subject {
  const step = (x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const value = loss(model, x, y);
    value.backward();
    optimizer.step();
    return { loss: value.detach() };
  };
  return { model, step, batches: Array.from({ length: count }, batch) };
}

// A bias before batch norm, or of keys, has a gradient of 0 but for rounding, which Adam would magnify: so there are none.
class Cnn extends nn.Module {
  conv = new nn.Conv2d(1, 4, 3, { padding: 1, bias: false });
  norm = new nn.BatchNorm2d(4);
  drop = new nn.Dropout(0.2);
  head = new nn.Linear(4 * 16, 5);
  forward(x: Tensor): Tensor {
    const y = F.maxPool2d((this.norm(this.conv(x)) as Tensor).relu(), 2);
    return this.head(this.drop(y.flatten(1)) as Tensor) as Tensor;
  }
}

class Attention extends nn.Module {
  table = new nn.Embedding(11, 16);
  norm = new nn.LayerNorm(16);
  project = new nn.Linear(16, 48, { bias: false });
  head = new nn.Linear(16, 11);
  forward(x: Tensor): Tensor {
    const e = this.table(x) as Tensor;
    const parts = (this.project(this.norm(e) as Tensor) as Tensor)
      .reshape([x.size(0), x.size(1), 3, 2, 8])
      .permute([2, 0, 3, 1, 4])
      .unbind(0);
    const [q, k, v] = parts as [Tensor, Tensor, Tensor];
    const heard = F.scaledDotProductAttention(q, k, v, { isCausal: true });
    return this.head(
      heard
        .transpose(1, 2)
        .reshape(e.shape as number[])
        .add(e),
    ) as Tensor;
  }
}

const subjects: Readonly<Record<string, () => Subject>> = {
  'a multilayer perceptron with momentum': () => {
    const model = new nn.Sequential(new nn.Linear(12, 16), new nn.Tanh(), new nn.Linear(16, 4));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 });
    const loss = (m: typeof model, x: Tensor, y: Tensor) => F.crossEntropy(m(x) as Tensor, y);
    return training(model, optimizer, loss, () => [randn([8, 12]), randint(0, 4, [8])]);
  },
  'a convolutional network with batch norm, dropout and AdamW': () => {
    const model = new Cnn();
    const optimizer = new optim.AdamW(model.parameters(), { lr: 0.01 });
    return training(
      model,
      optimizer,
      (m, x, y) => F.crossEntropy(m(x) as Tensor, y),
      () => [randn([8, 1, 8, 8]), randint(0, 5, [8])],
    );
  },
  'a transformer with Adam and amsgrad': () => {
    const model = new Attention();
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01, amsgrad: true });
    const loss = (m: Attention, x: Tensor, y: Tensor) => F.crossEntropy((m(x) as Tensor).reshape([-1, 11]), y.reshape([-1]));
    return training(model, optimizer, loss, () => [randint(0, 11, [4, 6]), randint(0, 11, [4, 6])]);
  },
};

/** Rows of all batches, one behind the other. */
function rows(batches: Subject['batches'], which: 0 | 1) {
  const all = cat(
    batches.map((b) => b[which]),
    0,
  );
  return storedOf(all.element, all.shape as number[], all.dataSync());
}

describe.runIf(python !== undefined)('by XLA as by the JIT', () => {
  test.each(Object.keys(subjects))(
    '%s',
    (name) => {
      manualSeed(3);
      const { model, step, batches } = subjects[name]!();
      const [x, y] = batches[0]!;
      for (const [file, bytes] of exportedStep(step, { example: { x, y }, model })) writeFileSync(join(folder, file), bytes);
      writeFileSync(
        join(folder, 'train.safetensors'),
        writeSafetensors([
          ['x', rows(batches, 0)],
          ['y', rows(batches, 1)],
        ]),
      );
      const place = (file: string): string => join(folder, file);
      const args = [place('step.mlir'), '--state', place('init.safetensors'), '--data', place('train.safetensors')];
      const output = execFileSync(python!, [runner, ...args, '--steps', String(count), '--log-every', '1', '--out', folder], {
        env: { ...process.env, JAX_PLATFORMS: 'cpu' },
        encoding: 'utf8',
      });
      const losses = [...output.matchAll(/loss (\S+)/g)].map((m) => Number(m[1]));

      const compiled = compile(step);
      const expected = batches.map(([bx, by]) => compiled(bx, by).loss.itemSync() as number);
      expect(losses).toHaveLength(count);
      expected.forEach((loss, i) => void expect(Math.abs(losses[i]! - loss) / Math.abs(loss)).toBeLessThan(1e-5));

      const trained = readTrained(new Uint8Array(readFileSync(place('final.safetensors'))));
      expect(trained.step).toBe(count);
      for (const [key, t] of Object.entries(model.stateDict())) {
        if (key.endsWith('numBatchesTracked')) continue;
        const got = elementsOf(trained.weights.get(key)!)!.elements as Float32Array;
        const want = t.dataSync() as Float32Array;
        const scale = want.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-3);
        got.forEach((v, i) => void expect(Math.abs(v - want[i]!) / scale, `${key}[${i}]`).toBeLessThan(2e-4));
      }
    },
    120_000,
  );
});
