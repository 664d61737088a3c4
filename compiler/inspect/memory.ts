// The memory of a Program over time: which intermediate lies where in the arena during which launches, and what backward keeps alive.
import { bytesPerElement } from '../../runtime/dtype.ts';
import { arenaAlignment, type BufferRef, launchesOf } from '../../runtime/program.ts';
import { avalText } from '../ir/aval.ts';
import { idsOf } from '../ir/names.ts';
import { avalOf, locationText, type Node, type NodeOf, nodesOf, storedAs, type Value } from '../ir/node.ts';
import { anatomyOf } from './anatomy.ts';
import type { Inspected } from './programs.ts';

/** An intermediate in the arena. */
export type MemoryBlock = {
  /** Its id in the fused graph, its dtype and shape: `%13: f32[32,128]`. Within a loop or branch it has no id there. */
  readonly value: string;
  readonly op: string;
  /** The user's line that it comes from. */
  readonly line: string | undefined;
  readonly kernel: string;
  readonly offset: number;
  readonly bytes: number;
  /** The launches as they stand in the Program, counted from 0, that write it first and touch it last: of a loop, those of one turn. */
  readonly first: number;
  readonly last: number;
  /** Whether it takes over the bytes of a block that the same launch reads for the last time. */
  readonly isInPlace: boolean;
  /** Whether forward made it and backward reads it. */
  readonly isSaved: boolean;
};

export type MemoryReport = {
  readonly name: string;
  readonly arenaBytes: number;
  /** The largest set of intermediates alive at once: no plan needs less. */
  readonly liveBytes: number;
  /** By launch. */
  readonly launches: readonly { readonly kernel: string; readonly liveBytes: number }[];
  /** In order of the launches that write them. */
  readonly blocks: readonly MemoryBlock[];
  /** The user's lines whose results wait for backward, the greatest first. */
  readonly saved: readonly { readonly line: string; readonly bytes: number; readonly values: readonly string[] }[];
};

type OpenBlock = { -readonly [K in keyof MemoryBlock]: MemoryBlock[K] };

export function memoryOf(inspected: Inspected): MemoryReport {
  const { program, stages, launches } = anatomyOf(inspected);
  const ids = idsOf(stages.at(-1)!.graph);
  const blocks: OpenBlock[] = [];
  /** The block that lies at an offset now. */
  const at = new Map<number, OpenBlock>();
  const ofValue = new Map<Value, OpenBlock>();
  launchesOf(program.steps).forEach(({ launch }, i) => {
    const { node } = launches[i]!;
    const operands = launch.buffers.length - node.values.length;
    const reads = launch.buffers.slice(0, operands).filter(isArena);
    for (const ref of reads) {
      const block = at.get(ref.offset);
      if (block !== undefined) block.last = i;
    }
    launch.buffers.slice(operands).forEach((ref, r) => {
      if (!isArena(ref)) return;
      const value = node.values[r]!;
      const root = node.regions[0]!.outputs[r]!.node;
      const block: OpenBlock = {
        value: `${ids.has(value) ? `%${ids.get(value)}: ` : ''}${avalText(avalOf(value))}`,
        op: root.op,
        line: locationText(root.loc ?? node.loc),
        kernel: program.kernels[launch.kernel]!.name,
        offset: ref.offset,
        bytes: aligned(ref.length * bytesPerElement[ref.dtype]),
        first: i,
        last: i,
        isInPlace: reads.some((read) => read.offset === ref.offset),
        isSaved: false,
      };
      at.set(ref.offset, block);
      ofValue.set(value, block);
      blocks.push(block);
    });
  });
  for (const { node } of launches) for (const value of savedBy(node)) markSaved(value, ofValue);
  return {
    name: inspected.name,
    arenaBytes: program.arenaBytes,
    liveBytes: program.liveBytes,
    launches: liveAt(
      blocks,
      launchesOf(program.steps).map(({ launch }) => program.kernels[launch.kernel]!.name),
    ),
    blocks,
    saved: savedByLine(blocks),
  };
}

type ArenaRef = BufferRef & { readonly space: 'arena' };
const isArena = (ref: BufferRef): ref is ArenaRef => ref.space === 'arena';
const aligned = (bytes: number): number => Math.ceil(bytes / arenaAlignment) * arenaAlignment;

const isBackward = (node: Node): boolean => node.loc?.isBackward === true;

/** Operands of a kernel that nodes of backward read, and that are no gradients themselves. */
function savedBy(kernel: NodeOf<'kernel'>): Value[] {
  const [region] = kernel.regions;
  const read = new Set<Value>();
  for (const node of nodesOf(region!)) if (isBackward(node)) for (const v of node.inputs) read.add(v);
  return region!.inputs.flatMap((param, i) => (read.has(param) ? [storedAs(kernel.inputs[i]!)] : []));
}

function markSaved(value: Value, ofValue: ReadonlyMap<Value, OpenBlock>): void {
  const block = ofValue.get(value);
  if (block === undefined) return;
  const root = value.node.op === 'kernel' ? value.node.regions[0]!.outputs[value.index]!.node : value.node;
  if (!isBackward(root)) block.isSaved = true;
}

function liveAt(blocks: readonly MemoryBlock[], kernels: readonly string[]): MemoryReport['launches'] {
  const change = new Float64Array(kernels.length + 1);
  const taken = new Map(blocks.filter((b) => b.isInPlace).map((b) => [`${b.first} ${b.offset}`, b]));
  for (const b of blocks) {
    // Of two that share bytes in one launch, the later one counts.
    const heir = taken.get(`${b.last} ${b.offset}`);
    const end = heir !== undefined && heir !== b ? b.last - 1 : b.last;
    if (end < b.first) continue;
    change[b.first]! += b.bytes;
    change[end + 1]! -= b.bytes;
  }
  let liveBytes = 0;
  return kernels.map((kernel, i) => {
    liveBytes += change[i]!;
    return { kernel, liveBytes };
  });
}

function savedByLine(blocks: readonly MemoryBlock[]): MemoryReport['saved'] {
  const lines = new Map<string, { line: string; bytes: number; values: string[] }>();
  for (const { isSaved, line = 'of unknown lines', bytes, value, op } of blocks) {
    if (!isSaved) continue;
    const entry = lines.get(line) ?? { line, bytes: 0, values: [] };
    entry.bytes += bytes;
    entry.values.push(`${value} (${op})`);
    lines.set(line, entry);
  }
  return [...lines.values()].sort((a, b) => b.bytes - a.bytes || (a.line < b.line ? -1 : 1));
}
