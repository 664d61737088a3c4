// The recurrent sample learns its poem: the loss falls, and what it writes is what stands in the text.
import { expect, test } from 'vitest';
import { text } from '../../samples/char-rnn/text.ts';
import { runSample } from './run.ts';

test('samples/char-rnn learns the poem by heart', () => {
  const { status, stdout, stderr } = runSample('char-rnn');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const losses = [...stdout.matchAll(/^round +\d+ {2}loss ([\d.]+)$/gm)].map((l) => Number(l[1]));
  expect(losses).toHaveLength(9);
  expect(losses[0]).toBeGreaterThan(3);
  expect(losses.at(-1)).toBeLessThan(0.3);
  const written = stdout.slice(stdout.indexOf('The Jabberwock'));
  expect(text).toContain(written.slice(0, 80));
});
