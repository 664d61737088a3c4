// Every error that a user can meet: one class per kind, built from data, so that texts are uniform and testable.

/** What an error is about. `fix` is the way out, in the user's words; `at` is the user's line. */
export type ErrorFacts = {
  readonly op?: string | undefined;
  readonly fix?: string | undefined;
  readonly at?: string | undefined;
  readonly cause?: unknown;
};

/**
 * Base of all public errors. The message reads `op: what is wrong. The way out. (at file:line)`.
 * `code` is stable across versions; `op` names the function that refused; `loc` the user's line, if known.
 */
export class FluxionError extends Error {
  /** The name of the class, which a bundler may shorten. */
  static readonly title: string = 'FluxionError';
  readonly code: string = 'FLUXION';
  readonly op: string | undefined;
  readonly loc: string | undefined;
  /** What is wrong, alone: for those who say it again with a better place. */
  readonly what: string;

  constructor(what: string, facts: ErrorFacts = {}) {
    super('', facts.cause === undefined ? undefined : { cause: facts.cause });
    captureDeepStack(this, new.target);
    this.what = what;
    this.op = facts.op;
    this.loc = facts.at ?? userLine(this.stack);
    this.message = `${facts.op === undefined ? '' : `${facts.op}: `}${what}${facts.fix === undefined ? '' : `; ${facts.fix}`}${
      this.loc === undefined ? '' : ` at ${this.loc}`
    }`;
    this.name = Object.hasOwn(new.target, 'title') ? new.target.title : new.target.name;
    this.stack = withHeader(this.stack, `${this.name}: ${this.message}`);
  }
}

/** An unread stack of the call, deep enough to hold the user's line. */
export function deepStack(): Error {
  const engine = Error as { stackTraceLimit?: number };
  const before = engine.stackTraceLimit;
  if (before === undefined) return new Error();
  engine.stackTraceLimit = deepest;
  const stack = new Error();
  engine.stackTraceLimit = before;
  return stack;
}
const deepest = 64;

/** The user's line may lie below more frames of ours than an engine keeps by default. */
function captureDeepStack(error: Error, above: (new (...args: never[]) => unknown) | undefined): void {
  const engine = Error as { stackTraceLimit?: number; captureStackTrace?: (target: object, above?: unknown) => void };
  if (engine.captureStackTrace === undefined) return;
  const before = engine.stackTraceLimit;
  engine.stackTraceLimit = deepest;
  engine.captureStackTrace(error, above);
  if (before !== undefined) engine.stackTraceLimit = before;
}

/** Shapes that do not fit an op. */
export class ShapeError extends FluxionError {
  static override readonly title: string = 'ShapeError';
  override readonly code: string = 'SHAPE';
}
/** Element types that do not fit an op. */
export class DTypeError extends FluxionError {
  static override readonly title: string = 'DTypeError';
  override readonly code: string = 'DTYPE';
}
/** An argument of a wrong kind or value, where neither shape nor dtype is to blame. */
export class ArgumentError extends FluxionError {
  static override readonly title: string = 'ArgumentError';
  override readonly code: string = 'ARGUMENT';
}
/** An index or dimension out of range. */
export class IndexError extends FluxionError {
  static override readonly title: string = 'IndexError';
  override readonly code: string = 'INDEX';
}
/** A rule of differentiation was broken: second backward, in-place on a leaf, a root without graph. */
export class AutogradError extends FluxionError {
  static override readonly title: string = 'AutogradError';
  override readonly code: string = 'AUTOGRAD';
}
/** A tensor on the wrong device, or a device that cannot do what was asked. */
export class DeviceError extends FluxionError {
  static override readonly title: string = 'DeviceError';
  override readonly code: string = 'DEVICE';
}
/** A GPU that is gone, and with it what lay on it alone. `reason` is WebGPU's: `destroyed`, `unknown`, or `gone` for elements lost with it. */
export class DeviceLostError extends DeviceError {
  static override readonly title: string = 'DeviceLostError';
  override readonly code: string = 'DEVICE_LOST';
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(reason === 'gone' ? message : `the WebGPU device was lost (${reason}): ${message}`, {
      op: 'webgpu',
      fix: 'await recover(), and load what was kept on the host',
    });
    this.reason = reason;
  }
}
/** More memory than the device has or an array may hold. */
export class OutOfMemoryError extends FluxionError {
  static override readonly title: string = 'OutOfMemoryError';
  override readonly code: string = 'OUT_OF_MEMORY';
}
/** Graph text that does not parse, or a graph that breaks a rule of the IR. */
export class IRError extends FluxionError {
  static override readonly title: string = 'IRError';
  override readonly code: string = 'IR';
}
/** A serialised Program that is damaged, of another version, or inconsistent. */
export class ProgramError extends FluxionError {
  static override readonly title: string = 'ProgramError';
  override readonly code: string = 'PROGRAM';
}
/** A file that is damaged, hostile, or not of the format that it claims; `offset` is the byte where the rule is broken. */
export class FormatError extends FluxionError {
  static override readonly title: string = 'FormatError';
  override readonly code: string = 'FORMAT';
  readonly offset: number | undefined;

