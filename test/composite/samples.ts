// The samples of all composites, as graphs with seeded data.
import { inline } from '../../compiler/autodiff/inline.ts';
import { draws } from '../../compiler/inspect/data.ts';
import { region } from '../../compiler/ir/builder.ts';
import type { Params } from '../../compiler/ir/codec.ts';
import { avalOf, type Graph, type Value } from '../../compiler/ir/node.ts';
import type { AnyComposite } from '../../compiler/ops/composite/rule.ts';
import { type CompositeName, compositeNames, recordComposite, ruleOf } from '../../compiler/ops/composite/table.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { isFloat } from '../../runtime/dtype.ts';
import { noise } from '../autodiff/gradcheck.ts';

export type Case = {
  readonly name: CompositeName;
  readonly title: string;
  readonly rule: AnyComposite;
  readonly params: Params;
  readonly graph: Graph;
  readonly data: readonly Reference[];
  /** As the one node. */
  readonly whole: (xs: readonly Value[]) => readonly Value[];
  /** As the nodes of its body. */
  readonly opened: (xs: readonly Value[]) => readonly Value[];
};

export const cases: readonly Case[] = compositeNames.flatMap((name) => {
  const rule = ruleOf(name)!;
  return rule.samples.map((sample): Case => {
    const whole = (xs: readonly Value[]): readonly Value[] => recordComposite(name, xs, sample.params);
    const graph = region(sample.inputs, whole);
    const random = draws(name.length * 1000 + sample.inputs.length);
    const [low, high] = sample.range ?? [-2, 2];
    const data = graph.inputs.map((v, i): Reference => {
      const given = sample.data?.[i];
      const { dtype, shape } = avalOf(v);
      if (given !== undefined) return { dtype, shape: shape as readonly number[], data: Float64Array.from(given) };
      if (!isFloat(dtype)) throw new Error(`${name}: operand ${i} of a sample needs data`);
      return noise(v, random, low, high);
    });
    const body = graph.outputs[0]!.node.regions[0]!;
    return {
      name,
      title: `${name} ${JSON.stringify(sample.params)}`,
      rule,
      params: sample.params,
      graph,
      data,
      whole,
      opened: (xs) => inline(body, xs),
    };
  });
});
