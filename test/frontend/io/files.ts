// The files that test/oracle/files.py wrote with PyTorch and NumPy, and what they hold.
import { readFileSync } from 'node:fs';

export const fileOf = (name: string): URL => new URL(`files/${name}`, import.meta.url);
export const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(fileOf(name)));

/** A tensor is { dtype, shape, data }. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };
export const expected = JSON.parse(readFileSync(new URL('../../oracle/files.json', import.meta.url), 'utf8')) as {
  readonly [file: string]: { readonly [key: string]: Plain };
};
