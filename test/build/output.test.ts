// The folder that a build writes to: whose it is, what may be in it, and what becomes of it when something fails.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inputsOf, isUnchanged, manifestName, readManifest, writeOutput } from '../../compiler/build/output.ts';

let root: string;
let out: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fluxion-output-'));
  out = join(root, 'out');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const files = (...names: string[]): Map<string, Uint8Array> => new Map(names.map((name) => [name, bytes(`text of ${name}`)]));
const made = { inputs: [], options: 'float32' } as const;
/** Everything below the root, as a picture of what must not change. */
const picture = (): string[] =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => `${name} ${readdirSync(root).includes(name) ? '' : readFileSync(join(root, name), 'utf8')}`);

describe('an output folder', () => {
  test('is made, and takes the files of several models', () => {
    writeOutput(out, 'a', files('a.js', 'a.d.ts'), made);
    writeOutput(out, 'b', files('b.js'), made);
    expect(readdirSync(out).sort()).toEqual(['a.d.ts', 'a.js', 'b.js', manifestName]);
    expect(Object.keys(readManifest(out)!.models)).toEqual(['a', 'b']);
    expect(readdirSync(root)).toEqual(['out']);
  });

  test('loses what a model no longer has, and keeps what others put there', () => {
    writeOutput(out, 'a', files('a.js', 'a.wgsl.js'), made);
    writeFileSync(join(out, 'notes.txt'), 'mine');
    expect(writeOutput(out, 'a', files('a.js'), made).removed).toEqual(['a.wgsl.js']);
    expect(readdirSync(out).sort()).toEqual(['a.js', manifestName, 'notes.txt']);
  });

  test.each<[string, () => void, string]>([
    [
      'is not empty and not ours',
      () => writeFileSync(join(out, 'other.txt'), ''),
      'is not empty, and nothing in it says that fluxion wrote it',
    ],
    ['has a manifest that is none', () => writeFileSync(join(out, manifestName), '{"fluxion":1}'), 'is not empty, and nothing in it'],
    [
      'has a manifest that names files elsewhere',
      () => writeFileSync(join(out, manifestName), '{"fluxion":"0","models":{"a":{"files":{"../../x":""}}}}'),
      'is not empty, and nothing in it',
    ],
    [
      'has a file of that name which we did not write',
      () => {
        writeOutput(out, 'b', files('b.js'), made);
        writeFileSync(join(out, 'a.js'), 'mine');
      },
      'a.js is there already, and fluxion did not write it',
    ],
  ])('that %s is left as it is', (_name, prepare, message) => {
    mkdirSync(out);
    prepare();
    const before = picture();
    expect(() => writeOutput(out, 'a', files('a.js'), made)).toThrow(message);
    expect(picture()).toEqual(before);
  });

  test('is no link and no file', () => {
    mkdirSync(join(root, 'elsewhere'));
    symlinkSync(join(root, 'elsewhere'), out);
    expect(() => writeOutput(out, 'a', files('a.js'), made)).toThrow('is a link to somewhere else');
    expect(readdirSync(join(root, 'elsewhere'))).toEqual([]);
    writeFileSync(join(root, 'file'), '');
    expect(() => writeOutput(join(root, 'file'), 'a', files('a.js'), made)).toThrow('is no folder');
  });

  test.each([
    '../a.js',
    '/a.js',
    'a/b.js',
    'a\\b.js',
    'CON',
    'nul.js',
    'com1.js',
    'a\0.js',
    'a\n.js',
    '.',
    '..',
    '',
    'a.',
    '.hidden',
    'a b',
    '\u202egpj.js',
  ])('takes no file called %j', (name) => {
    expect(() => writeOutput(out, 'a', files(name), made)).toThrow('cannot be the name of a file');
    expect(readdirSync(root)).toEqual([]);
  });

  test('takes no two files that differ in capitals alone', () => {
    expect(() => writeOutput(out, 'a', files('a.js', 'A.js'), made)).toThrow('two files would be called a.js and A.js');
    writeOutput(out, 'a', files('a.js'), made);
    expect(() => writeOutput(out, 'A', files('A.js'), made)).toThrow('two files would be called A.js and a.js');
    expect(existsSync(join(out, 'A.js'))).toBe(readdirSync(out).includes('A.js'));
  });
});

describe('a model that was built before', () => {
  const build = (): void => {
    writeFileSync(join(root, 'model.ts'), 'text');
    writeFileSync(join(root, 'data.bin'), 'data');
    const path = join(root, 'model.ts');
    writeOutput(out, 'model', files('model.js'), {
      inputs: inputsOf(path, new Map([[path, 'text']]), [join(root, 'data.bin')]),
      options: 'float32',
    });
  };
  const known = (options = 'float32'): boolean => isUnchanged(out, join(root, 'model.ts'), options, readManifest(out)) !== undefined;

  test('is known by what it was made of and what was made of it', () => {
    build();
    expect(known()).toBe(true);
    expect(known('int8')).toBe(false);
  });

  test.each(['model.ts', 'data.bin', 'out/model.js'])('is built anew when %s changes or is gone', (file) => {
    build();
    writeFileSync(join(root, file), 'other');
    expect(known()).toBe(false);
    rmSync(join(root, file));
    expect(known()).toBe(false);
  });

  test('by another compiler is built anew', () => {
    build();
    const path = join(out, manifestName);
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"fluxion": "[^"]*"/, '"fluxion": "0.0.1"'));
    expect(known()).toBe(false);
  });
});
