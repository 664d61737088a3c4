// Installs the locked packages if they are not there yet, so that any npm script works as the first command after `git clone`.
// Called before each script; with the argument `stamp` (from npm's own `prepare`) it only notes that an installation took place.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = new URL('../node_modules/', import.meta.url);
const stamp = new URL('.fluxion-lock', modules);

const { versions, platform, arch, execPath, env, argv } = process;
const lock = readFileSync(new URL('../package-lock.json', import.meta.url));
const wanted = createHash('sha256')
  .update(lock)
  .update([versions.node.split('.')[0], platform, arch].join(' '))
  .digest('hex');

if (argv[2] !== 'stamp' && !(existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted)) {
  const command = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm's output goes to stderr: what the script itself prints stays alone on stdout. NODE_ENV=production would leave out the tools.
  const options = { cwd: root, stdio: ['ignore', 2, 2], env: { ...env, NODE_ENV: '' } };
  try {
    if (env.npm_execpath) execFileSync(execPath, [env.npm_execpath, ...command], options);
    else execFileSync('npm', command, { ...options, shell: platform === 'win32' });
  } catch {
    console.error('`npm ci` failed (its messages are above), so the packages that this script needs are missing.');
    process.exit(1);
  }
}
mkdirSync(modules, { recursive: true });
writeFileSync(stamp, wanted);
