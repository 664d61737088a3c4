// The sample prints J, its determinant and measured ratios that approach it, and draws them.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runSample } from './run.ts';

test('samples/jacobian measures what the determinant predicts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'jacobian-'));
  try {
    const file = join(folder, 'picture.svg');
    const { status, stdout, stderr } = runSample('jacobian', file);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toBe(`J at (0.5, 0.45):
  [  1.1125   0.5349 ]
  [  0.5049   1.1865 ]
det J = 1.0499

side of the square   area of its image / area of the square
            0.4000   1.1257
            0.1000   1.0706
            0.0250   1.0551
            0.0063   1.0512

mean of det J over the square of side 0.4: 1.1257

wrote ${file}
`);
    const picture = readFileSync(file, 'utf8');
    expect(picture).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg".*<\/svg>\n$/s);
    expect(picture).not.toMatch(/NaN|undefined|Infinity/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
