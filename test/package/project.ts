// The project of somebody who installed the package: `npm pack` runs once for each state of the sources, and each project gets a copy of its own.
import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, 'node_modules/.cache/package');
const packedFrom = [
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'README.md',
  'LICENSE',
  '.ci/build.mjs',
  'compiler',
  'kernels',
  'runtime',
];

/** The tarball that `npm pack` makes of the sources as they are now. */
export function tarball(): string {
  const file = join(cache, `${hashOf(packedFrom)}.tgz`);
  while (!existsSync(file)) {
    mkdirSync(cache, { recursive: true });
    for (const old of readdirSync(cache).map((name) => join(cache, name))) if (isOld(old)) rmSync(old, { recursive: true, force: true });
    // One process packs, and others wait for it.
    const lock = `${file}.lock`;
    try {
      mkdirSync(lock);
    } catch {
      sleep(200);
      continue;
    }
    try {
      pack(file);
    } finally {
      rmSync(lock, { recursive: true });
    }
  }
  return file;
}

function pack(file: string): void {
  // Outside of the checkout, which may hold a dist of its own.
  const work = mkdtempSync(join(tmpdir(), 'fluxion-packing-'));
  try {
    for (const name of packedFrom) cpSync(join(root, name), join(work, name), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(work, 'node_modules'), 'junction');
    execFileSync(process.execPath, [join(root, '.ci/build.mjs')], { cwd: work, stdio: 'inherit' });
    const [packed] = JSON.parse(npm(['pack', '--json', '--ignore-scripts'], work)) as { filename: string }[];
    copyFileSync(join(work, packed!.filename), `${file}.part`);
    renameSync(`${file}.part`, file);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const sleep = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** Of a state of the sources that nobody is testing any more, or of a process that was ended while it packed. */
const isOld = (path: string): boolean => {
  const made = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Date.now() - made > (path.endsWith('.tgz') ? 3_600_000 : 240_000);
};

/** Names of the files in the tarball. */
export const packedFiles = (): string[] =>
  execFileSync('tar', ['-tzf', tarball()], { encoding: 'utf8' })
    .trim()
    .split(/\r?\n/)
    .map((name) => name.replace(/^package\//, ''));

export type Project = {
  readonly folder: string;
  /** Writes files by their paths in the project. */
  readonly write: (files: Readonly<Record<string, string>>) => void;
  readonly node: (...args: string[]) => SpawnSyncReturns<string>;
  /** The `fluxion` command, as `npx fluxion` starts it. */
  readonly fluxion: (...args: string[]) => SpawnSyncReturns<string>;
  readonly remove: () => void;
};

/** An empty project with the package in its node_modules: with the dependencies that it declares, `others` that a test wants, and nothing else. */
export function project(others: readonly string[] = []): Project {
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-project-'));
  const modules = join(folder, 'node_modules');
  const installed = join(modules, 'fluxion');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', tarball(), '-C', installed, '--strip-components=1']);
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    bin: { fluxion: string };
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(manifest.dependencies), ...others]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
  writeFileSync(join(folder, 'package.json'), '{ "name": "user", "private": true, "type": "module" }');
  const node = (...args: string[]) => spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env: environment() });
  return {
    folder,
    write: (files) => {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), text);
      }
    },
    node,
    fluxion: (...args) => node(join(installed, manifest.bin.fluxion), ...args),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A user's own: without what the test runner set for its processes. */
function environment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS, NODE_ENV, VITEST, TSX_TSCONFIG_PATH, ...own } = process.env;
  return own;
}

function npm(args: readonly string[], cwd: string): string {
  const script = process.env.npm_execpath;
  const [program, first] = script === undefined ? ['npm', []] : [process.execPath, [script]];
  return execFileSync(program, [...first, ...args], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    shell: script === undefined && process.platform === 'win32',
  });
}

function hashOf(names: readonly string[]): string {
  const hash = createHash('sha256');
  const add = (name: string): void => void hash.update(`${name}\0`).update(readFileSync(join(root, name)));
  for (const name of names) {
    if (/\.(json|md|mjs)$|LICENSE/.test(name)) add(name);
    else {
      const files = readdirSync(join(root, name), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort()) add(path.slice(root.length));
    }
  }
  return hash.digest('hex').slice(0, 32);
}
