// What is wrong with a model file, at the user's line and column, as TypeScript says it.
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CompileError, FluxionError } from '../../runtime/errors.ts';

/** A place in a file; lines and columns count from 1. */
export type Place = { readonly file: string; readonly line: number; readonly column: number };
export type Diagnostic = Place & { readonly code: string; readonly message: string };

/** Texts of the files that a model is made of, by absolute path. */
export type Texts = ReadonlyMap<string, string>;

/** A model that cannot be built, with all that is known to be wrong with it. */
export class BuildError extends CompileError {
  override readonly code: string = 'BUILD';
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    const [first] = diagnostics;
    super(first?.message ?? 'the model cannot be built', { at: first && `${first.file}:${first.line}:${first.column}` });
    this.diagnostics = diagnostics;
  }
}

/** An error as a diagnostic: at the frame of its stack that lies in the model's files, else at the place that is given. */
export function diagnosticOf(error: unknown, texts: Texts, fallback: Place): Diagnostic {
  const place = (error instanceof Error ? placeIn(error.stack, texts) : undefined) ?? fallback;
  return { ...place, code: error instanceof FluxionError ? error.code : 'ERROR', message: messageOf(error) };
}

/** Without the place, which a diagnostic names by itself. One line. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return `the model file throws ${String(error)}`;
  const at = error instanceof FluxionError && error.loc !== undefined ? ` at ${error.loc}` : '';
  const text = error.message.endsWith(at) ? error.message.slice(0, error.message.length - at.length) : error.message;
  return (error instanceof FluxionError ? text : `${error.name}: ${text}`).replaceAll(/\s*\n\s*/g, ' ');
}

/** The first frame of a stack that lies in one of the files. */
export function placeIn(stack: string | undefined, texts: Texts): Place | undefined {
  for (const line of (stack ?? '').split('\n')) {
    const found = /(?:\(|at (?:async )?)((?:file:\/\/|\/|[A-Za-z]:[\\/])[^()]*?):(\d+):(\d+)\)?$/.exec(line.trim());
    if (found === null) continue;
    const file = pathOf(found[1]!.replace(/\?.*$/, ''));
    if (file !== undefined && texts.has(file)) return { file, line: Number(found[2]), column: Number(found[3]) };
  }
  return undefined;
}

function pathOf(frame: string): string | undefined {
  if (!frame.startsWith('file:')) return frame;
  try {
    return fileURLToPath(frame);
  } catch {
    return undefined; // a frame may name anything
  }
}

/** The place of a recorded op, whose location is `file:line` without folder and column. */
export function placeOfLine(location: string | undefined, texts: Texts): Place | undefined {
  const [, name, number] = /^(.*):(\d+)$/.exec(location ?? '') ?? [];
  const file = [...texts.keys()].find((path) => path.endsWith(`/${name}`) || path.endsWith(`\\${name}`));
  if (file === undefined) return undefined;
  const line = Number(number);
  const text = texts.get(file)!.split('\n')[line - 1] ?? '';
  return { file, line, column: text.length - text.trimStart().length + 1 };
}

/** `model.ts:12:5 - error SHAPE: ...`, and the line in question with a mark beneath it. */
export function diagnosticText({ file, line, column, code, message }: Diagnostic, folder: string): string {
  const head = `${relative(folder, file).replaceAll('\\', '/') || file}:${line}:${column} - error ${code}: ${message}`;
  const source = existsSync(file) ? readFileSync(file, 'utf8').split(/\r?\n/)[line - 1] : undefined;
  if (source === undefined) return head;
  const rest = source.slice(column - 1);
  const width = Math.max(1, /^[\w$.]+/.exec(rest)?.[0].length ?? 1);
  // Tabs stay tabs, so that the mark stands where the text does.
  const indent = source.slice(0, column - 1).replaceAll(/[^\t]/g, ' ');
  return `${head}\n\n${line} ${source}\n${' '.repeat(String(line).length)} ${indent}${'~'.repeat(width)}\n`;
}
