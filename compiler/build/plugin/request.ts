// How imports name what a model becomes. `./model.ts?fluxion` is the module built from model.ts; its other files are `./model.ts?fluxion=NAME`.
// `./model.fluxion.js` means the same module: TypeScript finds the types of this spelling in model.fluxion.d.ts beside the model.
import { existsSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';

/** The forms in which a module is imported, and in which bundlers pass it on. */
export const query = /\?fluxion(?:=[^/\\?&]+)?$/;
export const typed = /\.fluxion(?:\.[jt]s)?$/;

export type Request = {
  /** The model file, absolute. */
  readonly model: string;
  /** Which file of what it becomes; the module itself if undefined. */
  readonly part: string | undefined;
};

const endings = ['.ts', '.tsx', '.mts', '.js', '.mjs'];

/** The id that stands for an import, if it is one of ours and its model exists. */
export function resolved(specifier: string, importer: string | undefined): string | undefined {
  const [path, rest] = query.test(specifier) ? split(specifier) : [specifier.replace(typed, ''), undefined];
  if (!isAbsolute(path) && (importer === undefined || !/^\.\.?\//.test(path))) return undefined;
  const stem = isAbsolute(path) ? path : join(dirname(split(importer!)[0]), path);
  const model = rest === undefined ? endings.map((ending) => stem + ending).find((file) => existsSync(file)) : stem;
  return model !== undefined && existsSync(model) ? model.replaceAll('\\', '/') + (rest ?? '?fluxion') : undefined;
}

export function requestOf(id: string): Request {
  const [model, rest] = split(id);
  return { model, part: /=(.+)$/.exec(rest)?.[1] };
}

/** What a module of the model imports by the name of a file beside it, as a request. */
export const requestFor = (model: string, file: string): string => `./${basename(model)}?fluxion=${file}`;

function split(id: string): [path: string, rest: string] {
  const at = id.indexOf('?');
  return at < 0 ? [id, ''] : [id.slice(0, at), id.slice(at)];
}
