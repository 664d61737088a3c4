// exportModel: a function of tensors as an ONNX model, for inference elsewhere.
import { ArgumentError, CompileError } from '../../runtime/errors.ts';
import { realise } from '../frontend/boundary.ts';
import { recordAhead } from '../frontend/compile/ahead.ts';
import type { Module } from '../frontend/nn/module.ts';
import { destined } from './destination.ts';
import { writeFiles } from './files.ts';
import { rolesOf } from './names.ts';
import { type ModelInput, modelBytes } from './onnx/model.ts';
import { type Example, resultPaths, type StepFunction, simplified, withLiterals } from './step.ts';

export type ModelOptions = {
  /** The arguments in order, by the names that the model gives them; only shapes and dtypes matter. */
  readonly example: Example;
  /** Whose state dict names the weights. Found by itself where the function calls it as `model(x)`. */
  readonly model?: Module;
};

/**
 * The function as an ONNX model (opset 20) with its weights inside. It is recorded and not run. Throws CompileError where it looks at a
 * value or changes state, and DTypeError for what ONNX cannot say.
 */
export function exportedModel(fn: StepFunction, { example, model }: ModelOptions): Uint8Array {
  const op = 'exportModel';
  if (typeof fn !== 'function') throw new ArgumentError(`expected a function, got ${typeof fn}`, { op });
  const names = Object.keys(example);
  const avals = names.map((name) => ({ dtype: example[name]!.element, shape: example[name]!.shape }));
  const call = recordAhead((args) => (fn as (...args: readonly unknown[]) => unknown)(...args), avals, { op });
  if (call.written.length > 0)
    throw new CompileError('it changes state, which a model for inference does not', {
      op,
      fix: 'call model.eval(), and leave out the optimiser',
    });
  const roles = rolesOf(model === undefined ? call.modules : [model], []);
  const inputs = call.sources.map((source, i): ModelInput | undefined => {
    switch (source.kind) {
      case 'argument':
        return { argument: names[source.index]! };
      case 'state':
        return { weight: roles.get(source.storage)?.replace(/^\w+:/, '') ?? `tensor.${i}`, read: () => realise(source.storage.value) };
      case 'constant':
        return { weight: `tensor.${i}`, read: source.buffer };
      case 'slot':
        if (typeof source.expr === 'object')
          throw new CompileError('it counts its calls, which a model for inference does not', { op, fix: 'call model.eval()' });
        return undefined;
      default:
        return source satisfies never;
    }
  });
  const graph = simplified(withLiterals(call.graph, call.sources, inputs));
  const outputs = resultPaths(call).map((path) => (path === '' ? 'output' : path));
  return modelBytes(
    'main',
    graph,
    inputs.filter((input) => input !== undefined),
    outputs,
  );
}

/** Writes `model.onnx` into a folder: `await exportModel((x) => model(x), { example: { x }, out: 'run' })`. */
export async function exportModel(fn: StepFunction, options: ModelOptions & { readonly out?: string }): Promise<void> {
  const out = destined('onnx', 'exportModel', options.out);
  await writeFiles(out, new Map([['model.onnx', exportedModel(fn, options)]]));
}
