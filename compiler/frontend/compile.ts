// compile(fn): records fn once for each kind of call, and afterwards replays what it did without running it.
import { ArgumentError, deepStack, userLine } from '../../runtime/errors.ts';
import { defaultMaxVariants } from './compile/budgets.ts';
import { type Compilation, call, compilationOf } from './compile/calls.ts';
import { type Explanation, explain } from './compile/explain.ts';
import { currentCall, currentTrace } from './record.ts';

export type { Explanation, SegmentReport, SpecialisationReport } from './compile/explain.ts';

export type CompileOptions = {
  /** What messages and `explain()` call the function; its own name unless given. */
  readonly name?: string;
  /** Specialisations that are kept; calls that would need one more run uncompiled, after one warning. 32 unless given. */
  readonly maxVariants?: number;
  /** Refuse functions that look at values: an error at the line that does. */
  readonly fullgraph?: boolean;
  /**
   * Dimensions that vary without a say in what `fn` does, by position of the argument or by the name of a property in one: `{ 0: [0] }`. All sizes
   * between two that were recorded are then served without a further run of `fn`. Without a mark a new size is recorded once; either way all sizes
   * from 2 on run by one Program where that is possible, as `explain()` tells. `false`: a Program for every size.
   */
  readonly dynamic?: Readonly<Record<string, readonly number[]>> | false;
  /** For tests: run fn in every call, and throw where a replay would have done something else, since captured numbers or objects changed. */
  readonly check?: boolean;
};

export type Compiled<A extends readonly unknown[], R> = ((...args: A) => R) & {
  /** How often fn was run to record it. */
  readonly traces: () => number;
  /** Specialisations, guards, segments and re-traces: as data, and as text when printed. */
  readonly explain: () => Explanation;
};

/** Told of every compiled function: inspection lists them. */
export type CompiledListener = (explain: () => Explanation) => void;
const listeners = new Set<CompiledListener>();
export function onCompiledFunction(listener: CompiledListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * A function with the meaning of `fn` that runs as one Program, recorded once for each kind of arguments (shapes, dtypes, requiresGrad,
 * shared storage, structure, and the values of everything that is no tensor) and replayed afterwards. State that `fn` reads and writes
 * (parameters, gradients, optimisers, modes of modules) is read anew and written by the replay; other captures keep the value they had.
 *
 * Where `fn` looks at an integer or a boolean, each value that it sees is a branch of its own. Where it looks at anything else, or awaits, the
 * rest runs as without compile. `explain()` tells what became of it. As `torch.compile`. Throws ArgumentError if fn is no function.
 */
export function compile<A extends readonly unknown[], R>(fn: (...args: A) => R, options: CompileOptions = {}): Compiled<A, R> {
  if (typeof fn !== 'function') throw new ArgumentError(`expected a function, got ${typeof fn}`, { op: 'compile' });
  const {
    name = fn.name === '' ? 'anonymous' : fn.name,
    maxVariants = defaultMaxVariants,
    fullgraph = false,
    check = false,
    dynamic = {},
  } = options;
  if (!Number.isInteger(maxVariants) || maxVariants < 1)
    throw new ArgumentError(`maxVariants is a positive integer, got ${String(maxVariants)}`, { op: 'compile' });
  const compilation: Compilation = compilationOf(fn as Compilation['fn'], {
    name,
    at: userLine(deepStack().stack),
    maxVariants,
    fullgraph,
    check,
    dynamic,
  });
  // Inside of a call that is being recorded, or of a transform, it is a part of that.
  const compiled = (...args: A): R =>
    currentCall() !== undefined || currentTrace() !== undefined ? fn(...args) : (call(compilation, args) as R);
  const told = { traces: () => compilation.traces, explain: () => explain(compilation) };
  for (const listener of listeners) listener(told.explain);
  return Object.assign(compiled, told);
}
