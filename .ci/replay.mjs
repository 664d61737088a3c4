// Shows how a change alters the generated code: all kernels of test/replay and of the quick start, on two commits, as a diff.
// `npm run replay` compares the working tree with HEAD (with HEAD~1 if nothing is changed); `npm run replay -- BASE [HEAD]` two commits.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'fluxion-replay-'));
const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();

/** A commit's files in a folder of their own, with this checkout's packages and this checkout's graphs: only the compiler differs. */
function checkOut(commit, name) {
  const folder = join(work, name);
  git('worktree', 'add', '--quiet', '--detach', folder, commit);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  rmSync(join(folder, 'test/replay'), { recursive: true, force: true });
  mkdirSync(join(folder, 'test'), { recursive: true });
  cpSync(join(root, 'test/replay'), join(folder, 'test/replay'), { recursive: true });
  return folder;
}

function run(folder, args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 30 });
  return status === 0 ? stdout : `${stdout}failed:\n${stderr.replaceAll(folder, '')}`;
}

function kernelsOf(folder) {
  const graphs = run(folder, ['--import', 'tsx', 'test/replay/kernels.ts']);
  const sample = 'samples/quickstart/main.ts';
  return existsSync(join(folder, sample)) ? graphs + run(folder, ['compiler/cli/fluxion.mjs', 'kernels', sample]) : graphs;
}

try {
  const clean = git('status', '--porcelain', '--', 'compiler', 'kernels', 'runtime') === '';
  const [base = clean ? 'HEAD~1' : 'HEAD', head] = process.argv.slice(2);
  const sides = [checkOut(base, 'base'), head === undefined ? root : checkOut(head, 'head')].map(kernelsOf);
  writeFileSync(join(work, 'before'), sides[0]);
  writeFileSync(join(work, 'after'), sides[1]);
  const { stdout } = spawnSync('git', ['diff', '--no-index', '--no-prefix', 'before', 'after'], {
    cwd: work,
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  const kernels = sides[1].match(/^-- /gm)?.length ?? 0;
  if (kernels === 0) throw new Error(`no kernels came out:\n${sides[1]}`);
  process.stdout.write(stdout);
  console.log(`${kernels} kernels, ${base} against ${head ?? 'the working tree'}: ${stdout === '' ? 'no difference' : 'they differ'}`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
  git('worktree', 'prune');
}
