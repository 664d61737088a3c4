// The README shows what is there: the quick start is the sample, and the scripts that it names exist.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import * as fluxion from '../../compiler/index.ts';

const file = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
const readme = file('README.md');
const { scripts } = JSON.parse(file('package.json')) as { scripts: Readonly<Record<string, string>> };

test('its first program is the quick start', () => {
  const [, program] = /```ts\n([\s\S]*?)```/.exec(readme)!;
  const [, ...sample] = file('samples/quickstart/main.ts').split('\n');
  expect(program).toBe(sample.join('\n'));
});

test('scripts that it names exist, and all that users call are named', () => {
  const named = [...readme.matchAll(/`npm (?:run )?([\w:]+)/g)].map(([, name]) => name!);
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
  const internal = /^(pre|build$)/;
  expect(Object.keys(scripts).filter((name) => !internal.test(name) && !named.includes(name))).toEqual([]);
});

test('files that it links to exist', () => {
  const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, path]) => path!);
  expect(links.length).toBeGreaterThan(1);
  for (const path of links) expect(existsSync(fileURLToPath(new URL(`../../${path}`, import.meta.url))), path).toBe(true);
});

test('what it says is not there yet is not there', () => {
  const table = /## What there is[\s\S]*?\n\n(\|[\s\S]*?)\n\n/.exec(readme)![1]!;
  const missing = table.split('\n').flatMap((row) => [...(row.split('|')[3] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name!));
  expect(missing).not.toEqual([]);
  const { nn, optim, autograd, data } = fluxion;
  for (const name of missing) for (const space of [fluxion, nn, optim, autograd, data]) expect(Object.keys(space)).not.toContain(name);
});
