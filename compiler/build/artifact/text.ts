// How what users wrote gets into files as data: escaped so that it can become neither code nor a comment's end.
import { InternalError } from '../../../runtime/errors.ts';

/** In strings: whatever is not plain ASCII, and the characters that tags and the comments of tools begin with. */
const risky = /[<#\u007f-\uffff]/g;
const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Data as an expression of JavaScript. Keys of records are ours; what users named stands in strings. */
export function literal(data: unknown): string {
  const text = JSON.stringify(data, (_, value: unknown) => {
    // JSON has no such numbers, and would write null.
    if (typeof value === 'number' && !Number.isFinite(value)) throw new InternalError(`${value} cannot be written`, { op: 'build' });
    return value;
  });
  return (text ?? 'undefined').replace(risky, escaped);
}

/** As an expression whose outermost lists go over several lines. */
export const listed = (items: readonly string[]): string =>
  items.length === 0 ? '[]' : `[\n${items.map((item) => `  ${item},\n`).join('')}]`;

const plainName = /^[A-Za-z_$][\w$]*$/;
/** A name as a key of a type or a record. */
export const key = (name: string): string => (plainName.test(name) && name !== '__proto__' ? name : literal(name));

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;
export const isIdentifier = (name: string): boolean => identifier.test(name);
const reserved = new Set(
  (
    'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements ' +
    'import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield'
  ).split(' '),
);
/** The name of a parameter, where it can be one. */
export const parameterName = (name: string, index: number): string => (plainName.test(name) && !reserved.has(name) ? name : `p${index}`);

/** A doc comment that says `text`, whatever that holds; nothing where there is nothing to say. */
export function docComment(paragraphs: readonly (string | undefined)[], indent = ''): string {
  const lines = paragraphs
    .filter((text) => text !== undefined && text.trim() !== '')
    .flatMap((text) => harmless(text!).split('\n'))
    .map((line) => line.trimEnd());
  if (lines.length === 0) return '';
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} *${line === '' ? '' : ` ${line}`}\n`).join('')}${indent} */\n`;
}

/** Text that can stand in a comment: it ends none, directs no tool, and shows in the order in which it is read. */
function harmless(text: string): string {
  return text
    .replace(/\r\n?|[\u2028\u2029\v\f]/g, '\n')
    .replace(/\*\//g, '*\\/')
    .replace(/\/\/([#@])/g, '// $1')
    .replace(/<(?=[/!])/g, '&lt;')
    .replace(/[^\n\t\P{C}]/gu, '');
}
