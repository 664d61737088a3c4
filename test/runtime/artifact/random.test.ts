// Random graphs, written as modules and read back as a page reads them, give the bits that the JIT gives.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describe as describeModel, programsFor } from '../../../compiler/build/artifact/describe.ts';
import { encodeWeights } from '../../../compiler/build/artifact/weights.ts';
import { writeArtifact } from '../../../compiler/build/artifact/write.ts';
import type { BuiltModel } from '../../../compiler/build/model.ts';
import { arrayOf, isSlot } from '../../../compiler/inspect/data.ts';
import { fixedShape } from '../../../compiler/ir/dim.ts';
import { dtypeOf, shapeOf } from '../../../compiler/ir/node.ts';
import { load } from '../../../compiler/jit/executable.ts';
import { compileGraph } from '../../../compiler/lower/compile.ts';
import { artifact } from '../../../runtime/artifact/model.ts';
import { type JsCode, js, type WasmCode, wasm } from '../../../runtime/artifact/targets.ts';
import type { TypedArray } from '../../../runtime/dtype.ts';
import { FluxionError } from '../../../runtime/errors.ts';
import { jsTarget, wasmTarget } from '../../../runtime/target.ts';
import { modelOf } from '../../build/artifact/models.ts';
import { runs } from '../../effort.ts';
import { type GraphWithData, graphsWithData } from '../../random-graphs.ts';

/** A function of the graph's inputs, as arrays, and slots, as numbers. */
function modelFor({ graph }: GraphWithData): BuiltModel {
  const tensors = graph.inputs.filter((v) => !isSlot(v));
  const slots = graph.inputs.filter(isSlot);
  const ties = {
    inputs: tensors.map((_, index) => ({ from: 'input', index }) as const),
    slots: slots.map((_, index) => ({ from: 'number', index }) as const),
    outputs: graph.outputs.map((_, index) => ({ to: 'result', index }) as const),
  };
  const parameters = [
    ...tensors.map((_, index) => ({ kind: 'tensor', index }) as const),
    ...slots.map((_, index) => ({ kind: 'number', index }) as const),
  ];
  return modelOf([
    {
      name: 'compute',
      line: 1,
      column: 1,
      inputs: tensors.map((v, i) => ({ name: `x${i}`, dtype: dtypeOf(v), shape: fixedShape(shapeOf(v)) })),
      numbers: slots.map((_, i) => ({ name: `n${i}` })),
      parameters: parameters.map((tree, i) => ({ name: `p${i}`, tree })),
      result: {
        kind: 'list',
        items: graph.outputs.map((v, index) => ({ kind: 'tensor', index, dtype: dtypeOf(v), shape: fixedShape(shapeOf(v)) })),
      },
      advances: [],
      variants: [
        {
          sizes: {},
          programs: {
            js: { program: compileGraph(graph, jsTarget), ...ties },
            wasm: { program: compileGraph(graph, wasmTarget('mul+add')), ...ties },
          },
        },
      ],
    },
  ]);
}

const outcomeOf = async (compute: () => unknown): Promise<unknown> => {
  try {
    return await compute();
  } catch (error) {
    if (!(error instanceof FluxionError)) throw error;
    return error.code;
  }
};

test('200 random graphs', async () => {
  await fc.assert(
    fc.asyncProperty(graphsWithData({ regions: ['composite', 'controlFlow'], maxOps: 12 }), async (sample) => {
      const model = modelFor(sample);
      const { files } = writeArtifact(model);
      const evaluated = async (name: string): Promise<unknown> =>
        import(/* @vite-ignore */ `data:text/javascript;base64,${Buffer.from(files.get(name)!).toString('base64')}`);
      const targets = [
        wasm(async () => (await evaluated('model.wasm.js')) as WasmCode),
        js(async () => (await evaluated('model.kernels.js')) as JsCode),
      ];
      const file = encodeWeights([], 'float32');
      const built = artifact(describeModel(model, file), targets, { base64: Buffer.from(file.bytes).toString('base64') });
      const isNumber = sample.graph.inputs.map(isSlot);
      const arrays = (): TypedArray[] => sample.data.filter((_, i) => !isNumber[i]).map(arrayOf);
      const numbers = sample.data.filter((_, i) => isNumber[i]).map((r) => r.data[0]!);
      for (const target of ['js', 'wasm'] as const) {
        const { functions } = await built.instantiate({ target, threads: 1 });
        const { program } = programsFor(model, target)![0]![0]!;
        const expected = await outcomeOf(() => load(program).run(arrays(), Float64Array.from(numbers)));
        expect(await outcomeOf(() => functions.compute!(...arrays(), ...numbers)), target).toEqual(expected);
      }
    }),
    { numRuns: runs(200), seed: 8 },
  );
});
