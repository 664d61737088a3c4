// Rules that belong to one composite's region rather than to a name: those of functions whose derivative their users wrote.
import { build, region } from '../ir/builder.ts';
import { avalOf, type Graph, type NodeOf, type Value } from '../ir/node.ts';
import type { Batched } from './batch.ts';
import type { Maybe } from './derivative.ts';

export type Composite = NodeOf<'composite'>;
/** What a composite was applied to, and what came out. */
export type Application = { readonly inputs: readonly Value[]; readonly values: readonly Value[] };

export type CustomRule = {
  /** Cotangents of the operands from those of the results, at least one of which is there. */
  readonly vjp: (cts: readonly Maybe[], at: Application) => readonly Maybe[];
  readonly jvp: (tangents: readonly Maybe[], at: Application) => readonly Maybe[];
  readonly batch: (n: Composite, operands: readonly Value[], isBatched: readonly boolean[], size: number) => Batched;
};

/** A region stays the same object wherever its node is copied to, and the rule is gone with the last of them. */
const rules = new WeakMap<Graph, CustomRule>();
export const customRule = (n: Composite): CustomRule | undefined => rules.get(n.regions[0]!);

/** Records `body` as one node that is differentiated and batched by `rule`. Once nothing does that any more, it is its body. */
export function applyCustom(
  name: string,
  operands: readonly Value[],
  body: (inputs: readonly Value[]) => readonly Value[],
  rule: CustomRule,
): readonly Value[] {
  const graph = region(operands.map(avalOf), body);
  rules.set(graph, rule);
  return build('composite', operands, { name, params: {} }, [graph]).values;
}
