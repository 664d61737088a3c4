// What is learned, and by which network: a poem, character by character, by a transformer that reads 32 characters at a time.
import { manualSeed } from 'fluxion';
import { text } from '../char-rnn/text.ts';
import { CharTransformer } from '../transformer/model.ts';

export const context = 32;
export const alphabet = [...new Set(text)].sort();
export const codes = [...text].map((c) => alphabet.indexOf(c));

/** The same first weights in every process. */
export function newModel(): CharTransformer {
  manualSeed(0);
  return new CharTransformer({ vocabulary: alphabet.length, context, width: 64, heads: 4, layers: 2 });
}
