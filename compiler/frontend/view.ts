// Views: how a tensor sits in the storage of another, as a chain of movement ops that can be read through and written through.
import { b, full, lit } from '../ir/builder.ts';
import { fixedShape } from '../ir/dim.ts';
import { avalOf, type Value } from '../ir/node.ts';

/** One movement op of a chain. `shape` is the result's. */
export type ViewStep =
  | { readonly op: 'reshape'; readonly shape: readonly number[] }
  | { readonly op: 'permute'; readonly order: readonly number[] }
  | { readonly op: 'expand'; readonly shape: readonly number[]; readonly at: readonly number[] }
  | { readonly op: 'slice'; readonly start: readonly number[]; readonly stop: readonly number[]; readonly step: readonly number[] }
  | { readonly op: 'flip'; readonly axes: readonly number[] }
  /** Of the last two dimensions: `count` elements from (row, column) on, one further in both each time. */
  | { readonly op: 'diagonal'; readonly row: number; readonly column: number; readonly count: number };

type Slice = Omit<Extract<ViewStep, { op: 'slice' }>, 'op'>;

/** Shape, strides and offset in elements of the storage, as PyTorch reports them. */
export type Layout = { readonly shape: readonly number[]; readonly strides: readonly number[]; readonly offset: number };

const contiguousStrides = (shape: readonly number[]): number[] => {
  const strides = new Array<number>(shape.length);
  let n = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = n;
    n *= Math.max(1, shape[i]!);
  }
  return strides;
};
export const contiguous = (shape: readonly number[]): Layout => ({ shape, strides: contiguousStrides(shape), offset: 0 });

export function isContiguous({ shape, strides }: Layout): boolean {
  if (shape.includes(0)) return true;
  let n = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== n) return false;
    n *= shape[i]!;
  }
  return true;
}

/** The layout after a step, or undefined where no strides can describe it: a reshape that must copy. */
export function layoutAfter(l: Layout, step: ViewStep): Layout | undefined {
  switch (step.op) {
    case 'permute':
      return { shape: step.order.map((i) => l.shape[i]!), strides: step.order.map((i) => l.strides[i]!), offset: l.offset };
    case 'expand': {
      const kept = step.shape.map((_, i) => i).filter((i) => !step.at.includes(i));
      return {
        shape: step.shape,
        strides: step.shape.map((_, i) => (step.at.includes(i) ? 0 : l.strides[kept.indexOf(i)]!)),
        offset: l.offset,
      };
    }
    case 'slice':
      return {
        shape: l.shape.map((_, i) => Math.max(0, Math.ceil((step.stop[i]! - step.start[i]!) / step.step[i]!))),
        strides: l.strides.map((s, i) => s * step.step[i]!),
        offset: l.offset + l.strides.reduce((sum, s, i) => sum + s * step.start[i]!, 0),
      };
    case 'flip':
      return {
        shape: l.shape,
        strides: l.strides.map((s, i) => (step.axes.includes(i) ? -s : s)),
        offset: l.offset + step.axes.reduce((sum, i) => sum + l.strides[i]! * Math.max(0, l.shape[i]! - 1), 0),
      };
    case 'diagonal': {
      const [down, right] = l.strides.slice(-2) as [number, number];
      return {
        shape: [...l.shape.slice(0, -2), step.count],
        strides: [...l.strides.slice(0, -2), down + right],
        offset: l.offset + step.row * down + step.column * right,
      };
    }
    case 'reshape': {
      const strides = reshapedStrides(l, step.shape);
      return strides === undefined ? undefined : { shape: step.shape, strides, offset: l.offset };
    }
  }
}

/** Strides under which `shape` walks the same elements, if there are any: PyTorch's computeStride. */
function reshapedStrides(l: Layout, shape: readonly number[]): number[] | undefined {
  if (l.shape.includes(0)) return contiguousStrides(shape);
  const old = l.shape.map((n, i) => [n, l.strides[i]!] as const).filter(([n]) => n !== 1);
  const strides = new Array<number>(shape.length).fill(1);
  let j = shape.length - 1;
  let i = old.length - 1;
  while (i >= 0) {
    // A chunk of old axes that lie contiguously must be covered by whole new axes.
    let [count, stride] = old[i]!;
    const base = stride;
    while (i > 0 && old[i - 1]![1] === stride * old[i]![0]) {
      i--;
      [, stride] = old[i]!;
      count *= old[i]![0];
    }
    let covered = 1;
    while (j >= 0 && (covered < count || shape[j] === 1)) {
      strides[j] = base * covered;
      covered *= shape[j]!;
      j--;
    }
    if (covered !== count) return undefined;
    i--;
  }
  while (j >= 0 && shape[j] === 1) strides[j--] = 1;
  return j < 0 ? strides : undefined;
}

/** Reads through one step. */
export function applyStep(x: Value, step: ViewStep): Value {
  switch (step.op) {
    case 'reshape':
      return b.reshape(x, { shape: step.shape });
    case 'permute':
      return b.permute(x, { order: step.order });
    case 'expand':
      return b.expand(x, { shape: step.shape, at: step.at });
    case 'slice':
      return b.slice(x, { start: step.start, stop: step.stop, step: step.step });
    case 'flip':
      return b.flip(x, { axes: step.axes });
    case 'diagonal': {
      const { flat, every } = inRows(fixedShape(avalOf(x).shape), step);
      return b.slice(b.reshape(x, { shape: flat }), every);
    }
  }
}

