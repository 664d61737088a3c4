// One kernel node as one kernel of the loop IR: its region lowered by its form, loops merged, and the lines that it came from.
import type { Kernel } from '../../kernels/loop.ts';
import type { DType } from '../../runtime/dtype.ts';
import { userLine } from '../../runtime/errors.ts';
import type { Target } from '../../runtime/target.ts';
import { type Node, type NodeOf, nodesOf } from '../ir/node.ts';
import type { Sizes } from '../ops/extent.ts';
import { costOf } from '../passes/fuse/cost.ts';
import { roleOf } from '../passes/fuse/role.ts';
import { collapse } from './collapse.ts';
import { lowerContraction } from './contraction.ts';
import { lowerLibrary } from './library.ts';
import { lowerMembers } from './members.ts';
import { identifier } from './names.ts';
import { bodyOf, type Nest, nestOver } from './nest.ts';
import { lowerPointwise } from './pointwise.ts';
import { type Region, regionOf } from './region.ts';
import { lowerRows } from './rows.ts';

const forms: Readonly<Record<NodeOf<'kernel'>['attrs']['form'], (nest: Nest, region: Region) => void>> = {
  pointwise: lowerPointwise,
  rows: lowerRows,
  contraction: lowerContraction,
  members: lowerMembers,
  library: lowerLibrary,
};

/** The plain nest of a kernel node: its meaning, before any schedule. `slotIndex`, `slots` and `sizes` describe the launch's block of numbers. */
export function lowerKernel(
  node: NodeOf<'kernel'>,
  slotIndex: readonly (number | undefined)[],
  slots: readonly DType[],
  target: Target,
  sizes: Sizes = new Map(),
): Kernel {
  const region = regionOf(node, slotIndex, target, sizes);
  const nest = nestOver(region.params, sizes);
  forms[node.attrs.form](nest, region);
  return {
    name: identifier(node.attrs.name),
    params: region.params,
    slots,
    ...(sizes.size === 0 ? {} : { sizes: [...sizes.values()] as Kernel['sizes'] & object }),
    comment: originOf(node),
    body: collapse(bodyOf(nest), nest.names.taken),
  };
}

/** The ops that compute, each with the user's line where it is known; a line is named once. */
export function originOf(node: NodeOf<'kernel'>): string[] {
  const lines = new Set<string>();
  for (const n of nodesOf(node.regions[0]!)) {
    const role = roleOf(n);
    if (role === 'elementwise' ? costOf(n.op) > 0 : role !== 'leaf' && role !== 'constant') lines.add(lineOf(n));
  }
  return [...lines];
}

function lineOf(node: Node): string {
  const site = node.loc?.site;
  const line = site instanceof Error ? userLine(site.stack) : site;
  return line === undefined ? node.op : `${node.op} ${line}`;
}
