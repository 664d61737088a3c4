// The text of every op, as it was when somebody last looked at it. `UPDATE=1 npx vitest run test/scale/golden` writes it anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { opNames } from '../../compiler/ir/opset.ts';
import { rules } from '../../compiler/ops/table.ts';
import { graphOf, type Trial } from '../ops/samples.ts';
import { moduleOf } from './stablehlo.ts';

const file = new URL('./golden.mlir.txt', import.meta.url);
const ops = opNames.filter((op) => op !== 'input' && op !== 'slot');

/** The first sample of each op, and where it has some, the first in whole numbers: there the text differs most. */
function sections(): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const op of ops) {
    const trials = rules[op].samples as readonly Trial[];
    const whole = trials.find((t) => t.inputs.length > 0 && t.inputs.every((a) => a.dtype === 'i32' || a.dtype === 'u8'));
    for (const trial of new Set([trials[0]!, ...(whole === undefined ? [] : [whole])])) {
      const title = `${op}(${trial.inputs.map((a) => `${a.dtype}[${a.shape}]`).join(', ')})`;
      texts.set(title, moduleOf(graphOf(op, trial).graph).trim());
    }
  }
  return texts;
}

const printed = sections();
if (process.env.UPDATE === '1') writeFileSync(file, [...printed].map(([title, text]) => `// ${title}\n${text}\n`).join('\n'));
const known = new Map(
  readFileSync(file, 'utf8')
    .split(/^\/\/ /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')), section.slice(section.indexOf('\n') + 1).trim()]),
);

test('every op has its text', () => {
  expect([...printed.keys()]).toEqual([...known.keys()]);
});

test.each([...printed])('%s', (title, text) => {
  expect(text).toBe(known.get(title));
});