  constructor(what: string, facts: ErrorFacts & { readonly offset?: number | undefined } = {}) {
    super(facts.offset === undefined ? what : `${what} (byte ${facts.offset})`, facts);
    this.offset = facts.offset;
  }
}
/** A defect of the compiler itself; says the pass, the op and the value. */
export class InternalError extends FluxionError {
  static override readonly title: string = 'InternalError';
  override readonly code: string = 'INTERNAL';
}
/** A key that names nothing: parameters, options, state entries. */
export class KeyError extends FluxionError {
  static override readonly title: string = 'KeyError';
  override readonly code: string = 'KEY';
}
/** A matrix that a factorisation cannot take: singular, not positive-definite, or not finite. */
export class LinAlgError extends FluxionError {
  static override readonly title: string = 'LinAlgError';
  override readonly code: string = 'LINALG';
}
/** What compile() cannot do with a function. */
export class CompileError extends FluxionError {
  static override readonly title: string = 'CompileError';
  override readonly code: string = 'COMPILE';
}
/** A worker thread that died, threw or stopped answering. */
export class WorkerError extends FluxionError {
  static override readonly title: string = 'WorkerError';
  override readonly code: string = 'WORKER';
}
/** A data set or loader that misbehaves. */
export class DataError extends FluxionError {
  static override readonly title: string = 'DataError';
  override readonly code: string = 'DATA';
}

/** A file that cannot be read or written. */
export class FileError extends FluxionError {
  static override readonly title: string = 'FileError';
  override readonly code: string = 'FILE';
}
/** A file that asks for code to be run. */
export class SecurityError extends FluxionError {
  static override readonly title: string = 'SecurityError';
  override readonly code: string = 'SECURITY';
}

/** V8 writes name and message at the head of a stack when an error is made, which is before ours are known. */
const withHeader = (stack: string | undefined, header: string): string =>
  stack === undefined ? header : stack.startsWith('Error') ? header + stack.slice('Error'.length) : stack;

/** Folder of this package, as it stands in stack frames; frames inside it are ours, except its samples and tests. Edge runtimes tell no URL. */
const home = String(import.meta.url).replace(/\/(dist\/)?runtime\/errors\.[jt]s.*$/, '/');
const homePath = home.replace(/^file:\/\//, '');
const ours = /^(dist\/)?(kernels|runtime|compiler)\//;

/** The first frame of a V8, SpiderMonkey or JavaScriptCore stack that lies outside the package, as `file:line`. */
export function userLine(stack: string | undefined): string | undefined {
  for (const line of (stack ?? '').split('\n')) {
    const m = /(?:\(|@|at (?:async )?)((?:file:\/\/|https?:\/\/|\/|[A-Za-z]:[\\/])[^()]*?):(\d+)(?::\d+)?\)?$/.exec(line.trim());
    if (m === null) continue;
    const file = m[1]!;
    const inside = file.startsWith(home) ? file.slice(home.length) : file.startsWith(homePath) ? file.slice(homePath.length) : undefined;
    if (inside !== undefined && ours.test(inside)) continue;
    if (file.includes('/node_modules/vitest') || file.includes('/node_modules/tsx')) continue;
    return `${file.split(/[\\/]/).at(-1)!.replace(/\?.*$/, '')}:${m[2]!}`;
  }
  return undefined;
}
