// Writes the few parts of an ONNX model that an inference of the bench needs, as protocol buffers.
import type { HostArray } from '../data.ts';

export type OnnxAttribute = number | readonly number[] | { readonly float: number };
export type OnnxNode = {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
};
/** Integers are written as int64, which shapes are, and floats as float32. */
export type OnnxConstant = {
  readonly op: 'constant';
  readonly output: string;
  readonly shape: readonly number[];
  readonly values: readonly number[];
  readonly integer?: boolean;
};

type Field = readonly [number: number, value: number | string | Uint8Array];
const utf8 = new TextEncoder();

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...out, Number(rest)];
}

/** A message: numbers as varints, all else with its length. */
function message(...fields: readonly Field[]): Uint8Array {
  const parts = fields.map(([number, value]) => {
    if (typeof value === 'number') return Uint8Array.from([...varint(number << 3), ...varint(value)]);
    const content = typeof value === 'string' ? utf8.encode(value) : value;
    return concatenated([Uint8Array.from([...varint((number << 3) | 2), ...varint(content.length)]), content]);
  });
  return concatenated(parts);
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A field of fixed 32 bits. */
function float(number: number, value: number): Uint8Array {
  const out = Uint8Array.from([(number << 3) | 5, 0, 0, 0, 0]);
  new DataView(out.buffer).setFloat32(1, value, true);
  return out;
}

const types = { float: 1, int: 2, ints: 7 } as const;
function attribute(name: string, value: OnnxAttribute): Uint8Array {
  if (typeof value === 'number') return message([1, name], [3, value], [20, types.int]);
  if ('float' in value) return concatenated([message([1, name], [20, types.float]), float(2, value.float)]);
  return message([1, name], ...value.map((v): Field => [8, v]), [20, types.ints]);
}

const node = ({ op, inputs, output, attributes = {} }: OnnxNode): Uint8Array =>
  message(
    ...inputs.map((name): Field => [1, name]),
    [2, output],
    [4, op],
    ...Object.entries(attributes).map(([name, value]): Field => [5, attribute(name, value)]),
  );

const elementTypes = { f32: 1, i32: 6, i64: 7 } as const;
type ElementType = keyof typeof elementTypes;

function constant({ output, shape, values, integer = false }: OnnxConstant): Uint8Array {
  const raw = integer ? BigInt64Array.from(values, (v) => BigInt(v)) : Float32Array.from(values);
  return message(
    ...shape.map((d): Field => [1, d]),
    [2, elementTypes[integer ? 'i64' : 'f32']],
    [8, output],
    [9, new Uint8Array(raw.buffer)],
  );
}

function valueInfo(name: string, type: ElementType, shape: readonly number[] | undefined): Uint8Array {
  const dims = shape === undefined ? [] : [[2, message(...shape.map((d): Field => [1, message([1, d])]))] as Field];
  return message([1, name], [2, message([1, message([1, elementTypes[type]], ...dims)])]);
}

/** A model that reads x0, x1, ... and writes y. */
export function onnxModel(
  nodes: readonly (OnnxNode | OnnxConstant)[],
  inputs: readonly { readonly shape: readonly number[]; readonly data: HostArray }[],
  result: 'f32' | 'i64' = 'f32',
): Uint8Array {
  const graph = message(
    ...nodes.flatMap((n): Field[] => (n.op === 'constant' ? [] : [[1, node(n as OnnxNode)]])),
    [2, 'main'],
    ...nodes.flatMap((n): Field[] => (n.op === 'constant' ? [[5, constant(n as OnnxConstant)]] : [])),
    ...inputs.map(({ shape, data }, i): Field => [11, valueInfo(`x${i}`, data instanceof Int32Array ? 'i32' : 'f32', shape)]),
    [12, valueInfo('y', result, undefined)],
  );
  return message([1, 9], [7, graph], [8, message([1, ''], [2, 20])]);
}
