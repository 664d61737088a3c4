// What conformance means: every op that compiles, on all its samples, gives what the float64 reference gives within the ulps that its rules
// promise. Told as text without a test runner, so that the same list of cases runs in Node and in a page.
import type { Graph } from '../../compiler/ir/node.ts';
import { type OpName, opNames } from '../../compiler/ir/opset.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { rules } from '../../compiler/ops/table.ts';
import type { Target } from '../../runtime/target.ts';
import { casesOf } from '../ops/samples.ts';
import { run, ulpsApart } from '../run-program.ts';

/** Control flow inside a graph and kernels by hand are no ops that a user's graph compiles with. */
const notCompiled: ReadonlySet<OpName> = new Set(['kernel', 'composite', 'input', 'slot']);
export const compiledOps: readonly OpName[] = opNames.filter((op) => !notCompiled.has(op));

/** What the samples of an op came to: how many there are, and what is wrong with the results. */
export type Verdict = { readonly samples: number; readonly wrong: readonly string[] };

/** On a CPU target. */
export function verdictOn(target: Target, op: OpName): Verdict {
  const cases = casesOf(op);
  return {
    samples: cases.length,
    wrong: cases.flatMap(({ title, graph, data }) => wrongWith(op, title, graph, data, run(graph, data, target))),
  };
}

/** The first element of each result that is too far from the reference, and results of another dtype or shape. */
export function wrongWith(op: OpName, title: string, graph: Graph, data: readonly Reference[], actual: readonly Reference[]): string[] {
  return evaluate(graph, data).flatMap((expected, result) => {
    const found = actual[result]!;
    const [is, shall] = [found, expected].map(({ dtype, shape }) => `${dtype}[${shape}]`);
    if (is !== shall) return [`${title}: result ${result} is ${is}, not ${shall}`];
    const apart = (i: number): number => ulpsApart(found.data[i]!, expected.data[i]!, expected.dtype);
    const at = expected.data.findIndex((_, i) => !(apart(i) <= rules[op].ulp));
    return at < 0 ? [] : [`${title}: result ${result} at ${at} is ${found.data[at]}, ${apart(at)} ulp from ${expected.data[at]}`];
  });
}
