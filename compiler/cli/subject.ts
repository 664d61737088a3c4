// What a command looks at: graphs out of a text file, or those that a program compiles while it runs.
import { readFileSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FluxionError } from '../../runtime/errors.ts';
import { defaultTarget } from '../frontend/device.ts';
import { locateAlways } from '../frontend/record.ts';
import { type Inspected, inspectedGraph, watch } from '../inspect/index.ts';
import { parseModule } from '../ir/parse.ts';
import { verify } from '../ir/verify.ts';
import { forgetStructures } from '../jit/structure.ts';
import { type Invocation, UsageError } from './arguments.ts';
import { endQuietly, redirectOutput } from './stdout.ts';
import { chooseDevice } from './targets.ts';

/** Makes the report of what was found, without its last newline. */
export type Report = (programs: readonly Inspected[]) => string;

/** A file, and which of its exports or graphs is meant. */
type Subject = { readonly file: string; readonly path: string; readonly name: string | undefined };

/** Prints a report on the file of an invocation; gives the exit code. */
export async function reportOn(invocation: Invocation, report: Report): Promise<number> {
  const subject = subjectOf(invocation);
  await chooseDevice(invocation);
  return extname(subject.path) === '.ir' ? reportOnGraphs(subject, report) : reportOnProgram(subject, invocation.rest, report);
}

/** `FILE:name`, unless there is a file that is called so. */
export function subjectOf({ file }: Pick<Invocation, 'file'>): Subject {
  const [, stem, name] = /^(.+):(\w+)$/.exec(file) ?? [];
  const isNamed = stem !== undefined && statSync(file, { throwIfNoEntry: false }) === undefined;
  const own = isNamed ? stem : file;
  const subject = { file: own, path: resolve(own), name: isNamed ? name : undefined };
  demandFile(subject.file, subject.path);
  return subject;
}

function demandFile(file: string, path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`there is no file ${file}`);
  if (!found.isFile()) throw new UsageError(`${file} is not a file`);
}

function reportOnGraphs({ file, path, name: wanted }: Subject, report: Report): number {
  let programs: readonly Inspected[];
  try {
    programs = parseModule(readFileSync(path, 'utf8'), { file }).map(({ name, graph }) => {
      verify(graph, defaultTarget());
      return inspectedGraph(name, graph, defaultTarget());
    });
    if (wanted !== undefined) programs = [named(file, wanted, programs)];
  } catch (error) {
    if (error instanceof FluxionError) throw new UsageError(error.message);
    throw error;
  }
  try {
    process.stdout.once('error', endQuietly);
    process.stdout.write(`${report(programs)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof FluxionError)) throw error;
    console.error(`fluxion: ${error.name}: ${error.message}`);
    return 1;
  }
}

/**
 * Runs a program to its end (all its timers and promises, or its exit) and then reports. Standard output carries the report alone,
 * so that it can be piped: what the program prints goes to standard error.
 */
async function reportOnProgram({ file, path, name }: Subject, args: readonly string[], report: Report): Promise<number> {
  const write = redirectOutput();
  let watched = watch();
  locateAlways(true);
  // Frames of the library count too, and layers of the user's may lie deep.
  Error.stackTraceLimit = 100;
  process.argv = [process.argv[0]!, path, ...args];
  const tell = once(() => {
    watched.stop();
    if (watched.programs().length > 0) write(`${report(watched.programs())}\n`);
    else if (!process.exitCode) console.error(`fluxion: ${path} compiled nothing; no value was looked at`);
  });
  process.once('exit', tell);
  process.once('SIGINT', () => process.exit(130));
  try {
    const module: Readonly<Record<string, unknown>> = await import(pathToFileURL(path).href);
    if (name !== undefined) {
      const call = exported(file, name, module);
      watched.stop();
      watched = watch();
      forgetStructures();
      await call();
    }
    await idle();
  } catch (error) {
    if (error instanceof UsageError) {
      process.off('exit', tell);
      throw error;
    }
    console.error(error);
    if (isUnreadTypeScript(path, error)) console.error('fluxion: this Node reads TypeScript through tsx; run `npm install --save-dev tsx`');
    process.exitCode = 1;
  }
  tell();
  return Number(process.exitCode ?? 0);
}

function named(file: string, wanted: string, programs: readonly Inspected[]): Inspected {
  const found = programs.find(({ name }) => name === wanted);
  if (found !== undefined) return found;
  throw new UsageError(`${file} has no graph '${wanted}'; it has ${programs.map(({ name }) => name).join(', ') || 'none'}`);
}

function exported(file: string, name: string, module: Readonly<Record<string, unknown>>): () => unknown {
  const found = Object.hasOwn(module, name) ? module[name] : undefined;
  if (typeof found === 'function') return () => (found as () => unknown)();
  const functions = Object.keys(module).filter((key) => typeof module[key] === 'function');
  throw new UsageError(
    `${file} ${found === undefined ? 'has no export' : 'exports no function'} '${name}'; it has ${functions.join(', ') || 'none'}`,
  );
}

/** Whether Node itself, and not a loader, stumbled over a TypeScript file. */
function isUnreadTypeScript(path: string, error: unknown): boolean {
  if (!/\.[cm]?tsx?$/.test(path) || !(error instanceof Error)) return false;
  return (error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_FILE_EXTENSION' || /at compileSourceTextModule/.test(error.stack ?? '');
}

/** Until nothing is left to be done: promises settled, timers and sockets gone. */
const idle = (): Promise<void> => new Promise((done) => void process.once('beforeExit', () => done()));

function once(f: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    f();
  };
}
