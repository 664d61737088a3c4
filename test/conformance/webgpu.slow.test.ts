// Every op of the table on WebGPU, in Node: its samples in the dtypes that shaders have, against the float64 reference.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Graph, nodesOf } from '../../compiler/ir/node.ts';
import { type OpName, opNames } from '../../compiler/ir/opset.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import { rules } from '../../compiler/ops/table.ts';
import { DeviceError, DTypeError } from '../../runtime/errors.ts';
import { webgpuTarget } from '../../runtime/target.ts';
import type { Machine } from '../../runtime/webgpu/state.ts';
import { dataOf, graphOf, type Trial, trialsOf } from '../ops/samples.ts';
import { ulpsApart } from '../run-program.ts';
import { testMachine } from '../webgpu/adapter.ts';
import { run } from '../webgpu/run.ts';

let machine: Machine;
beforeAll(async () => {
  machine = await testMachine();
});
afterAll(() => machine.device.destroy());

/** Control flow inside a graph and kernels by hand are no ops that a user's graph compiles with. */
const notCompiled = new Set<OpName>(['kernel', 'composite', 'input', 'slot']);
/** Routines of a library, and what tests on the way what it computed: the target says that it has none of these. */
const refused = new Set<OpName>(['cholesky', 'lu', 'triangularSolve', 'qr', 'eigh', 'svd', 'cond', 'whileLoop']);
/** Sums of products that cancel, drawn for float64: in float32 nobody promises their last bits. Its own float32 samples are kept. */
const cancelling = new Set<OpName>(['dot']);

const narrower: Readonly<Record<string, string>> = { f64: 'f32' };

/** The sample without float64, which shaders lack. Regions are written in dtypes of their own, so those samples stay as they are. */
function narrowed(op: OpName, trial: Trial): Trial {
  if (trial.regions !== undefined || cancelling.has(op)) return trial;
  // Bits that are read anew have to be as many.
  const words = op === 'bitcast' ? { ...narrower, i64: 'i32' } : narrower;
  const narrow = <T>(x: T): T => (words[x as string as keyof typeof words] ?? x) as T;
  const attrs = Object.fromEntries(Object.entries(trial.attrs).map(([key, value]) => [key, narrow(value as unknown)]));
  return { ...trial, attrs, inputs: trial.inputs.map((a) => ({ ...a, dtype: narrow(a.dtype) })) };
}

const isNarrow = (graph: Graph): boolean =>
  [...graph.inputs.map((v) => v.node), ...nodesOf(graph)].every((n) => n.outputs.every((a) => webgpuTarget.dtypes.includes(a.dtype)));

const agrees = async (op: OpName, title: string, graph: Graph, trial: Trial, seed: number): Promise<void> => {
  const data = dataOf(trial, seed);
  const expected = evaluate(graph, data);
  const actual = await run(machine, graph, data);
  expected.forEach((e, result) => {
    expect(`${actual[result]!.dtype}[${actual[result]!.shape}]`, title).toBe(`${e.dtype}[${e.shape}]`);
    e.data.forEach((value, i) => {
      const apart = ulpsApart(actual[result]!.data[i]!, value, e.dtype);
      if (!(apart <= rules[op].ulp))
        expect.fail(`${title}: result ${result} at ${i} is ${actual[result]!.data[i]}, ${apart} ulp from ${value}`);
    });
  });
};

for (const op of opNames) {
  if (notCompiled.has(op)) continue;
  test(`${op} ${refused.has(op) ? 'is refused' : 'agrees with its meaning'}`, async () => {
    for (const [i, sample] of trialsOf(op).entries()) {
      const trial = narrowed(op, sample);
      const { graph } = graphOf(op, trial);
      const title = `${op}(${trial.inputs.map((a) => `${a.dtype}[${a.shape}]`).join(', ')}) #${i}`;
      if (refused.has(op)) await expect(agrees(op, title, graph, trial, i + 1), title).rejects.toThrow(DeviceError);
      else if (!isNarrow(graph)) await expect(agrees(op, title, graph, trial, i + 1), title).rejects.toThrow(DTypeError);
      else await agrees(op, title, graph, trial, i + 1);
    }
  });
}
