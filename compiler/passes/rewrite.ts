// The rewriting engine: applies named rules to a graph until none fits, in one walk from the inputs to the outputs.
import { InternalError } from '../../runtime/errors.ts';
import type { Target } from '../../runtime/target.ts';
import type { Aval } from '../ir/aval.ts';
import { type Graph, isLeaf, type Node, type NodeOf, nodesOf, sameNode, type Value } from '../ir/node.ts';
import type { OpName } from '../ir/opset.ts';
import type { PassContext } from './pass.ts';
import { type Bindings, matches, type Pattern } from './pattern.ts';
import { rebuilt } from './rebuild.ts';
import { countUses } from './uses.ts';

/** What a rule may ask beside the node. */
export type Site = {
  readonly target: Target;
  /** Whether nothing else uses the value, as far as is known. */
  readonly isOnce: (value: Value) => boolean;
};

/** `apply` gives the replacement of the node's one result, or undefined where the rule does not fit. */
export type Rule = {
  readonly name: string;
  readonly ops: readonly OpName[];
  readonly apply: (node: Node, site: Site) => Value | undefined;
};

/** A rule by pattern. `make` may still decline; what it makes must not hold the matched node. */
export function rule<B>(name: string, pattern: Pattern<B>, make: (bindings: B, result: Aval, site: Site) => Value | undefined): Rule {
  if (pattern.kind !== 'node') throw new InternalError(`the rule '${name}' has no op at its root`);
  return {
    name,
    ops: [pattern.op],
    apply: (node, site) => {
      const found: Bindings = {};
      return matches(pattern, node.values[0]!, found, site.isOnce) ? make(found as B, node.outputs[0]!, site) : undefined;
    },
  };
}

/** A rule over nodes of some ops, where a pattern would not say it well. */
export function ruleOn<const K extends OpName>(
  name: string,
  ops: readonly K[],
  apply: (node: NodeOf<K>, result: Aval, site: Site) => Value | undefined,
): Rule {
  return { name, ops, apply: (node, site) => apply(node as NodeOf<K>, node.outputs[0]!, site) };
}

export type RuleIndex = ReadonlyMap<OpName, readonly Rule[]>;

/** Rules by the op at their root, each list in the order of `rules`. */
export function index(rules: readonly Rule[]): RuleIndex {
  const byOp = new Map<OpName, Rule[]>();
  for (const r of rules)
    for (const op of r.ops) {
      const list = byOp.get(op);
      if (list === undefined) byOp.set(op, [r]);
      else list.push(r);
    }
  return byOp;
}

/** Firings for each node of the graph after which a rule set is taken not to terminate. */
const mostFirings = 64;

/**
 * Rewrites bottom up. A node is looked at when its inputs are final, and what replaces it is walked in turn, so that at the end no rule fits anywhere:
 * rules look only downwards. Equal nodes become one on the way. Rule sets must terminate by a measure of their own.
 */
export function rewrite(graph: Graph, rules: RuleIndex, context: PassContext): Graph {
  const nodes = nodesOf(graph);
  /** Final values, by the node they stand for. */
  const settled = new Map<Node, readonly Value[]>();
  /** What a rule made of a node. */
  const replacement = new Map<Node, Value>();
  /** The node over final inputs, or the equal one met before. */
  const twins = new Map<Node, Node>();
  const known = new Map<number, Node[]>();
  const uses = countUses(graph);
  const site: Site = { target: context.target, isOnce: uses.isOnce };
  /** Nodes that rules made in this walk, which may still be named. */
  const made = new Set<Node>();
  let fuel = (nodes.length + 16) * mostFirings;

  for (const v of graph.inputs) settled.set(v.node, v.node.values);
  const finalInputs = (node: Node): Value[] => node.inputs.map((v) => settled.get(v.node)![v.index]!);

  let last = '';
  const endless = (): InternalError => new InternalError(`rewrite: the rule '${last}' fires without end`);
  const fire = (node: Node): Value | undefined => {
    for (const r of rules.get(node.op) ?? []) {
      const value = r.apply(node, site);
      if (value === undefined) continue;
      last = r.name;
      if (--fuel < 0) throw endless();
      context.fired(r.name);
      return value;
    }
    return undefined;
  };

  const settleAll = (root: Node): void => {
    const stack: Node[] = [root];
    while (stack.length > 0) {
      const node = stack.at(-1)!;
      if (settled.has(node)) {
        stack.pop();
        continue;
      }
      const by = replacement.get(node);
      if (by !== undefined) {
        const values = settled.get(by.node);
        if (values === undefined) stack.push(by.node);
        else settled.set(node, [values[by.index]!]);
        continue;
      }
      const twin = twins.get(node);
      if (twin !== undefined) {
        const values = settled.get(twin);
        if (values !== undefined) settled.set(node, values);
        // A node that waits for what replaces it lies below on the stack: rules have led back to it.
        else if (replacement.has(twin)) throw endless();
        else stack.push(twin);
        continue;
      }
      let isReady = true;
      for (let i = node.inputs.length - 1; i >= 0; i--) {
        const input = node.inputs[i]!.node;
        if (settled.has(input)) continue;
        stack.push(input);
        isReady = false;
      }
      if (!isReady) continue;
      const copy = rebuilt(node, finalInputs(node));
      const now = isLeaf(node.op) ? node : unique(copy, known);
      if (now !== node) {
        twins.set(node, now);
        uses.move(node, settled.get(now)?.[0]?.node ?? now);
        if (now !== copy) uses.release(copy);
        continue;
      }
      const value = node.values.length === 1 ? fire(node) : undefined;
      if (value === undefined) {
        settled.set(node, node.values);
        continue;
      }
      uses.add(takeOver(value.node, node, settled, made));
      uses.move(node, value.node);
      uses.release(node);
      replacement.set(node, value);
    }
  };

  for (const v of graph.outputs) settleAll(v.node);
  const outputs = graph.outputs.map((v) => settled.get(v.node)![v.index]!);
  return outputs.every((v, i) => v === graph.outputs[i]) ? graph : { inputs: graph.inputs, outputs };
}

/** The first node met that is equal to this one. */
export function unique(node: Node, known: Map<number, Node[]>): Node {
  const alike = known.get(node.hash);
  if (alike === undefined) {
    known.set(node.hash, [node]);
    return node;
  }
  const twin = alike.find((n) => sameNode(n, node));
  if (twin === undefined) alike.push(node);
  return twin ?? node;
}

/**
 * New nodes come from where the node came from that they replace; the one in its place bears its name.
 * Gives the nodes that are new, and remembers them.
 */
function takeOver(replacing: Node, replaced: Node, settled: ReadonlyMap<Node, unknown>, made: Set<Node>): Node[] {
  const fresh: Node[] = [];
  const stack = [replacing];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (settled.has(node) || made.has(node)) continue;
    made.add(node);
    fresh.push(node);
    if (!isLeaf(node.op)) node.loc ??= replaced.loc;
    for (const v of node.inputs) stack.push(v.node);
  }
  if (made.has(replacing)) replacing.name ??= replaced.name;
  return fresh;
}
