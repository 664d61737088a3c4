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
import { type Invocation, UsageError } from './arguments.ts';

/** Makes the report of what was found, without its last newline. */
export type Report = (programs: readonly Inspected[]) => string;

/** Prints a report on the file of an invocation; gives the exit code. */
export async function reportOn({ file, rest }: Invocation, report: Report): Promise<number> {
  const path = resolve(file);
  demandFile(file, path);
  process.stdout.once('error', endQuietly);
  return extname(path) === '.ir' ? reportOnGraphs(file, path, report) : reportOnProgram(path, rest, report);
}

/** A reader that has seen enough (`fluxion ir a.ts | head`) closes the pipe: no mistake of anybody's. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}

function demandFile(file: string, path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`there is no file ${file}`);
  if (!found.isFile()) throw new UsageError(`${file} is not a file`);
}

function reportOnGraphs(file: string, path: string, report: Report): number {
  let programs: readonly Inspected[];
  try {
    programs = parseModule(readFileSync(path, 'utf8'), { file }).map(({ name, graph }) => {
      verify(graph, defaultTarget());
      return inspectedGraph(name, graph, defaultTarget());
    });
  } catch (error) {
    if (error instanceof FluxionError) throw new UsageError(error.message);
    throw error;
  }
  try {
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
async function reportOnProgram(path: string, args: readonly string[], report: Report): Promise<number> {
  const write = redirectOutput();
  const watched = watch();
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
    await import(pathToFileURL(path).href);
    await idle();
  } catch (error) {
    console.error(error);
    if (isUnreadTypeScript(path, error)) console.error('fluxion: this Node reads TypeScript through tsx; run `npm install --save-dev tsx`');
    process.exitCode = 1;
  }
  tell();
  return Number(process.exitCode ?? 0);
}

/** Whether Node itself, and not a loader, stumbled over a TypeScript file. */
function isUnreadTypeScript(path: string, error: unknown): boolean {
  if (!/\.[cm]?tsx?$/.test(path) || !(error instanceof Error)) return false;
  return (error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_FILE_EXTENSION' || /at compileSourceTextModule/.test(error.stack ?? '');
}

function redirectOutput(): (text: string) => void {
  const { stdout, stderr } = process;
  const write = stdout.write.bind(stdout);
  stdout.write = stderr.write.bind(stderr) as typeof stdout.write;
  return (text) => void write(text);
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
