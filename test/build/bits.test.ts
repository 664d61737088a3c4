// A built module gives the bits of the JIT on every target of the CPU, for random graphs.
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { BuiltEntry } from '../../compiler/build/model.ts';
import { arrayOf, isSlot } from '../../compiler/inspect/data.ts';
import { fixedShape } from '../../compiler/ir/dim.ts';
import { avalOf } from '../../compiler/ir/node.ts';
import { print } from '../../compiler/ir/print.ts';
import { load } from '../../compiler/jit/executable.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import type { TypedArray } from '../../runtime/dtype.ts';
import { jsTarget, wasmTarget } from '../../runtime/target.ts';
import { wasmNumerics } from '../../runtime/wasm/features.ts';
import { runs } from '../effort.ts';
import { type GraphWithData, graphsWithData } from '../random-graphs.ts';
import { imported, modelOf, removeFolders } from './artifact/models.ts';

afterAll(removeFolders);

const targets = { js: jsTarget, wasm: wasmTarget('mul+add'), relaxed: wasmTarget('madd') } as const;

/** An entry that takes the inputs of a graph, and its slots as numbers, and gives its outputs as a list. */
function entryOf({ graph }: GraphWithData, index: number): BuiltEntry {
  const tensors = graph.inputs.filter((v) => !isSlot(v));
  const slots = graph.inputs.filter(isSlot);
  const bound = {
    inputs: tensors.map((_, i) => ({ from: 'input', index: i }) as const),
    slots: slots.map((_, i) => ({ from: 'number', index: i }) as const),
    outputs: graph.outputs.map((_, i) => ({ to: 'result', index: i }) as const),
  };
  const programs = Object.fromEntries(
    Object.entries(targets).map(([name, target]) => [name, { ...bound, program: compileGraph(graph, target) }]),
  );
  const shaped = (v: (typeof tensors)[number]) => ({ dtype: avalOf(v).dtype, shape: fixedShape(avalOf(v).shape) });
  return {
    name: `f${index}`,
    line: 1,
    column: 1,
    inputs: tensors.map((v, i) => ({ name: `x${i}`, ...shaped(v) })),
    numbers: slots.map((_, i) => ({ name: `n${i}` })),
    parameters: [
      ...tensors.map((_, i) => ({ name: `x${i}`, tree: { kind: 'tensor', index: i } as const })),
      ...slots.map((_, i) => ({ name: `n${i}`, tree: { kind: 'number', index: i } as const })),
    ],
    result: { kind: 'list', items: graph.outputs.map((v, i) => ({ kind: 'tensor', index: i, ...shaped(v) })) },
    variants: [{ sizes: {}, programs }],
    advances: [],
  };
}

const bytesOf = (arrays: readonly TypedArray[]): number[][] =>
  arrays.map((a) => [...new Uint8Array(a.buffer as ArrayBuffer, a.byteOffset, a.byteLength)]);

/** What a call gives, or how it fails: a bad index, say. */
function outcomeOf(call: () => readonly TypedArray[]): number[][] | string {
  try {
    return bytesOf(call());
  } catch (error) {
    if (error instanceof Error && 'code' in error) return error.constructor.name;
    throw error;
  }
}

test('random graphs compute the same bits built as compiled at once', async () => {
  const options = { regions: ['composite', 'controlFlow'], maxOps: 10 } as const;
  const sample = fc.sample(graphsWithData(options), { numRuns: runs(30), seed: 20 });
  const module = await imported(modelOf(sample.map(entryOf)));
  for (const target of ['js', 'wasm'] as const) {
    const { functions } = await module.instantiate({ target });
    const jit = target === 'js' ? targets.js : wasmNumerics() === 'madd' ? targets.relaxed : targets.wasm;
    for (const [i, { graph, data }] of sample.entries()) {
      const tensors = data.filter((_, k) => !isSlot(graph.inputs[k]!)).map(arrayOf);
      const numbers = data.filter((_, k) => isSlot(graph.inputs[k]!)).map((r) => r.data[0]!);
      const expected = outcomeOf(() => load(compileGraph(graph, jit)).run(tensors, Float64Array.from(numbers)));
      const built = outcomeOf(() => functions[`f${i}`]!(...tensors, ...numbers) as TypedArray[]);
      expect(built, `${target}: ${print(graph)}`).toEqual(expected);
    }
  }
});
