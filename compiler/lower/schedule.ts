// The schedule of a plain nest on a target: which checked transformations of kernels/schedule are applied to it.
import type { Kernel } from '../../kernels/loop.ts';
import { searchInLanes } from '../../kernels/schedule/argreduce.ts';
import { tileContractions } from '../../kernels/schedule/contraction.ts';
import { flattenGrids } from '../../kernels/schedule/grid.ts';
import { mergeMembers } from '../../kernels/schedule/members.ts';
import { splitReductions } from '../../kernels/schedule/partials.ts';
import { scheduleProducts } from '../../kernels/schedule/product.ts';
import { sortByRank } from '../../kernels/schedule/ranks.ts';
import { splitResidues } from '../../kernels/schedule/residues.ts';
import { shareScatters } from '../../kernels/schedule/scatter.ts';
import { transposeReads } from '../../kernels/schedule/transpose.ts';
import { vectorise } from '../../kernels/schedule/vectorise.ts';
import type { Target } from '../../runtime/target.ts';
import type { NodeOf } from '../ir/node.ts';

/** Sums that an invocation of a GPU has side by side. Scratch that all invocations share would want a dispatch of its own. */
const inRegisters = { tile: [4, 4], maxStaged: 0 } as const;

export function scheduleKernel(kernel: Kernel, form: NodeOf<'kernel'>['attrs']['form'], target: Target): Kernel {
  const scheduled = scheduleForm(kernel, form, target);
  if (target.name === 'webgpu') return sortByRank(splitReductions({ ...scheduled, body: flattenGrids(scheduled.body) }));
  return target.name === 'wasm'
    ? shareScatters(splitReductions(vectorise(transposeReads(splitResidues(searchInLanes(scheduled))))))
    : scheduled;
}

function scheduleForm(kernel: Kernel, form: NodeOf<'kernel'>['attrs']['form'], target: Target): Kernel {
  if (form === 'members') return target.name === 'webgpu' ? kernel : mergeMembers(kernel);
  if (form !== 'contraction') return kernel;
  if (target.tile !== undefined) return scheduleProducts(kernel, { tile: target.tile, threads: target.threads });
  const params = kernel.params.map((p) => p.name);
  if (target.name === 'webgpu') return { ...kernel, body: tileContractions(flattenGrids(kernel.body), params, inRegisters) };
  return { ...kernel, body: tileContractions(kernel.body, params) };
}
