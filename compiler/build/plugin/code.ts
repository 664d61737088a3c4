// The text of a built module as a bundler shall see it: the files beside it are reached through the plugin, wherever they lie.
import type { Request } from './request.ts';
import { requestFor } from './request.ts';

/** An expression for the URL of an asset, by the name of its file; a line that it needs at the top of the module. */
export type AssetURL = (file: string) => { readonly url: string; readonly top?: string };

/**
 * Built modules reach the files beside them in two ways only: by `import` and `export ... from` of "./NAME", and by
 * `new URL("./NAME", import.meta.url)`. Only names of files that were written are touched.
 */
export function rewired(code: string, { model }: Request, files: ReadonlySet<string>, urlOf: AssetURL): string {
  const tops: string[] = [];
  const text = code
    .replace(/(\bfrom\s*|\bimport\s*\(?\s*)(["'])\.\/([^"'\\]+)\2/g, (whole, before: string, _, file: string) =>
      files.has(file) ? before + JSON.stringify(requestFor(model, file)) : whole,
    )
    .replace(/\bnew URL\((["'])\.\/([^"'\\]+)\1,\s*import\.meta\.url\)/g, (whole, _, file: string) => {
      if (!files.has(file)) return whole;
      const { url, top } = urlOf(file);
      if (top !== undefined) tops.push(`${top}\n`);
      return url;
    });
  return tops.join('') + text;
}
