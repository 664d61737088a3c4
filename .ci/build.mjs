// Compiles the sources into dist/, which is what the package runs: `npm run build`, from the folder of the package.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

rmSync('dist', { recursive: true, force: true });
const typescript = dirname(createRequire(join(process.cwd(), 'package.json')).resolve('typescript/package.json'));
try {
  execFileSync(process.execPath, [join(typescript, 'bin/tsc'), '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
} catch {
  process.exit(1); // The compiler has said why.
}

// The compiler's own function for `import(variable)` asks for `this` at the top of a module, of which Rollup warns.
const asksForThis = '(this && this.__rewriteRelativeImportExtension) || ';
for (const name of readdirSync('dist', { recursive: true })) {
  if (!name.endsWith('.js')) continue;
  const text = readFileSync(join('dist', name), 'utf8');
  if (text.includes(asksForThis)) writeFileSync(join('dist', name), text.replace(asksForThis, ''));
}
