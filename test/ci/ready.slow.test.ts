import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

/** Stands in for npm: notes its arguments and makes node_modules anew, as `npm ci` does; fails if told so. */
const fakeNpm = `
  const fs = require('node:fs');
  fs.appendFileSync('calls.txt', process.argv.slice(2).join(' ') + '\\n');
  if (process.env.FAKE_NPM_FAILS) process.exit(1);
  fs.rmSync('node_modules', { recursive: true, force: true });
  fs.mkdirSync('node_modules');
  console.log('chatter');
`;

let checkout: string;
beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'fluxion-ready-'));
  mkdirSync(join(checkout, '.ci'));
  cpSync(fileURLToPath(new URL('../../.ci/ready.mjs', import.meta.url)), join(checkout, '.ci/ready.mjs'));
  writeFileSync(join(checkout, 'package-lock.json'), '{}');
  writeFileSync(join(checkout, 'npm.cjs'), fakeNpm);
});
afterEach(() => rmSync(checkout, { recursive: true, force: true }));

function ready(args: string[] = [], env: Record<string, string> = {}): { status: number | null; stdout: string } {
  return spawnSync(process.execPath, ['.ci/ready.mjs', ...args], {
    cwd: checkout,
    encoding: 'utf8',
    env: { ...process.env, npm_execpath: join(checkout, 'npm.cjs'), ...env },
  });
}
const installations = (): number =>
  existsSync(join(checkout, 'calls.txt')) ? readFileSync(join(checkout, 'calls.txt'), 'utf8').trim().split('\n').length : 0;

test('installs the locked packages once, and leaves stdout to the script', () => {
  expect(ready()).toMatchObject({ status: 0, stdout: '' });
  expect(readFileSync(join(checkout, 'calls.txt'), 'utf8')).toMatch(/^ci /);
  expect(ready().status).toBe(0);
  expect(installations()).toBe(1);
});

test('installs again when the lock file has changed', () => {
  ready();
  writeFileSync(join(checkout, 'package-lock.json'), '{ "lockfileVersion": 3 }');
  ready();
  expect(installations()).toBe(2);
});

test('a failed installation is tried again', () => {
  expect(ready([], { FAKE_NPM_FAILS: '1' }).status).not.toBe(0);
  expect(ready().status).toBe(0);
  expect(installations()).toBe(2);
});

test('packages that npm was asked for by hand are not installed twice', () => {
  expect(ready(['stamp']).status).toBe(0);
  ready();
  expect(installations()).toBe(0);
});
