// The training step of a small transformer, for JAX on as many devices as there are:
//
//   npx fluxion export samples/scale/step.ts --target stablehlo --out run
//   npx tsx samples/scale/data.ts run/train.safetensors
//   python run/run.py --data run/train.safetensors --steps 300 --shuffle 0 --lr "3e-3 * min(1, (step + 1) / 30)"
//   npx tsx samples/scale/generate.ts run/final.safetensors
//
// Without eight devices at hand, XLA_FLAGS=--xla_force_host_platform_device_count=8 makes eight of the processor.
import { F, optim, type Tensor, zeros } from 'fluxion';
import { exportStep, mesh, shard } from 'fluxion/scale';
import { alphabet, context, newModel } from './task.ts';

const model = newModel();
const optimizer = new optim.AdamW(model.parameters(), { lr: 3e-3 });

function step(x: Tensor, y: Tensor): { loss: Tensor; accuracy: Tensor } {
  optimizer.zeroGrad();
  const logits = model(x).reshape([-1, alphabet.length]);
  const loss = F.crossEntropy(logits, y.reshape([-1]));
  loss.backward();
  optimizer.step();
  const accuracy = logits
    .detach()
    .argmax(-1)
    .eq(y.reshape([-1]))
    .float()
    .mean();
  return { loss: loss.detach(), accuracy };
}

/** 32 excerpts of the poem, and the character after each of theirs. */
const batch = (): Tensor => zeros([32, context], { dtype: 'int32' });

await exportStep(step, {
  example: { x: batch(), y: batch() },
  mesh: mesh({ data: 4, model: 2 }),
  // The wide layer between two of the network is cut in two: what goes in by its columns, what comes out by its rows.
  rules: [shard('*.mlp.0.weight', ['model', null]), shard('*.mlp.0.bias', ['model']), shard('*.mlp.2.weight', [null, 'model'])],
});
