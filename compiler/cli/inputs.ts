// Arguments of a call from files: arrays of NumPy, JSON, and pictures.
import { readFileSync } from 'node:fs';
import type { ArgumentTree, Entry, InputPort } from '../../runtime/artifact/description.ts';
import { allocate, type DType, type TypedArray } from '../../runtime/dtype.ts';
import { DTypeError, FormatError, ShapeError } from '../../runtime/errors.ts';
import '../frontend/tensor.ts'; // the class, before anything makes tensors
import { decodeNpy } from '../frontend/io/npy.ts';
import { UsageError } from './arguments.ts';

/** What stands for an argument: a number, or an array with its shape. */
export type Given = number | { readonly data: TypedArray; readonly shape: readonly number[] };

/** The argument `name` of an entry from a file, or from a number that is written out. */
export async function inputFrom(entry: Entry, name: string, value: string): Promise<Given> {
  if (entry.numbers.includes(name)) {
    const number = Number(value);
    if (value.trim() === '' || Number.isNaN(number)) throw new UsageError(`${name} is a number, not '${value}'`);
    return number;
  }
  const port = entry.inputs.find((p) => p.name === name);
  if (port === undefined)
    throw new UsageError(
      `${entry.name} has no input '${name}'; it has ${[...entry.inputs.map((p) => p.name), ...entry.numbers].join(', ')}`,
    );
  const bytes = read(value);
  const kind = /\.([a-z]+)$/i.exec(value)?.[1]?.toLowerCase();
  switch (kind) {
    case 'npy':
      return fromNpy(port, bytes);
    case 'json':
      return fromJson(port, bytes, value);
    case 'png':
    case 'jpg':
    case 'jpeg':
      return fromPicture(port, kind === 'png' ? await png(bytes, value) : await jpeg(bytes, value), value);
    default:
      throw new UsageError(`'${value}' is no .npy, .json, .png or .jpg file`);
  }
}

