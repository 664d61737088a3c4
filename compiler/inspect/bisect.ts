// Finds the pass that changes what a graph means: the compiled graph is compared with the float64 reference while passes are switched off.
import { isFloat } from '../../runtime/dtype.ts';
import { jsTarget, type Target } from '../../runtime/target.ts';
import { avalText } from '../ir/aval.ts';
import type { Graph } from '../ir/node.ts';
import { load } from '../jit/executable.ts';
import { compileGraph } from '../lower/compile.ts';
import { evaluate } from '../ops/evaluate.ts';
import type { Reference } from '../ops/rules.ts';
import { pipeline } from '../passes/pipeline.ts';
import { draws, runOnce } from './data.ts';

/** The worst element of an output that is not what the reference says. */
export type Disagreement = {
  readonly output: number;
  readonly element: number;
  readonly got: number;
  readonly expected: number;
  /** How far apart they might have been. */
  readonly allowed: number;
};

export type Verdict =
  | { readonly kind: 'agrees' }
  /** Results agree when these passes are switched off; one, unless several had to be. */
  | { readonly kind: 'passes'; readonly passes: readonly string[]; readonly disagreement: Disagreement }
  /** They agree on the portable target with all passes: what is wrong is the schedule or the code of this one. */
  | { readonly kind: 'target'; readonly target: Target['name']; readonly disagreement: Disagreement }
  /** They never agree: lowering or a pass that nothing compiles without. */
  | { readonly kind: 'unknown'; readonly disagreement: Disagreement };

const optionalPasses: readonly string[] = pipeline.filter((p) => p.optional).map((p) => p.name);

/** Compares a compiled graph with its meaning on `data`, and names who is to blame for a difference. */
export function bisect(graph: Graph, target: Target, data: readonly Reference[]): Verdict {
  const expected = expectationOf(graph, data);
  const compared = (disable: readonly string[], on = target): Disagreement | undefined =>
    worst(expected, runOnce(load(compileGraph(graph, on, { disable })), graph, data));
  const disagreement = compared([]);
  if (disagreement === undefined) return { kind: 'agrees' };
  const passes = passesToBlame((disable) => compared(disable) === undefined);
  if (passes !== undefined) return { kind: 'passes', passes, disagreement };
  if (target.name !== 'js' && compared([], jsTarget) === undefined) return { kind: 'target', target: target.name, disagreement };
  return { kind: 'unknown', disagreement };
}

/** The fewest passes, first alone and then with all before them, without which results agree. Undefined if they never do. */
export function passesToBlame(
  agreesWithout: (passes: readonly string[]) => boolean,
  passes = optionalPasses,
): readonly string[] | undefined {
  const alone = passes.find((pass) => agreesWithout([pass]));
  if (alone !== undefined) return [alone];
  if (!agreesWithout(passes)) return undefined;
  // Leave out what need not be off.
  let blamed = passes;
  for (const pass of passes) {
    const fewer = blamed.filter((p) => p !== pass);
    if (agreesWithout(fewer)) blamed = fewer;
  }
  return blamed;
}

/** What the reference says, and how far it moves when its inputs move by their rounding. */
type Expectation = readonly { readonly value: Reference; readonly moved: Reference; readonly noise: number }[];

/** Roundings within a kernel, in multiples of what a rounding of the inputs does. */
const roundings = 200;

function expectationOf(graph: Graph, data: readonly Reference[]): Expectation {
  const values = evaluate(graph, data);
  const moved = evaluate(graph, data.map(nudged));
  return values.map((value, i) => {
    let noise = 0;
    for (let e = 0; e < value.data.length; e++) {
      const distance = Math.abs(value.data[e]! - moved[i]!.data[e]!);
      if (Number.isFinite(distance)) noise = Math.max(noise, distance);
    }
    return { value, moved: moved[i]!, noise };
  });
}

function nudged({ dtype, shape, data }: Reference, seed: number): Reference {
  if (!isFloat(dtype)) return { dtype, shape, data };
  const draw = draws(seed + 1);
  const step = dtype === 'f64' ? 2 ** -52 : dtype === 'f16' ? 2 ** -11 : 2 ** -24;
  return { dtype, shape, data: data.map((x) => x * (draw() < 0.5 ? 1 - step : 1 + step)) };
}

function worst(expected: Expectation, actual: readonly Reference[]): Disagreement | undefined {
  let found: Disagreement | undefined;
  let farthest = 0;
  for (const [output, { value, moved, noise }] of expected.entries()) {
    const allowed = isFloat(value.dtype) ? roundings * noise + relative(value) * scaleOf(value) : 0;
    for (let element = 0; element < value.data.length; element++) {
      const [got, e] = [actual[output]!.data[element]!, value.data[element]!];
      // Where the reference itself jumps, both sides of the jump are right.
      if (Object.is(got, e) || got === e || (!isFloat(value.dtype) && moved.data[element] !== e)) continue;
      const distance = Math.abs(got - e);
      if (distance <= allowed) continue;
      const excess = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance / (allowed || Number.MIN_VALUE);
      if (found !== undefined && excess <= farthest) continue;
      farthest = excess;
      found = { output, element, got, expected: e, allowed };
    }
  }
  return found;
}

const relative = ({ dtype }: Reference): number => (dtype === 'f64' ? 2 ** -46 : dtype === 'f16' ? 2 ** -8 : 2 ** -18);

/** The largest finite magnitude. */
function scaleOf({ data }: Reference): number {
  let scale = 0;
  for (const x of data) if (Number.isFinite(x)) scale = Math.max(scale, Math.abs(x));
  return scale;
}

/** The verdict in words, one line for each thing that is to say. */
export function describeVerdict(name: string, graph: Graph, verdict: Verdict): string {
  if (verdict.kind === 'agrees') return `${name}: agrees with the float64 reference`;
  const { output, element, got, expected, allowed } = verdict.disagreement;
  const { node, index } = graph.outputs[output]!;
  const where = `output ${output} (${node.op}: ${avalText(node.outputs[index]!)}), element ${element}`;
  const difference = `${name}: ${where} is ${got}, the float64 reference says ${expected} (${allowed.toExponential(1)} would be rounding)`;
  switch (verdict.kind) {
    case 'passes': {
      const disable = `FLUXION_DISABLE=${verdict.passes.join(',')}`;
      const who = verdict.passes.length === 1 ? `the pass ${verdict.passes[0]}` : `the passes ${verdict.passes.join(' and ')} together`;
      return `${difference}\n${name}: ${who} changed the result; ${disable} avoids it`;
    }
    case 'target':
      return `${difference}\n${name}: right on the device js: the schedule or the code for ${verdict.target} changed the result`;
    case 'unknown':
      return `${difference}\n${name}: wrong with all optional passes off: lowering, or a pass that nothing compiles without, changed the result`;
    default:
      return verdict satisfies never;
  }
}
