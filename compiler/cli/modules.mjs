// A resolve hook: what is written with `import` or `export` is a module, whatever package.json lies above it (or none).
// Otherwise a script in a bare folder would run as CommonJS and load a second copy of the library, unseen by the command line.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const moduleSyntax = /^\s*(?:import\s*['"{*\w]|export\s*[{*\w])/m;

/** What tsx adds to the address of a file that it takes for CommonJS. */
const marks = /(?:%3F|\?)tsx-commonjs-.*$/;

export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  const url = found.url.replace(marks, '');
  const script = /^file:(?!.*\/node_modules\/).*\.[jt]sx?(?:\?|$)/.test(url);
  if (!script || !/^commonjs/.test(found.format ?? 'commonjs')) return found;
  return moduleSyntax.test(readFileSync(fileURLToPath(url), 'utf8')) ? { ...found, url, format: 'module' } : found;
}
