// Writes StableHLO ops line by line: each function here pushes one op and gives its result.
import type { DType } from '../../../runtime/dtype.ts';
import { type Literal, literalOf } from '../../ir/literal.ts';
import { constantText, type Element, elementOf, isFloatElement, typeText } from './text.ts';

/** A value of the text: its name and its type. */
export type Typed = { readonly id: string; readonly element: Element; readonly shape: readonly number[] };

/** A function that the runner lets JAX write for the platform at hand, since StableHLO has no op for it. */
export type LibraryFunction = {
  readonly symbol: string;
  readonly op: string;
  readonly options: Readonly<Record<string, boolean>>;
  readonly operand: Typed;
  readonly results: readonly Type[];
};
export type Type = Omit<Typed, 'id'>;

export type Emitter = {
  readonly lines: string[];
  readonly library: Map<string, LibraryFunction>;
  /** Names of mesh axes that constraints use. */
  readonly axes: Set<string>;
  next: number;
  indent: string;
  /** The location of what is written now, as it stands behind an op. */
  location: string;
};

export const newEmitter = (indent: string): Emitter => ({
  lines: [],
  library: new Map(),
  axes: new Set(),
  next: 0,
  indent,
  location: '',
});

export const textOf = ({ element, shape }: Type): string => typeText(element, shape);
export const like = (x: Typed, element: Element = x.element): Type => ({ element, shape: x.shape });
export const scalarOf = (element: Element): Type => ({ element, shape: [] });
const typesOf = (xs: readonly Type[]): string => `(${xs.map(textOf).join(', ')})`;
const idsOf = (xs: readonly Typed[]): string => xs.map((x) => x.id).join(', ');

/** One op with one result: `%n = text : type`. */
function push(e: Emitter, result: Type, text: string): Typed {
  const id = `%${e.next++}`;
  e.lines.push(`${e.indent}${id} = ${text}${e.location}`);
  return { id, element: result.element, shape: result.shape };
}

/** An op whose operands and result have one type. */
export const same = (e: Emitter, op: string, ...xs: readonly [Typed, ...Typed[]]): Typed =>
  push(e, xs[0], `${op} ${idsOf(xs)} : ${textOf(xs[0])}`);

/** An op in the form that spells out all types; `attributes` stand between operands and types. */
export const mapped = (e: Emitter, op: string, xs: readonly Typed[], result: Type, attributes = ''): Typed =>
  push(e, result, `${op} ${idsOf(xs)}${attributes} : ${typesOf(xs)} -> ${textOf(result)}`);

/** An op of CHLO, in the form that it has. */
export const chlo = (e: Emitter, op: string, x: Typed): Typed => push(e, x, `chlo.${op} ${x.id} : ${textOf(x)} -> ${textOf(x)}`);

/** An op in MLIR's generic form, with properties, regions and any number of results. A region is written by a function of its arguments. */
export function generic(
  e: Emitter,
  op: string,
  xs: readonly Typed[],
  results: readonly Type[],
  properties: string,
  regions: readonly { readonly arguments: readonly Type[]; readonly body: (args: readonly Typed[]) => readonly Typed[] }[] = [],
): readonly Typed[] {
  const id = `%${e.next++}`;
  const outer = e.indent;
  const last = `${properties === '' ? '' : ` <{${properties}}>`}`;
  let line = `${outer}${results.length === 1 ? id : `${id}:${results.length}`} = "${op}"(${idsOf(xs)})${last}`;
  regions.forEach((region, i) => {
    e.lines.push(`${line}${i === 0 ? ' (' : ', '}{`);
    const args = region.arguments.map((type): Typed => ({ ...type, id: `%${e.next++}` }));
    if (args.length > 0) e.lines.push(`${outer}^bb0(${args.map((a) => `${a.id}: ${textOf(a)}`).join(', ')}):`);
    e.indent = `${outer}  `;
    const returned = region.body(args);
    e.lines.push(`${e.indent}"stablehlo.return"(${idsOf(returned)}) : ${typesOf(returned)} -> ()`);
    e.indent = outer;
    line = `${outer}}`;
  });
  const types = results.length === 1 ? textOf(results[0]!) : typesOf(results);
  e.lines.push(`${line}${regions.length > 0 ? ')' : ''} : ${typesOf(xs)} -> ${types}${e.location}`);
  return results.map(({ element, shape }, i) => ({ id: results.length === 1 ? id : `${id}#${i}`, element, shape }));
}

/** The function of two numbers that combines in a reduction or a scatter. */
export const combining = (e: Emitter, op: string, element: Element) => ({
  arguments: [scalarOf(element), scalarOf(element)],
  body: ([a, b]: readonly Typed[]): readonly Typed[] => [same(e, op, a!, b!)],
});

const dtypes: Readonly<Record<Element, DType>> = { f64: 'f64', f32: 'f32', f16: 'f16', i64: 'i64', i32: 'i32', ui8: 'u8', i1: 'bool' };
export const dtypeOfElement = (element: Element): DType => dtypes[element];

/** A literal, by its bits. */
export function literal(e: Emitter, l: Literal): Typed {
  const type = scalarOf(elementOf(l.dtype));
  return push(e, type, `stablehlo.constant dense<${constantText(l)}> : ${textOf(type)}`);
}
/** A number of the printer's own. */
export const constant = (e: Emitter, value: number | bigint, element: Element): Typed => literal(e, literalOf(value, dtypes[element]));

