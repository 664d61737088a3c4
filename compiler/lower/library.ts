// Kernels of the form `library`: sorting and factorisations by a routine, running sums and products by a carried value, scattering by one writer in order.
import type { Expr, Extent, Position, Stmt } from '../../kernels/loop.ts';
import { add, constant, linearize, mul, zero } from '../../kernels/position.ts';
import { type LibraryRoutine, routines } from '../../kernels/routines.ts';
import { bytesPerElement } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import { fixedShape } from '../ir/dim.ts';
import { dtypeOf, type NodeOf, nodesOf, shapeOf, type Value } from '../ir/node.ts';
import { extentsOf } from '../ops/extent.ts';
import { rules } from '../ops/table.ts';
import { identity } from './accumulator.ts';
import { converted } from './epilogue.ts';
import { expression, expressions } from './expression.ts';
import { type Axis, axesFor, declare, emit, innermost, loop, loops, type Mode, type Nest } from './nest.ts';
import { elements, type Region } from './region.ts';

export function lowerLibrary(nest: Nest, region: Region): void {
  const node = nodesOf(region.graph).find((n) => rules[n.op].lower.kind === 'library');
  switch (node?.op) {
    case 'sort':
      call(nest, region, node, 'sort', alongAxis(node.inputs[0], node.attrs.axis), [Number(node.attrs.descending), -1]);
      return;
    case 'topk':
      call(nest, region, node, 'sort', alongAxis(node.inputs[0], node.attrs.axis), [Number(node.attrs.largest), node.attrs.k]);
      return;
    case 'cholesky':
    case 'eigh':
      call(nest, region, node, node.op, squareMatrices(node.inputs[0]), []);
      return;
    case 'lu':
      call(nest, region, node, 'lu', squareMatrices(node.inputs[0]), [Number(node.attrs.singular === 'allowed')]);
      return;
    case 'triangularSolve': {
      const { upper, transpose, unit } = node.attrs;
      call(nest, region, node, 'triangularSolve', matrices(node.inputs[1]), [upper, transpose, unit].map(Number));
      return;
    }
    case 'qr':
      call(nest, region, node, 'qr', matrices(node.inputs[0]), [Number(node.attrs.complete)]);
      return;
    case 'svd':
      call(nest, region, node, 'svd', matrices(node.inputs[0]), [Number(node.attrs.full)]);
      return;
    case 'cumsum':
    case 'cumprod':
      runAlong(nest, region, node);
      return;
    case 'scatterAdd':
    case 'scatterSet':
      scatter(nest, region, node);
      return;
    default:
      throw new InternalError(`a kernel of the form library holds ${node?.op ?? 'no library op'}`, { op: 'lower' });
  }
}

/** A buffer that holds the value: a parameter, or scratch that it is computed into. */
function bufferOf(nest: Nest, region: Region, value: Value): string {
  const shape = fixedShape(shapeOf(value));
  const known = region.known(
    value,
    shape.map(() => zero),
  );
  if (known?.kind === 'load') return known.buffer;
  const buffer = declare(nest, 'operand');
  emit(nest, { kind: 'scratch', name: buffer, dtype: dtypeOf(value), length: elements(shape) });
  loops(nest, axesFor(nest, shape), 'par', (at) => {
    const stored = expression(nest, region.known, value, at);
    emit(nest, { kind: 'store', buffer, at: linearize(at, shape, nest.extents), value: stored });
  });
  return buffer;
}

type RoutineNode = NodeOf<'sort' | 'topk' | 'cholesky' | 'lu' | 'triangularSolve' | 'qr' | 'eigh' | 'svd'>;

/** Calls a routine on the buffers of operands and results; a result that is no output goes to scratch. */
function call(
  nest: Nest,
  region: Region,
  node: RoutineNode,
  routine: LibraryRoutine,
  extents: readonly number[],
  flags: readonly number[],
): void {
  const operands = (node.inputs as readonly Value[]).map((x) => bufferOf(nest, region, x));
  const names = Object.keys(routines[routine].writes);
  const results = node.values.map((value) => {
    const output = region.graph.outputs.indexOf(value);
    if (output >= 0) return region.writes[output]!.name;
    const name = declare(nest, names[value.index]!);
    emit(nest, { kind: 'scratch', name, dtype: dtypeOf(value), length: elements(fixedShape(shapeOf(value))) });
    return name;
  });
  emit(nest, { kind: 'library', routine, buffers: [...operands, ...results], extents, flags });
}

/** Elements before, along and behind an axis. */
function alongAxis(x: Value, axis: number): readonly number[] {
  const shape = fixedShape(shapeOf(x));
  return [elements(shape.slice(0, axis)), shape[axis]!, elements(shape.slice(axis + 1))];
}

/** How many matrices the last two axes hold, and their rows and columns. */
function matrices(x: Value): readonly number[] {
  const shape = fixedShape(shapeOf(x));
  return [elements(shape.slice(0, -2)), ...shape.slice(-2)];
}
const squareMatrices = (x: Value): readonly number[] => matrices(x).slice(0, 2);

