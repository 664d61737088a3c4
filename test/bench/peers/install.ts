// Installs the JavaScript peers on demand into a folder of their own, and loads them from there: 450 MB that no test and no user should pay for.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const require = createRequire(`${folder}package.json`);

type Manifest = { readonly dependencies: Readonly<Record<string, string>> };
const versionOf = (name: string): string | undefined => {
  const manifest = `${folder}node_modules/${name}/package.json`;
  return existsSync(manifest) ? (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version : undefined;
};

/** Runs npm once, unless the wanted versions are there. Its output goes to stderr. */
export function installPeers(): void {
  const { dependencies } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8')) as Manifest;
  if (Object.entries(dependencies).every(([name, version]) => versionOf(name) === version)) return;
  console.error('bench: installing the JavaScript peers into test/bench/peers/node_modules');
  const npm = process.env.npm_execpath;
  const [command, before] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
  execFileSync(command, [...before, 'install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, NODE_ENV: '' },
  });
}

/** A peer's module. */
export const load = (name: string): unknown => require(name);
