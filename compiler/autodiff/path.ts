// What lies between inputs and outputs: the only nodes that either mode of differentiation visits.
import { type Graph, type Node, postorder, type Value } from '../ir/node.ts';
import { isContinuous, isDifferentiable, type Mode } from './derivative.ts';

export type Path = {
  /** Operands before users. */
  readonly nodes: readonly Node[];
  readonly isInput: (v: Value) => boolean;
  /** Whether the value is one of the inputs or depends on one continuously. */
  readonly carries: (v: Value) => boolean;
};

/** Inputs are independent variables: nothing flows through one of them to another, nor through a value that is held `fixed`. */
export function pathBetween(mode: Mode, inputs: readonly Value[], outputs: readonly Value[], fixed: readonly Value[] = []): Path {
  const sources = new Set(inputs);
  const nodes = new Set<Node>();
  const isInput = (v: Value): boolean => sources.has(v);
  const held = new Set(fixed);
  const carries = (v: Value): boolean => isContinuous(v) && (sources.has(v) || (nodes.has(v.node) && !held.has(v)));
  for (const n of postorder(outputs, [...inputs, ...fixed])) if (n.inputs.some(carries) && isDifferentiable(n, mode)) nodes.add(n);
  return { nodes: [...nodes], isInput, carries };
}

/**
 * Which inputs of a loop's body move when those marked do: a carry that turns into something that depends on a moving input moves from
 * then on, so the set grows until it is closed.
 */
export function movingCarries(mode: Mode, body: Graph, carries: number, marked: readonly boolean[]): readonly boolean[] {
  const moving = marked.map((flag, i) => flag && isContinuous(body.inputs[i]!));
  for (let grew = true; grew; ) {
    grew = false;
    const after = body.outputs.slice(0, carries);
    const { carries: depends } = pathBetween(
      mode,
      body.inputs.filter((_, i) => moving[i]),
      after,
    );
    for (const [i, v] of after.entries())
      if (!moving[i] && depends(v)) {
        moving[i] = true;
        grew = true;
      }
  }
  return moving;
}
