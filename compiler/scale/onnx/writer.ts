// Writes ONNX nodes one by one, each with names for its results; constants become initialisers. Field numbers are those of onnx.proto.
import type { DType } from '../../../runtime/dtype.ts';
import { bytesPerElement } from '../../../runtime/dtype.ts';
import { type Literal, literalOf } from '../../ir/literal.ts';
import { type Field, message } from './protobuf.ts';

/** A value of the model: its name and type. */
export type Named = { readonly name: string; readonly dtype: DType; readonly shape: readonly number[] };
export type Type = Omit<Named, 'name'>;

export type Writer = {
  readonly nodes: Uint8Array[];
  readonly initializers: Uint8Array[];
  /** Shared by the graphs within graphs, whose names must differ. */
  readonly counter: { next: number };
};
export const newWriter = (counter = { next: 0 }): Writer => ({ nodes: [], initializers: [], counter });

const elementTypes: Readonly<Record<DType, number>> = { f32: 1, u8: 2, i32: 6, i64: 7, bool: 9, f16: 10, f64: 11 };
export const elementType = (dtype: DType): number => elementTypes[dtype];

export type Attribute = number | readonly number[] | string | { readonly float: number } | { readonly graph: Uint8Array };
const kinds = { float: 1, int: 2, string: 3, graph: 5, ints: 7 } as const;

function attributeText(name: string, value: Attribute): Uint8Array {
  if (typeof value === 'number')
    return message([
      [1, name],
      [3, value],
      [20, kinds.int],
    ]);
  if (typeof value === 'string')
    return message([
      [1, name],
      [4, value],
      [20, kinds.string],
    ]);
  if ('float' in value)
    return message([
      [1, name],
      [2, value],
      [20, kinds.float],
    ]);
  if ('graph' in value)
    return message([
      [1, name],
      [6, value.graph],
      [20, kinds.graph],
    ]);
  return message([[1, name], ...value.map((v): Field => [8, v]), [20, kinds.ints]]);
}

/** A node with any number of results. */
export function emitAll(
  w: Writer,
  op: string,
  inputs: readonly (Named | undefined)[],
  results: readonly Type[],
  attributes: Readonly<Record<string, Attribute>> = {},
): readonly Named[] {
  const named = results.map(({ dtype, shape }): Named => ({ name: `v${w.counter.next++}`, dtype, shape }));
  w.nodes.push(
    message([
      ...inputs.map((x): Field => [1, x?.name ?? '']),
      ...named.map((r): Field => [2, r.name]),
      [4, op],
      ...Object.entries(attributes).map(([name, value]): Field => [5, attributeText(name, value)]),
    ]),
  );
  return named;
}

export const emit = (
  w: Writer,
  op: string,
  inputs: readonly Named[],
  result: Type,
  attributes: Readonly<Record<string, Attribute>> = {},
): Named => emitAll(w, op, inputs, [result], attributes)[0]!;

/** A value under a name that somebody else chose. */
export function called(w: Writer, x: Named, name: string): Named {
  w.nodes.push(
    message([
      [1, x.name],
      [2, name],
      [4, 'Identity'],
    ]),
  );
  return { ...x, name };
}

/** A tensor of the model's own. */
export function initializer(w: Writer, { dtype, shape }: Type, bytes: Uint8Array, name = `c${w.counter.next++}`): Named {
  w.initializers.push(message([...shape.map((d): Field => [1, d]), [2, elementTypes[dtype]], [8, name], [9, bytes]]));
  return { name, dtype, shape };
}

function bytesOf(l: Literal): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, l.bits, true);
  return bytes.subarray(0, bytesPerElement[l.dtype]);
}
export const literal = (w: Writer, l: Literal): Named => initializer(w, { dtype: l.dtype, shape: [] }, bytesOf(l));
export const number = (w: Writer, value: number, dtype: DType): Named => literal(w, literalOf(value, dtype));

/** Integers as ONNX takes shapes, axes and starts. */
export const integers = (w: Writer, values: readonly number[]): Named =>
  initializer(w, { dtype: 'i64', shape: [values.length] }, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));

export function valueInfo({ name, dtype, shape }: Named): Uint8Array {
  const dims = message(shape.map((d): Field => [1, message([[1, d]])]));
  return message([
    [1, name],
    [
      2,
      message([
        [
          1,
          message([
            [1, elementTypes[dtype]],
            [2, dims],
          ]),
        ],
      ]),
    ],
  ]);
}

/** What a writer holds as a graph. */
export const graphBytes = (w: Writer, name: string, inputs: readonly Named[], outputs: readonly Named[]): Uint8Array =>
  message([
    ...w.nodes.map((n): Field => [1, n]),
    [2, name],
    ...w.initializers.map((t): Field => [5, t]),
    ...inputs.map((v): Field => [11, valueInfo(v)]),
    ...outputs.map((v): Field => [12, valueInfo(v)]),
  ]);
