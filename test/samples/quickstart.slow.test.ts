// The quick start prints the gradients that PyTorch prints for the same seed.
import { expect, test } from 'vitest';
import { runSample } from './run.ts';

test('samples/quickstart prints both gradients', () => {
  const { status, stdout, stderr } = runSample('quickstart');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(stdout).toBe(`tensor([[0.2661, 0.1179, 0.0027],
        [0.2661, 0.1179, 0.0027],
        [0.2661, 0.1179, 0.0027],
        [0.2661, 0.1179, 0.0027],
        [0.2661, 0.1179, 0.0027]])
tensor([0.2661, 0.1179, 0.0027])
`);
});
