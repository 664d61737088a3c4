// The derivative of a compiled call whose results require grad: recorded once beside it, then a Program of its own that backward() runs.
import type { Buffer } from '../../../runtime/buffer.ts';
import { AutogradError } from '../../../runtime/errors.ts';
import { shapeAt, sizesOf } from '../../../runtime/sizes.ts';
import { b } from '../../ir/builder.ts';
import { avalOf, makeNode, type Value } from '../../ir/node.ts';
import { partOf, structureOf, survey, valueId } from '../../jit/structure.ts';
import { type Root, runBackward } from '../autograd/engine.ts';
import { type Edge, GradFn } from '../autograd/graph.ts';
import { isGradEnabled } from '../autograd/mode.ts';
import { freed } from '../autograd/residuals.ts';
import { carryClaims, deferSteps, observedBy, realise } from '../boundary.ts';
import { placeNow, targetOf } from '../device.ts';
import { edgeOf } from '../handle.ts';
import { newTensor } from '../op.ts';
import { currentInterval, type LeafRecord, leafOfBuffer, recording, resolve, startInterval } from '../record.ts';
import { storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import { needed, ownerOf, type Recording, Refusal, sourceOf } from './describe.ts';
import { bufferAt, tensorOf, type Walk } from './sources.ts';
import type { Backward, Source } from './tree.ts';

/** Walks over the functions that the call made, from its outputs on, to the places outside of it into which gradients flow. */
function borderOf(r: Recording, outputs: readonly Tensor[]): { border: readonly Edge[]; spent: ReadonlySet<number> } | Refusal {
  const spent = new Set<number>();
  const border = new Map<GradFn, Map<number, Edge>>();
  for (const [output, t] of outputs.entries()) {
    const inside = new Set<GradFn>();
    const enter = (edge: Edge): void => {
      const { fn, index } = edge;
      if (fn.variable === undefined && fn.sequence > r.since) {
        inside.add(fn);
        return;
      }
      // A leaf that the call made itself is nobody's to look at.
      if (fn.variable !== undefined && r.call.made.has(fn.variable)) return;
      const known = border.get(fn) ?? new Map<number, Edge>();
      border.set(fn, known);
      if (!known.has(index)) known.set(index, edge);
    };
    enter(edgeOf(t)!);
    // A set iterates over what is added while it is walked.
    for (const fn of inside) {
      if (fn.retained !== undefined && fn.retained.size > 0) return new Refusal('it keeps the gradient of a result of an op');
      if (fn.hooks !== undefined || fn.preHooks !== undefined || fn.postHooks !== undefined)
        return new Refusal(
          'it registers a hook on gradients, which must be called each time',
          'register it outside, or call backward() inside',
        );
      if (fn.saved === undefined && fn.custom === undefined) spent.add(output);
      for (const e of fn.next) if (e !== null) enter(e);
    }
  }
  return { border: [...border.values()].flatMap((places) => [...places.values()]), spent };
}

/** The tensor that gradients for a place outside belong to: a replay asks it for its place anew. */
function ownerOfEdge(r: Recording, { fn, index }: Edge): Tensor | undefined {
  for (const t of [...r.found, ...(r.call.used as Set<Tensor>)]) {
    if (r.call.made.has(t)) continue;
    const edge = edgeOf(t);
    if (edge?.fn === fn && edge.index === index) return t;
  }
  return undefined;
}

/** Hooks of the outside are called when gradients really come. */
function withoutHooks<T>(border: readonly Edge[], f: () => T): T {
  const kept = border.map(({ fn }) => ({ fn, hooks: fn.hooks, retained: fn.retained }));
  for (const { fn } of kept) {
    fn.hooks = undefined;
    fn.retained = undefined;
  }
  try {
    return f();
  } finally {
    for (const { fn, hooks, retained } of kept) {
      fn.hooks = hooks;
      fn.retained = retained;
    }
  }
}

class LookedAt extends Error {}

/** By place in the border; undefined where no gradient comes to. */
type Gradients = readonly (Value | undefined)[];

/** Records the gradients of `outputs` over leaves without data. The interval that they are recorded in never runs. */
export function recordBackward(r: Recording, outputs: readonly Tensor[]): Backward | Refusal {
  const walk = borderOf(r, outputs);
  if (walk instanceof Refusal) return walk;
  const { border: edges, spent } = walk;
  const owners = edges.map((e) => ownerOfEdge(r, e));
  if (owners.includes(undefined)) return new Refusal('its results depend on a tensor by a way that a replay would not find');
  const cotangents = outputs.map((t): Value => {
    const aval = { dtype: t.element, shape: t.shape };
    const leaf = makeNode('input', [], aval, [], [aval]);
    leaf.record = { buffer: undefined, claim: undefined } satisfies LeafRecord;
    return leaf.values[0]!;
  });
  const refuse = (): never => {
    throw new LookedAt();
  };
  const before = observedBy({ number: refuse, other: refuse });
  try {
    const roots = outputs.map((t, i) => (spent.has(i) ? undefined : { edge: edgeOf(t)!, gradient: newTensor(storageOf(cotangents[i]!)) }));
    const backwardFrom = (from: readonly Root[]): Gradients =>
      runBackward({ roots: from, createGraph: false, retainGraph: true, inputs: edges, accumulates: false }).map((ct) =>
        // A node of its own for each, so that it has a place in the structure.
        ct === null ? undefined : recording(() => b.reshape(resolve(ct.value), { shape: avalOf(ct.value).shape })),
      );
    const { all, alone } = withoutHooks(edges, () =>
      deferSteps(() => ({
        all: backwardFrom(roots.filter((root) => root !== undefined)),
        alone: outputs.length === 1 ? [] : roots.map((root) => (root === undefined ? [] : backwardFrom([root]))),
      })),
    );
    return { ...describe(r, outputs, cotangents, all, alone, owners as readonly Tensor[]), spent };
  } catch (error) {
    if (error instanceof LookedAt) return new Refusal('the backward of a custom function looks at gradients');
    if (error instanceof AutogradError) return new Refusal(`backward cannot be recorded: ${error.what}`);
    throw error;
  } finally {
    observedBy(before);
    drop();
  }
}

function describe(
  r: Recording,
  outputs: readonly Tensor[],
  cotangents: readonly Value[],
  all: Gradients,
  alone: readonly Gradients[],
  owners: readonly Tensor[],
): Omit<Backward, 'spent'> {
  const { nodes } = currentInterval();
  const stretch = survey(nodes);
  const position = new Map(nodes.map((n, i) => [n, i]));
  const computed = [all, ...alone].flat().filter((v) => v !== undefined);
  const rootOf = (v: Value | undefined): number | undefined => (v === undefined ? undefined : computed.indexOf(v));
  const leaves = stretch.leaves.map((v): Source | number => {
    const output = cotangents.indexOf(v);
    return output >= 0 ? output : needed(r, sourceOf(r, v));
  });
  return {
    structure: structureOf(stretch, targetOf(currentInterval().place ?? placeNow())),
    roots: computed.map((v) => valueId(position.get(v.node)!, v.index)),
    leaves,
    shapes: stretch.leaves.map((v) => avalOf(v).shape as readonly number[]),
    outputs: outputs.length,
    inputs: owners.map((t, i) => ({
      of: ownerOf(r, t),
      root: rootOf(all[i]),
      alone: alone.map((gradients) => rootOf(gradients[i])),
    })),
  };
}

/** Lets go of the running interval. What its leaves stand for is computed at the next boundary: storages may hold such leaves now. */
function drop(): void {
  carryClaims(startInterval(currentInterval().call));
}

/** What backward will read of a call: by leaf, undefined where a gradient comes in. */
export type Residuals = readonly (Buffer | number | undefined)[];

export function residualsFor(walk: Walk, backward: Backward): Residuals {
  return backward.leaves.map((source) => {
    if (typeof source === 'number') return undefined;
    if (source.kind === 'slot') return walk.walked[source.depth]!.numbers[source.ordinal]!;
    if (source.kind === 'number') return typeof source.number === 'number' ? source.number : source.number();
    // Nobody may write into what backward will read.
    const storage = source.kind === 'found' ? walk.found[source.index]!.storage : source.kind === 'capture' ? source.storage : undefined;
    if (storage !== undefined) storage.owned = false;
    const buffer = bufferAt(walk, source);
    if (storage !== undefined) storage.spare = undefined;
    return buffer;
  });
}

/** The function that stands for one call in the graph of gradients. */
export function functionOf(backward: Backward, residuals: Residuals, found: readonly Tensor[]): GradFn {
  const { structure, roots, leaves, shapes, outputs, inputs, spent } = backward;
  const fn = new GradFn(
    'CompiledFunctionBackward',
    inputs.map(({ of }) => edgeOf(tensorOf(of, found))),
    undefined,
  );
  let saved: Residuals | undefined = residuals;
  fn.custom = {
    run: (gradOutputs) => {
      if (saved === undefined || [...spent].some((i) => gradOutputs[i] != null)) throw freed(fn.name);
      if (isGradEnabled())
        throw new AutogradError('the backward of a compiled function cannot be differentiated again', {
          op: 'backward',
          fix: 'take both derivatives inside of the compiled function, or call it uncompiled',
        });
      const cotangents = gradOutputs.map((gradient) => (gradient == null ? undefined : realise(recording(() => gradient.value()))));
      const given = [...cotangents.keys()].filter((i) => cotangents[i] !== undefined);
      // Zeros in the place of gradients that do not come would be NaN behind an infinite slope.
      const isWhole = given.length === outputs - spent.size;
      const parts = inputs.map(({ root, alone }) => (isWhole ? [root] : given.map((i) => alone[i])).filter((at) => at !== undefined));
      const wanted = [...new Set(parts.flat())].sort((x, y) => x - y);
      if (wanted.length === 0) return inputs.map(() => null);
      const { executable, reads } = partOf(
        structure,
        wanted.map((root) => roots[root]!),
        true,
      );
      const buffers: Buffer[] = [];
      const numbers: number[] = [];
      for (const i of reads) {
        const leaf = leaves[i]!;
        const given = typeof leaf === 'number' ? cotangents[leaf]! : saved[i]!;
        if (typeof given === 'number') numbers.push(given);
        else buffers.push(given);
      }
      const sizes = sizesOf(executable.program, buffers);
      const gradients = executable.execute(buffers, Float64Array.from(numbers));
      const gradientOf = (root: number): Tensor => {
        const at = wanted.indexOf(root);
        const port = executable.program.outputs[at]!;
        const { dtype } = port;
        const shape = shapeAt(port, sizes);
        return newTensor(storageOf(leafOfBuffer(gradients[at]!, { dtype, shape })));
      };
      return parts.map((roots) => (roots.length === 0 ? null : roots.map(gradientOf).reduce((sum, t) => sum.add(t))));
    },
    release: () => {
      saved = undefined;
    },
    saved: () =>
      (saved ?? []).flatMap((buffer, i) => {
        const { dtype } = avalOf(structure.leaves[i]!.values[0]!);
        return typeof buffer === 'object' ? [newTensor(storageOf(leafOfBuffer(buffer, { dtype, shape: shapes[i]! })))] : [];
      }),
  };
  return fn;
}