/** Rows laid end to end, in which a diagonal is every (columns + 1)-th element. */
function inRows(
  shape: readonly number[],
  { row, column, count }: Extract<ViewStep, { op: 'diagonal' }>,
): { flat: readonly number[]; every: Slice } {
  const lead = shape.slice(0, -2);
  const [rows, columns] = shape.slice(-2) as [number, number];
  const start = row * columns + column;
  const stop = count === 0 ? start : start + (count - 1) * (columns + 1) + 1;
  return {
    flat: [...lead, rows * columns],
    every: { start: [...lead.map(() => 0), start], stop: [...lead, stop], step: [...lead.map(() => 1), columns + 1] },
  };
}

/** Reads through a chain. */
export const applyChain = (x: Value, chain: readonly ViewStep[]): Value => chain.reduce(applyStep, x);

/** Whether an expanded axis shows one place of the storage as several elements: they can be written only if all become the same. */
export const overlaps = ({ shape, strides }: Layout): boolean => !shape.includes(0) && shape.some((n, i) => n > 1 && strides[i] === 0);

/** Whether the chain takes a diagonal across the copies that expand shows: its elements lie in several of them. */
export function crossesCopies(base: Layout, chain: readonly ViewStep[]): boolean {
  let layout = base;
  for (const step of chain) {
    if (step.op === 'diagonal' && overlaps({ ...layout, shape: layout.shape.slice(-2), strides: layout.strides.slice(-2) })) return true;
    layout = layoutAfter(layout, step)!;
  }
  return false;
}

/** `base` with what the chain shows replaced by `written`. */
export function writeThrough(base: Value, chain: readonly ViewStep[], written: Value): Value {
  if (avalOf(written).shape.includes(0)) return base;
  const seen: Value[] = [base];
  for (const step of chain.slice(0, -1)) seen.push(applyStep(seen[seen.length - 1]!, step));
  let value = written;
  let first: readonly number[] = avalOf(written).shape.map(() => 0);
  for (let i = chain.length - 1; i >= 0; i--) {
    const [x, step] = [seen[i]!, chain[i]!];
    value = writeStep(x, step, value, first);
    first = placeBefore(fixedShape(avalOf(x).shape), step, first);
  }
  return value;
}

/** Where an element of a step's result lies in its operand. */
function placeBefore(shape: readonly number[], step: ViewStep, at: readonly number[]): readonly number[] {
  switch (step.op) {
    case 'reshape': {
      let rest = at.reduce((flat, i, axis) => flat * step.shape[axis]! + i, 0);
      return shape.map((_, axis) => {
        const below = shape.slice(axis + 1).reduce((n, d) => n * d, 1);
        const i = Math.floor(rest / below);
        rest -= i * below;
        return i;
      });
    }
    case 'permute':
      return shape.map((_, axis) => at[step.order.indexOf(axis)]!);
    case 'expand':
      return at.filter((_, axis) => !step.at.includes(axis));
    case 'slice':
      return at.map((i, axis) => step.start[axis]! + i * step.step[axis]!);
    case 'flip':
      return at.map((i, axis) => (step.axes.includes(axis) ? shape[axis]! - 1 - i : i));
    case 'diagonal': {
      const i = at[at.length - 1]!;
      return [...at.slice(0, -1), step.row + i, step.column + i];
    }
  }
}

/** `x` with what the step shows of it replaced. `first` is an element that was written, in the step's result. */
function writeStep(x: Value, step: ViewStep, written: Value, first: readonly number[]): Value {
  const shape = fixedShape(avalOf(x).shape);
  switch (step.op) {
    case 'reshape':
      return b.reshape(written, { shape });
    case 'permute':
      return b.permute(written, { order: shape.map((_, i) => step.order.indexOf(i)) });
    case 'expand': {
      // Of the copies that expand shows, the one that was written: if others were too, the same was written there.
      const from = (i: number, axis: number): number => (step.at.includes(axis) ? i : 0);
      const start = first.map(from);
      const stop = step.shape.map((n, axis) => (step.at.includes(axis) ? start[axis]! + 1 : n));
      return b.reshape(b.slice(written, { start, stop, step: step.shape.map(() => 1) }), { shape });
    }
    case 'flip':
      return b.flip(written, { axes: step.axes });
    case 'slice':
      return writeSlice(x, step, written);
    case 'diagonal': {
      const { flat, every } = inRows(shape, step);
      return b.reshape(writeSlice(b.reshape(x, { shape: flat }), every, written), { shape });
    }
  }
}

/** One kernel: inside the slice the written element, elsewhere the old one. */
function writeSlice(x: Value, { start, step }: Slice, written: Value): Value {
  const { dtype } = avalOf(x);
  const shape = fixedShape(avalOf(x).shape);
  const part = fixedShape(avalOf(written).shape);
  const interior = step.map((s) => s - 1);
  const high = shape.map((n, i) => n - start[i]! - ((part[i]! - 1) * step[i]! + 1));
  if (high.every((h, i) => h === 0 && start[i] === 0 && interior[i] === 0)) return written;
  const around = { low: start, high, interior };
  const inside = b.pad(full(true, { dtype: 'bool', shape: part }), lit(false, 'bool'), around);
  return b.select(inside, b.pad(written, lit(0, dtype), around), x);
}
