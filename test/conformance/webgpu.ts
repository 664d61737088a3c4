// The suite on a WebGPU device: the samples in the dtypes that shaders have; what shaders cannot do is refused by a typed error.
import { type Graph, nodesOf } from '../../compiler/ir/node.ts';
import type { OpName } from '../../compiler/ir/opset.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';
import { DTypeError } from '../../runtime/errors.ts';
import { webgpuTarget } from '../../runtime/target.ts';
import type { Machine } from '../../runtime/webgpu/state.ts';
import { dataOf, graphOf, type Trial, trialsOf } from '../ops/samples.ts';
import { run } from '../webgpu/run.ts';
import { type Verdict, wrongWith } from './suite.ts';

/** Sums of products that cancel, drawn for float64: in float32 nobody promises their last bits. Its own float32 samples are kept. */
const cancelling: ReadonlySet<OpName> = new Set(['dot']);

const narrower: Readonly<Record<string, string>> = { f64: 'f32' };

/** A region without float64, by way of its text. */
const narrowedRegion = (graph: Graph): Graph => parse(print(graph).replaceAll('f64', 'f32'));

/** The sample without float64, which shaders lack. */
function narrowed(op: OpName, trial: Trial): Trial {
  if (cancelling.has(op)) return trial;
  // Bits that are read anew have to be as many.
  const words = op === 'bitcast' ? { ...narrower, i64: 'i32' } : narrower;
  const narrow = <T>(x: T): T => (words[x as string as keyof typeof words] ?? x) as T;
  const attrs = Object.fromEntries(Object.entries(trial.attrs).map(([key, value]) => [key, narrow(value as unknown)]));
  const { regions } = trial;
  return {
    ...trial,
    attrs,
    inputs: trial.inputs.map((a) => ({ ...a, dtype: narrow(a.dtype) })),
    ...(regions === undefined ? {} : { regions: () => regions().map(narrowedRegion) }),
  };
}

const isNarrow = (graph: Graph): boolean =>
  [...graph.inputs.map((v) => v.node), ...nodesOf(graph)].every((n) => n.outputs.every((a) => webgpuTarget.dtypes.includes(a.dtype)));

export async function verdictOnWebGpu(machine: Machine, op: OpName): Promise<Verdict> {
  const trials = trialsOf(op);
  const wrong: string[] = [];
  for (const [i, sample] of trials.entries()) wrong.push(...(await judge(machine, op, narrowed(op, sample), i + 1)));
  return { samples: trials.length, wrong };
}

async function judge(machine: Machine, op: OpName, trial: Trial, seed: number): Promise<readonly string[]> {
  const { graph } = graphOf(op, trial);
  const data = dataOf(trial, seed);
  const title = `${op}(${trial.inputs.map((a) => `${a.dtype}[${a.shape}]`).join(', ')}) #${seed - 1}`;
  const refusal = isNarrow(graph) ? undefined : DTypeError;
  try {
    const actual = await run(machine, graph, data);
    return refusal === undefined ? wrongWith(op, title, graph, data, actual) : [`${title}: is not refused by ${refusal.name}`];
  } catch (error) {
    return refusal !== undefined && error instanceof refusal ? [] : [`${title}: ${String(error)}`];
  }
}
