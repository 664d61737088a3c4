// Tests of passes: text in, text out, and meaning. `UPDATE=1 npx vitest run FILE` rewrites the expected texts in FILE.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type NamedGraph, parseModule } from '../compiler/ir/parse.ts';
import { print } from '../compiler/ir/print.ts';
import { verify } from '../compiler/ir/verify.ts';
import type { Pass, PassContext } from '../compiler/passes/pass.ts';
import { jsTarget, type Target } from '../runtime/target.ts';
import { expectSameMeaning } from './meaning.ts';

export type PassTestOptions = {
  /** What differs from the JavaScript target. */
  readonly target?: Partial<Target>;
  /** Names of rewrite rules that must fire, in order. */
  readonly fires?: readonly string[];
  /** A piece of what the pass must note for `explain`. */
  readonly notes?: string;
};

/**
 * Runs `pass` on the graph `before` and expects `after`, compared as printed: ids, types and layout of the two texts may be as loose as
 * the parser allows. Both graphs are verified and must mean the same, and an idempotent pass must leave its own result alone.
 */
export function passTest(pass: Pass, title: string, before: string, after: string, options: PassTestOptions = {}): void {
  const file = process.env.UPDATE === '1' ? callerOf(new Error()) : undefined;
  test(`${pass.name}: ${title}`, () => {
    const text = checkPass(pass, before, file === undefined ? after : undefined, options);
    if (file !== undefined && text !== canonicalOrNothing(after)) rewriteExpectation(file, title, before, after, text);
  });
}

/** All that `passTest` checks, and the text of the result; without `after`, only the texts are not compared. */
export function checkPass(pass: Pass, before: string, after: string | undefined, options: PassTestOptions = {}): string {
  const target = { ...jsTarget, ...options.target };
  const { name, graph } = read(before);
  verify(graph);
  const { context, fired, notes } = listening(target);
  const result = pass.run(graph, context);
  verify(result, target);
  const text = print(result, { name });
  if (after !== undefined) expect(text).toBe(canonical(after));
  if (options.fires !== undefined) expect(fired).toEqual(options.fires);
  if (options.notes !== undefined) expect(notes.join('\n')).toContain(options.notes);
  if (pass.idempotent) expect(print(pass.run(result, context), { name }), 'the second run').toBe(text);
  expectSameMeaning(graph, result);
  return text;
}

/** A graph that the pass must leave as it is. */
export function passLeaves(pass: Pass, title: string, graph: string, options: PassTestOptions = {}): void {
  passTest(pass, title, graph, graph, options);
}

function read(text: string): NamedGraph {
  const [only, ...others] = parseModule(text);
  if (only === undefined || others.length > 0) throw new Error('a pass test wants one graph');
  return only;
}

function canonical(text: string): string {
  const { name, graph } = read(text);
  verify(graph);
  return print(graph, { name });
}

/** Under UPDATE=1 the expectation may still be empty or wrong. */
function canonicalOrNothing(text: string): string {
  try {
    return canonical(text);
  } catch {
    return '';
  }
}

function listening(target: Target): { context: PassContext; fired: string[]; notes: string[] } {
  const fired: string[] = [];
  const notes: string[] = [];
  return { context: { target, fired: (rule) => fired.push(rule), note: (text) => notes.push(text) }, fired, notes };
}

// Rewriting of expectations: the literal that holds `after` is the one that follows `before` after the title.

export function rewriteExpectation(file: string, title: string, before: string, after: string, text: string): void {
  const source = readFileSync(file, 'utf8');
  const afterTitle = source.indexOf(title);
  const beforeAt = source.indexOf(escaped(before), afterTitle);
  const start = source.indexOf(`\`${escaped(after)}\``, beforeAt + escaped(before).length);
  if (afterTitle < 0 || beforeAt < 0 || start < 0) throw new Error(`${title}: its texts are no template literals in ${file}`);
  const indent = /^[ \t]*(?=\S)/m.exec(before.trimStart() === before ? '' : before.slice(before.indexOf('\n') + 1))?.[0] ?? '      ';
  const lines = text.split('\n').map((line) => `${indent}${line}`);
  const literal = `\`\n${escaped(lines.join('\n'))}\``;
  writeFileSync(file, source.slice(0, start) + literal + source.slice(start + escaped(after).length + 2));
}

const escaped = (text: string): string => text.replace(/[\\`]|\$\{/g, '\\$&');

/** The first frame outside this file. */
function callerOf(error: Error): string {
  const files = (error.stack ?? '')
    .split('\n')
    .flatMap((line) => /(\/[^():]+|file:\/\/\/[^():]+):\d+:\d+\)?$/.exec(line.trim())?.[1] ?? []);
  const caller = files.find((f) => !f.endsWith('/test/pass-test.ts'));
  if (caller === undefined) throw new Error('passTest does not know which file called it');
  return caller.startsWith('file:') ? fileURLToPath(caller) : caller;
}
