// The text as numbers: an alphabet, and excerpts of it with the characters that follow.
import { Dataset, type Tensor, tensor } from 'fluxion';

export const alphabetOf = (text: string): readonly string[] => [...new Set(text)].sort();

export const encode = (text: string, alphabet: readonly string[]): number[] => [...text].map((c) => alphabet.indexOf(c));

/** Sample i begins at character i: `length` characters, and for each the one after it. */
export class Excerpts extends Dataset<[Tensor, Tensor]> {
  readonly codes: readonly number[];
  readonly context: number;

  constructor(codes: readonly number[], context: number) {
    super();
    this.codes = codes;
    this.context = context;
  }
  override get length(): number {
    return this.codes.length - this.context;
  }
  override get(index: number): [Tensor, Tensor] {
    const part = (from: number): Tensor => tensor(this.codes.slice(from, from + this.context), { dtype: 'int32' });
    return [part(index), part(index + 1)];
  }
}