function read(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${(cause as Error).message}`);
  }
}

function fromNpy(port: InputPort, bytes: Uint8Array): Given {
  const t = decodeNpy(bytes, 'run');
  const values = Array.from(t.dataSync() as ArrayLike<number | bigint>);
  return { data: converted(port, values), shape: t.shape as readonly number[] };
}

function fromJson(port: InputPort, bytes: Uint8Array, path: string): Given {
  let data: unknown;
  try {
    data = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new FormatError(`${path} is no JSON`, { op: 'run', cause });
  }
  const shape: number[] = [];
  for (let level = data; Array.isArray(level); level = level[0]) shape.push(level.length);
  let values: unknown[] = [data];
  for (const size of shape) {
    if (!values.every((list) => Array.isArray(list) && list.length === size))
      throw new ShapeError(`${path} is a list of lists of different lengths`, { op: 'run' });
    values = (values as unknown[][]).flat();
  }
  const bad = values.find((v) => typeof v !== 'number' && typeof v !== 'boolean');
  if (bad !== undefined) throw new DTypeError(`${path} holds ${JSON.stringify(bad)}, which is no number`, { op: 'run' });
  const array = converted(port, values.map(Number));
  // A flat list may stand for an array of any shape.
  return { data: array, shape: shape.length === 1 && port.shape.length !== 1 ? shapeFor(port, array.length) : shape };
}

function shapeFor({ name, shape }: InputPort, length: number): readonly number[] {
  const open = shape.filter((d) => typeof d !== 'number').length;
  const known = shape.reduce<number>((n, d) => n * (typeof d === 'number' ? d : 1), 1);
  if (open > 1 || (open === 0 && known !== length)) throw new ShapeError(`${name}: ${length} numbers do not have its shape`, { op: 'run' });
  return shape.map((d) => (typeof d === 'number' ? d : length / known));
}

/** Values as a dtype. A number that it does not hold is refused; a float may be rounded. */
function converted({ name, dtype }: InputPort, values: readonly (number | bigint)[]): TypedArray {
  const array = allocate(dtype, values.length);
  if (dtype === 'f16') throw new DTypeError(`${name} is float16, which is not read from files`, { op: 'run' });
  values.forEach((value, i) => {
    if (!fits(dtype, value)) throw new DTypeError(`${name}: ${value} is no ${dtype}`, { op: 'run' });
    array[i] = (dtype === 'i64' ? BigInt(value) : Number(value)) as never;
  });
  return array;
}

function fits(dtype: DType, value: number | bigint): boolean {
  const number = Number(value);
  switch (dtype) {
    case 'f32':
    case 'f64':
    case 'f16':
      return true;
    case 'i32':
      return (number | 0) === number;
    case 'i64':
      return typeof value === 'bigint' || Number.isSafeInteger(number);
    case 'u8':
      return Number.isInteger(number) && number >= 0 && number < 256;
    case 'bool':
      return number === 0 || number === 1;
    default:
      return dtype satisfies never;
  }
}

/** Pixels by rows, of one to four channels, each from 0 to 1. */
type Picture = {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly at: (pixel: number, channel: number) => number;
};

/** A picture as its port has it: `[..., channels, height, width]`, `[..., height, width, channels]` or `[..., height, width]`. */
function fromPicture(port: InputPort, { width, height, channels, at }: Picture, path: string): Given {
  const { name, shape, dtype } = port;
  const rank = shape.length;
  const dim = (i: number): unknown => shape[rank + i];
  const isSized = (h: number, w: number): boolean => [h, w].every((i, k) => typeof dim(i) !== 'number' || dim(i) === [height, width][k]);
  const layout =
    (dim(-3) === 1 || dim(-3) === 3) && isSized(-2, -1)
      ? 'first'
      : (dim(-1) === 1 || dim(-1) === 3) && isSized(-3, -2)
        ? 'last'
        : isSized(-2, -1) && rank >= 2
          ? 'none'
          : undefined;
  if (layout === undefined)
    throw new ShapeError(`${name} does not take a picture of ${width} x ${height}, which ${path} is`, {
      op: 'run',
      fix: 'scale it before',
    });
  const wanted = layout === 'first' ? (dim(-3) as number) : layout === 'last' ? (dim(-1) as number) : 1;
  const value = (pixel: number, c: number): number => {
    if (wanted === 3) return at(pixel, channels >= 3 ? c : 0);
    // The luminance of Rec. 601, as Pillow has it.
    return channels >= 3 ? 0.299 * at(pixel, 0) + 0.587 * at(pixel, 1) + 0.114 * at(pixel, 2) : at(pixel, 0);
  };
  const values = new Array<number>(width * height * wanted);
  for (let p = 0; p < width * height; p++)
    for (let c = 0; c < wanted; c++)
      values[layout === 'last' ? p * wanted + c : c * width * height + p] = dtype === 'u8' ? Math.round(255 * value(p, c)) : value(p, c);
  const tail = layout === 'first' ? [wanted, height, width] : layout === 'last' ? [height, width, wanted] : [height, width];
  return { data: converted(port, values), shape: [...new Array<number>(rank - tail.length).fill(1), ...tail] };
}

/** A package of the user's that reads a format. It is loaded when a file of that format comes. */
async function optional(name: string, what: string): Promise<Record<string, unknown>> {
  try {
    return (await import(name)) as Record<string, unknown>;
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new UsageError(`${what} files want the package '${name}'; npm install ${name}`);
  }
}

async function png(bytes: Uint8Array, path: string): Promise<Picture> {
  const { decode } = (await optional('fast-png', '.png')) as {
    decode: (bytes: Uint8Array) => {
      width: number;
      height: number;
      channels: number;
      depth: number;
      data: ArrayLike<number>;
      palette?: readonly (readonly number[])[];
    };
  };
  const { width, height, channels, depth, data, palette } = decoded(path, () => decode(bytes));
  const most = 2 ** depth - 1;
  if (palette !== undefined) return { width, height, channels: 3, at: (pixel, c) => palette[data[pixel]!]![c]! / 255 };
  return { width, height, channels, at: (pixel, c) => data[pixel * channels + c]! / most };
}

async function jpeg(bytes: Uint8Array, path: string): Promise<Picture> {
  const module = await optional('jpeg-js', '.jpg');
  const { decode } = (module.default ?? module) as {
    decode: (bytes: Uint8Array, options: object) => { width: number; height: number; data: Uint8Array };
  };
  const { width, height, data } = decoded(path, () => decode(bytes, { useTArray: true }));
  return { width, height, channels: 4, at: (pixel, c) => data[pixel * 4 + c]! / 255 };
}

function decoded<T>(path: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw new FormatError(`${path} cannot be decoded: ${String(cause)}`, { op: 'run', cause });
  }
}

/** The arguments in order; every leaf of them has to be given. */
export function argumentsOf(entry: Entry, given: ReadonlyMap<string, Given>): unknown[] {
  const find = (name: string): Given => {
    const found = given.get(name);
    if (found === undefined) throw new UsageError(`${entry.name} wants --input ${name}=FILE`);
    return found;
  };
  const build = (tree: ArgumentTree): unknown => {
    switch (tree.kind) {
      case 'tensor':
        return find(entry.inputs[tree.index]!.name);
      case 'number':
        return find(entry.numbers[tree.index]!);
      case 'list':
        return tree.items.map(build);
      case 'record':
        return Object.fromEntries(tree.keys.map((key, i) => [key, build(tree.items[i]!)]));
      default:
        return tree satisfies never;
    }
  };
  return entry.parameters.map(({ tree }) => build(tree));
}
