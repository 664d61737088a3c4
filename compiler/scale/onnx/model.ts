// A function of tensors as an ONNX model: its weights inside, its arguments and results by name.
import type { Buffer } from '../../../runtime/buffer.ts';
import { readSync } from '../../../runtime/buffer.ts';
import { fixedShape } from '../../ir/dim.ts';
import { avalOf, type Graph } from '../../ir/node.ts';
import { type Field, message } from './protobuf.ts';
import { block } from './table.ts';
import { called, graphBytes, initializer, type Named, newWriter } from './writer.ts';

/** What an input of the graph is: an argument of the model, or a tensor that it holds. */
export type ModelInput = { readonly argument: string } | { readonly weight: string; readonly read: () => Buffer };

/** Field numbers are those of ModelProto: IR version 9, opset 20. */
export function modelBytes(name: string, graph: Graph, inputs: readonly ModelInput[], outputs: readonly string[]): Uint8Array {
  const w = newWriter();
  const named = graph.inputs.map((v, i): Named => {
    const type = { dtype: avalOf(v).dtype, shape: fixedShape(avalOf(v).shape) };
    const input = inputs[i]!;
    if ('argument' in input) return { ...type, name: input.argument };
    const { buffer, byteOffset, byteLength } = readSync(input.read());
    return initializer(w, type, new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength), input.weight);
  });
  const results = block(w, graph, named).map((r, i) => called(w, r, outputs[i]!));
  const args = named.filter((_, i) => 'argument' in inputs[i]!);
  const fields: Field[] = [
    [1, 9],
    [2, 'fluxion'],
    [7, graphBytes(w, name, args, results)],
    [
      8,
      message([
        [1, ''],
        [2, 20],
      ]),
    ],
  ];
  return message(fields);
}
