// What the functions of one module share: its builder, how it rounds, imports of the host, functions made once, and the failures it can report.
import type { ModuleBuilder } from './binary.ts';
import type { FunctionBuilder, FunctionRef, Node, Type } from './function.ts';

/** A failure of a launch, as the runtime tells it: an index that is not below a bound, or a text. */
export type Failure = { readonly op: string; readonly below?: number | 'open' };

export type Unit = {
  readonly module: ModuleBuilder;
  /** Whether `relaxed_madd` may be used; it then rounds once. */
  readonly fused: boolean;
  readonly functions: Map<string, FunctionRef>;
  readonly imports: string[];
  readonly failures: Failure[];
};

export const newUnit = (module: ModuleBuilder, fused: boolean): Unit => ({
  module,
  fused,
  functions: new Map(),
  imports: [],
  failures: [],
});

/** A function of the module that is defined when it is first wanted. */
export function shared(
  unit: Unit,
  name: string,
  params: readonly Type[],
  results: readonly Type[],
  body: (f: FunctionBuilder) => void,
): FunctionRef {
  const known = unit.functions.get(name);
  if (known !== undefined) return known;
  const fn = unit.module.declare(name, params, results);
  unit.functions.set(name, fn);
  unit.module.define(fn, body);
  return fn;
}

/** A function of the host, imported as `env.name`. */
export function host(unit: Unit, name: string, params: readonly Type[], results: readonly Type[]): FunctionRef {
  const key = `env.${name}`;
  const known = unit.functions.get(key);
  if (known !== undefined) return known;
  const fn = unit.module.addImport('env', name, params, results);
  unit.functions.set(key, fn);
  unit.imports.push(name);
  return fn;
}

/** What a run's status word says if this happened: 1 plus its index. */
export function failureStatus(unit: Unit, op: string, below?: number | 'open'): number {
  const known = unit.failures.findIndex((x) => x.op === op && x.below === below);
  if (known >= 0) return known + 1;
  return unit.failures.push(below === undefined ? { op } : { op, below });
}

/** Where code is being written: a function, the module around it, and the address of the run's argument block. */
export type Site = { readonly unit: Unit; readonly f: FunctionBuilder; readonly args: Node };
