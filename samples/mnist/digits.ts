// Handwritten digits as a data set, whatever they were read from: the bytes of the IDX files of MNIST (LeCun, Cortes, Burges).
import { DataError, Dataset, fromTypedArray, type Tensor } from 'fluxion';

export const side = 28;
export const pixels = side * side;

/** Mean and standard deviation of all training pixels, as everyone takes them. */
const mean = 0.1307;
const std = 0.3081;
/** A pixel is one of 256 bytes, so normalising it is a look-up. */
export const normalized = Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - mean) / std);

type Sample = readonly [image: Tensor, label: Tensor];

/** Images [1, 28, 28] in float32 and labels in int64. The bytes stay bytes; a batch is converted when it is asked for. */
export class Digits extends Dataset<Sample> {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
  readonly length: number;

  /** `limit` takes the first so many samples only. */
  constructor(images: Uint8Array, labels: Uint8Array, limit = Number.POSITIVE_INFINITY) {
    super();
    this.images = images;
    this.labels = labels;
    this.length = Math.min(labels.length, limit);
  }

  get(index: number): Sample {
    const [images, labels] = this.getBatch([index]);
    return [images.squeeze(0), labels.squeeze(0)];
  }

  override getBatch(indices: readonly number[]): [images: Tensor, labels: Tensor] {
    const images = new Float32Array(indices.length * pixels);
    const labels = new BigInt64Array(indices.length);
    let at = 0;
    indices.forEach((index, i) => {
      const end = (index + 1) * pixels;
      for (let p = index * pixels; p < end; p++) images[at++] = normalized[this.images[p]!]!;
      labels[i] = BigInt(this.labels[index]!);
    });
    return [fromTypedArray(images, [indices.length, 1, side, side]), fromTypedArray(labels, [indices.length])];
  }
}

/**
 * The elements of an IDX file of unsigned bytes: two zeros, a type (8: unsigned byte), the number of dimensions, the sizes as big-endian
 * 32-bit integers, and the bytes. `item` is the shape of what the first dimension counts; `name` says where the file came from.
 */
export function readIdx(file: Uint8Array, item: readonly number[], name: string): Uint8Array {
  const rank = item.length + 1;
  const start = 4 + 4 * rank;
  const words = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < start || words.getUint32(0) !== 0x0800 + rank) throw new DataError(`${name} is no IDX file of ${rank} dimensions`);
  const sizes = Array.from({ length: rank }, (_, axis) => words.getUint32(4 + 4 * axis));
  const count = sizes.reduce((a, b) => a * b, 1);
  if (sizes.slice(1).join() !== item.join() || file.length !== start + count)
    throw new DataError(`${name} holds ${file.length - start} bytes for the sizes ${sizes}, where items of [${item}] were expected`);
  return file.subarray(start);
}
