import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { query, requestOf, resolved, typed } from '../../../compiler/build/plugin/request.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fluxion-request-')).replaceAll('\\', '/');
  mkdirSync(`${folder}/src`);
  writeFileSync(`${folder}/src/model.ts`, '');
  writeFileSync(`${folder}/src/plain.js`, '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('both spellings mean the module that the model becomes', () => {
  const id = `${folder}/src/model.ts?fluxion`;
  for (const specifier of ['./src/model.ts?fluxion', './src/model.fluxion.js', './src/model.fluxion'])
    expect(resolved(specifier, `${folder}/app.ts`)).toBe(id);
  expect(resolved('../src/model.fluxion.js', `${folder}/lib/app.ts`)).toBe(id);
  expect(resolved('./src/plain.fluxion.js', `${folder}/app.ts`)).toBe(`${folder}/src/plain.js?fluxion`);
  expect(resolved(id, undefined)).toBe(id);
  expect(requestOf(id)).toEqual({ model: `${folder}/src/model.ts`, part: undefined });
});

test('parts are asked for by modules of the model, whose own ids have queries', () => {
  const id = resolved('./model.ts?fluxion=model.wasm.js', `${folder}/src/model.ts?fluxion`)!;
  expect(id).toBe(`${folder}/src/model.ts?fluxion=model.wasm.js`);
  expect(requestOf(id)).toEqual({ model: `${folder}/src/model.ts`, part: 'model.wasm.js' });
});

test('what is not there, or no file, is left to the bundler', () => {
  for (const specifier of ['./src/absent.ts?fluxion', './src/absent.fluxion.js', 'package/model.ts?fluxion', 'package.fluxion'])
    expect(resolved(specifier, `${folder}/app.ts`)).toBeUndefined();
  expect(resolved('/elsewhere/model.ts?fluxion', undefined)).toBeUndefined();
});

test('a part is a name and no path', () => {
  expect(query.test('./model.ts?fluxion=../../secret')).toBe(false);
  expect(query.test('./model.ts?fluxion=model.wasm.js')).toBe(true);
  expect(typed.test('./model.fluxion.css')).toBe(false);
});
