// Hooks that let Node read a user's TypeScript where the project has no loader for it: by the compiler that ts-morph brings along.
// Types are erased and not checked. Specifiers may be written as bundlers take them: `./layers`, or `./layers.js` for layers.ts.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const source = /^file:(?!.*\/node_modules\/).*\.[cm]?tsx?(?:\?|$)/;
const notFound = new Set(['ERR_MODULE_NOT_FOUND', 'ERR_UNSUPPORTED_DIR_IMPORT']);

export async function resolve(specifier, context, next) {
  try {
    const found = await next(specifier, context);
    return source.test(found.url) ? { ...found, format: 'module' } : found;
  } catch (error) {
    if (!notFound.has(error.code) || !/^\.{0,2}\//.test(specifier)) throw error;
    for (const other of spellings(specifier)) {
      try {
        return { ...(await next(other, context)), format: 'module' };
      } catch (later) {
        if (!notFound.has(later.code)) throw later;
      }
    }
    throw error;
  }
}

export async function load(url, context, next) {
  if (!source.test(url)) return next(url, context);
  const { ts } = await import('ts-morph'); // half a second, which commands that read no TypeScript are spared
  const file = fileURLToPath(url);
  const { outputText, diagnostics } = ts.transpileModule(readFileSync(file, 'utf8'), {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      jsx: ts.JsxEmit.ReactJSX,
      inlineSourceMap: true,
      inlineSources: true,
    },
  });
  if (diagnostics.length > 0) throw new SyntaxError(diagnostics.map((d) => described(ts, d)).join('\n'));
  return { format: 'module', source: outputText, shortCircuit: true };
}

/** What may be meant by the specifier of a file that is not there. */
function spellings(specifier) {
  const [, stem, extension] = /^(.*?)(\.[cm]?jsx?)?$/.exec(specifier);
  if (extension !== undefined) return [stem + extension.replace('j', 't'), `${stem}.tsx`];
  return ['.ts', '.tsx', '.js', '/index.ts', '/index.js'].map((end) => stem.replace(/\/$/, '') + end);
}

function described(ts, { file, start, messageText, code }) {
  const { line, character } = file.getLineAndCharacterOfPosition(start);
  return `${file.fileName}:${line + 1}:${character + 1} - error TS${code}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
}
