// Collects what became of the functions that are compiled while it watches: their specialisations, guards, segments and re-traces.
import { type Explanation, onCompiledFunction } from '../frontend/compile.ts';

export type FunctionWatch = { readonly explanations: () => readonly Explanation[]; readonly stop: () => void };

/** Functions compiled since, in order; each is asked when it is looked at. */
export function watchFunctions(): FunctionWatch {
  const functions: (() => Explanation)[] = [];
  const stop = onCompiledFunction((explain) => void functions.push(explain));
  return { explanations: () => functions.map((explain) => explain()), stop };
}
