#!/usr/bin/env node
// Starts the command line: from the TypeScript sources in a checkout, from dist/ in the installed package.
// It is plain JavaScript because it has to run before anything can read TypeScript.
import { existsSync } from 'node:fs';
import { createRequire, register } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

process.setSourceMapsEnabled(true); // before anything is loaded, or stacks name lines of generated code

const tsconfig = fileURLToPath(new URL('../../tsconfig.json', import.meta.url));
const checkout = existsSync(tsconfig); // the package does not carry it

/** Lets `import` read TypeScript through tsx, if tsx can be found from `folder`: it knows the paths of the user's tsconfig.json. */
async function readTypeScript(folder) {
  let loader;
  try {
    loader = createRequire(join(folder, 'anything.js')).resolve('tsx');
  } catch {
    return false;
  }
  if (checkout) process.env.TSX_TSCONFIG_PATH = tsconfig; // its `paths` lead `fluxion` to the sources, wherever the user's program lies
  await import(pathToFileURL(loader).href);
  return true;
}

if (!(await readTypeScript(checkout ? fileURLToPath(new URL('.', import.meta.url)) : process.cwd()))) {
  if (checkout) {
    console.error('fluxion: tsx is not installed; run `npm ci` in the checkout first');
    process.exit(1);
  }
  register('./typescript.mjs', import.meta.url);
}
register('./modules.mjs', import.meta.url);
const { main } = await import(checkout ? './main.ts' : '../../dist/compiler/cli/main.js');
process.exitCode = await main(process.argv.slice(2));