/** One running value for each line along the axis; lines that lie side by side in memory are walked together. */
function runAlong(nest: Nest, region: Region, node: NodeOf<'cumsum'> | NodeOf<'cumprod'>): void {
  const [x] = node.inputs;
  const shape = extentsOf(shapeOf(x), nest.sizes);
  if (elements(shape) === 0) return;
  const { axis, reverse } = node.attrs;
  const fn = node.op === 'cumsum' ? 'add' : 'mul';
  const dtype = region.target.accumulate[dtypeOf(x)];
  const axes = axesFor(nest, shape);
  const side = shape.slice(axis + 1);
  const width = elements(side);
  const together = width > 1 && width * bytesPerElement[dtype] <= region.target.maxScratchBytes;
  const along = (step: Position): Position => (reverse ? add(constant(shape[axis]!), constant(-1), mul(step, -1)) : step);
  const step = (at: readonly Position[], sideAt: readonly Position[], carry: string): void => {
    const value = converted(expression(nest, region.known, x, at), dtype);
    const place = linearize(sideAt, side, nest.extents);
    const carried: Expr = together ? { kind: 'load', dtype, buffer: carry, at: place } : { kind: 'ref', dtype, name: carry };
    emit(nest, together ? { kind: 'update', buffer: carry, at: place, fn, value } : { kind: 'accumulate', name: carry, fn, value });
    for (const [i, output] of region.graph.outputs.entries())
      if (output.node === node)
        emit(nest, {
          kind: 'store',
          buffer: region.writes[i]!.name,
          at: linearize(at, shape, nest.extents),
          value: converted(carried, dtypeOf(x)),
        });
  };
  loops(nest, axes.slice(0, axis), 'par', (outer) => {
    if (together) {
      const carry = declare(nest, 'carry');
      emit(nest, { kind: 'scratch', name: carry, dtype, length: width, init: identity(fn, dtype) });
      loop(nest, axes[axis]!, 'serial', (k) =>
        loops(nest, axes.slice(axis + 1), 'par', (inner) => step([...outer, along(k), ...inner], inner, carry)),
      );
    } else {
      loops(nest, axes.slice(axis + 1), 'par', (inner) => {
        const carry = declare(nest, 'carry');
        emit(nest, { kind: 'var', name: carry, init: identity(fn, dtype) });
        loop(nest, axes[axis]!, 'serial', (k) => step([...outer, along(k), ...inner], [], carry));
      });
    }
  });
}

/** Copies the operand, then applies the updates in row-major order: one writer, so the result does not depend on a schedule. */
function scatter(nest: Nest, region: Region, node: NodeOf<'scatterAdd'> | NodeOf<'scatterSet'>): void {
  const [x, index, updates] = node.inputs;
  const shape = extentsOf(shapeOf(x), nest.sizes);
  const { axis, mode } = node.attrs;
  const out = region.writes[0]!;
  // Sums run in the dtype of accumulation where scratch has room for the whole result.
  const wide = region.target.accumulate[out.dtype];
  const widened =
    node.op === 'scatterAdd' && wide !== out.dtype && elements(shape) * bytesPerElement[wide] <= region.target.maxScratchBytes;
  const dtype = widened ? wide : out.dtype;
  const buffer = widened ? declare(nest, 'sums') : out.name;
  if (widened) emit(nest, { kind: 'scratch', name: buffer, dtype, length: elements(shape) });
  copy(nest, shape, buffer, (at) => converted(expression(nest, region.known, x, at), dtype));
  // Two updates meet in an element only if they differ along the axis alone.
  const modes = axesFor(nest, extentsOf(shapeOf(index), nest.sizes)).map(
    (a, d) => ({ axis: a, mode: d === axis ? 'serial' : 'par' }) as const,
  );
  nestedLoops(nest, modes, (at) => {
    const [where, value] = expressions(nest, region.known, [
      { value: index, at, bind: true },
      { value: updates, at },
    ]) as [Expr, Expr];
    if (mode === 'checked') checkOnce(nest, { kind: 'check', value: where, below: shape[axis]!, op: node.op });
    const target = linearize(
      at.map((p, d) => (d === axis ? { kind: 'value', value: where } : p)),
      shape,
      nest.extents,
    );
    const stored = converted(value, dtype);
    emit(
      nest,
      node.op === 'scatterAdd'
        ? { kind: 'update', buffer, at: target, fn: 'add', value: stored }
        : { kind: 'store', buffer, at: target, value: stored },
    );
  });
  if (widened)
    copy(nest, shape, out.name, (at) => converted({ kind: 'load', dtype, buffer, at: linearize(at, shape, nest.extents) }, out.dtype));
}

/** A check stands where what it checks is bound: further inside it would be made again and again. */
function checkOnce(nest: Nest, check: Extract<Stmt, { kind: 'check' }>): void {
  const level = check.value.kind === 'ref' ? nest.depth.get(check.value.name) : undefined;
  nest.levels[level ?? innermost(nest)]!.body.push(check);
}

function nestedLoops(
  nest: Nest,
  axes: readonly { readonly axis: Axis; readonly mode: Mode }[],
  body: (at: readonly Position[]) => void,
  at: readonly Position[] = [],
): void {
  const next = axes[at.length];
  if (next === undefined) body(at);
  else loop(nest, next.axis, next.mode, (p) => nestedLoops(nest, axes, body, [...at, p]));
}

function copy(nest: Nest, shape: readonly Extent[], into: string, from: (at: readonly Position[]) => Expr): void {
  if (elements(shape) === 0) return;
  loops(nest, axesFor(nest, shape), 'par', (at) =>
    emit(nest, { kind: 'store', buffer: into, at: linearize(at, shape, nest.extents), value: from(at) }),
  );
}