/** `x` in `shape`, its axes at the places `dims` of the result. */
export const broadcast = (e: Emitter, x: Typed, shape: readonly number[], dims: readonly number[]): Typed =>
  mapped(e, 'stablehlo.broadcast_in_dim', [x], { element: x.element, shape }, `, dims = [${dims.join(', ')}]`);

/** One number in the shape of another value. */
export function filled(e: Emitter, value: number | bigint, type: Type): Typed {
  const number = constant(e, value, type.element);
  return type.shape.length === 0 ? number : broadcast(e, number, type.shape, []);
}

export const convert = (e: Emitter, x: Typed, element: Element): Typed =>
  x.element === element ? x : mapped(e, 'stablehlo.convert', [x], like(x, element));

export const reshape = (e: Emitter, x: Typed, shape: readonly number[]): Typed =>
  mapped(e, 'stablehlo.reshape', [x], { element: x.element, shape });

export const transpose = (e: Emitter, x: Typed, order: readonly number[]): Typed =>
  mapped(
    e,
    'stablehlo.transpose',
    [x],
    { element: x.element, shape: order.map((axis) => x.shape[axis]!) },
    `, dims = [${order.join(', ')}]`,
  );

export const reverse = (e: Emitter, x: Typed, axes: readonly number[]): Typed =>
  push(e, x, `stablehlo.reverse ${x.id}, dims = [${axes.join(', ')}] : ${textOf(x)}`);

export function slice(e: Emitter, x: Typed, start: readonly number[], stop: readonly number[], step: readonly number[]): Typed {
  const shape = start.map((s, i) => Math.max(0, Math.ceil((stop[i]! - s) / step[i]!)));
  const ranges = start.map((s, i) => `${s}:${stop[i]}${step[i] === 1 ? '' : `:${step[i]}`}`).join(', ');
  return push(e, { element: x.element, shape }, `stablehlo.slice ${x.id} [${ranges}] : ${typesOf([x])} -> ${typeText(x.element, shape)}`);
}

/** `x` with `fill` around it, and `interior` of it between neighbours; negative widths cut. */
export function pad(
  e: Emitter,
  x: Typed,
  fill: Typed,
  low: readonly number[],
  high: readonly number[],
  interior: readonly number[] = low.map(() => 0),
): Typed {
  const shape = x.shape.map((d, i) => d + Math.max(0, d - 1) * interior[i]! + low[i]! + high[i]!);
  const widths = `, low = [${low.join(', ')}], high = [${high.join(', ')}], interior = [${interior.join(', ')}]`;
  return mapped(e, 'stablehlo.pad', [x, fill], { element: x.element, shape }, widths);
}

export const concatenate = (e: Emitter, xs: readonly Typed[], axis: number, result: Type): Typed =>
  mapped(e, 'stablehlo.concatenate', xs, result, `, dim = ${axis}`);

export const iota = (e: Emitter, type: Type, axis: number): Typed => push(e, type, `stablehlo.iota dim = ${axis} : ${textOf(type)}`);

export type Direction = 'EQ' | 'NE' | 'LT' | 'LE' | 'GT' | 'GE';
export function compare(e: Emitter, direction: Direction, x: Typed, y: Typed): Typed {
  const order = isFloatElement(x.element) ? 'FLOAT' : x.element === 'ui8' || x.element === 'i1' ? 'UNSIGNED' : 'SIGNED';
  const result = like(x, 'i1');
  return push(e, result, `stablehlo.compare ${direction}, ${x.id}, ${y.id}, ${order} : ${typesOf([x, y])} -> ${textOf(result)}`);
}
/** Whether NaN, which equals not even itself. */
export const isUnordered = (e: Emitter, x: Typed): Typed => compare(e, 'NE', x, x);

export const select = (e: Emitter, condition: Typed, x: Typed, y: Typed): Typed =>
  push(e, x, `stablehlo.select ${condition.id}, ${x.id}, ${y.id} : ${textOf(condition)}, ${textOf(x)}`);

/** A reduction of `x` over `axes` by an op, from `initial`. */
export function reduce(e: Emitter, op: string, x: Typed, initial: Typed, axes: readonly number[]): Typed {
  const result: Type = { element: x.element, shape: x.shape.filter((_, i) => !axes.includes(i)) };
  const where = `across dimensions = [${axes.join(', ')}]`;
  return push(
    e,
    result,
    `stablehlo.reduce(${x.id} init: ${initial.id}) applies ${op} ${where} : ${typesOf([x, initial])} -> ${textOf(result)}`,
  );
}

/** A function of the module applied. */
export function call(e: Emitter, symbol: string, xs: readonly Typed[], results: readonly Type[]): readonly Typed[] {
  const id = `%${e.next++}`;
  const count = results.length === 1 ? '' : `:${results.length}`;
  const types = results.length === 1 ? textOf(results[0]!) : typesOf(results);
  e.lines.push(`${e.indent}${id}${count} = func.call @${symbol}(${idsOf(xs)}) : ${typesOf(xs)} -> ${types}${e.location}`);
  return results.map(({ element, shape }, i) => ({ id: results.length === 1 ? id : `${id}#${i}`, element, shape }));
}

/** How each axis of `x` lies on the axes of the mesh. */
export const constrained = (e: Emitter, x: Typed, axes: readonly (string | undefined)[]): Typed => {
  for (const axis of axes) if (axis !== undefined) e.axes.add(axis);
  const places = axes.map((axis) => (axis === undefined ? '{}' : `{"${axis}"}`)).join(', ');
  return push(e, x, `sdy.sharding_constraint ${x.id} <@mesh, [${places}]> : ${textOf(x)}`);
};
