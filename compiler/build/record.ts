// From the exports of a model file to a built model: each declaration recorded, its weights named, and Programs for each target.
import { basename, extname } from 'node:path';
import { DTypeError, FluxionError } from '../../runtime/errors.ts';
import { type HostExpr, hostCall, mapCounters } from '../../runtime/host.ts';
import { jsTarget, type Target, wasmTarget, webgpuTarget } from '../../runtime/target.ts';
import { declarationOf } from '../frontend/aot.ts';
import type { HostCounter } from '../frontend/call.ts';
import { compileGraph } from '../lower/compile.ts';
import { isIdentifier } from './artifact/text.ts';
import { ownNames } from './artifact/write.ts';
import { BuildError, type Diagnostic, diagnosticOf } from './diagnostic.ts';
import { type Declared, type Recorded, type RecordedEntry, recordEntry, unfitFor } from './entry.ts';
import type { BoundProgram, BuildTarget, BuiltEntry, BuiltModel, BuiltVariant, InputBinding, OutputBinding, SlotBinding } from './model.ts';
import { type Pool, weightPool } from './pool.ts';
import type { Sources, Written } from './sources.ts';
import { storedWeights } from './stored.ts';
import { keysOf } from './weights.ts';

export type Exports = Readonly<Record<string, unknown>>;

/** The declarations that a module exports, in the order in which they are written. */
function declaredIn({ path, written }: Sources, exports: Exports): Declared[] {
  const beginning: Written = { file: path, line: 1, column: 1, doc: undefined, parameters: [] };
  const found = Object.entries(exports).flatMap(([name, value]): Declared[] => {
    const declaration = declarationOf(value);
    return declaration === undefined ? [] : [{ name, declaration, written: written.get(name) ?? beginning }];
  });
  const place = ({ written: { file, line, column } }: Declared): readonly [number, string, number, number] => [
    file === path ? 0 : 1,
    file,
    line,
    column,
  ];
  return found.sort((a, b) => compare(place(a), place(b)));
}

function compare(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  const at = a.findIndex((x, i) => x !== b[i]);
  return at < 0 ? 0 : a[at]! < b[at]! ? -1 : 1;
}

/** Records all declarations of a module. Throws BuildError with everything that is wrong with any of them. */
export function recordDeclarations(sources: Sources, exports: Exports): RecordedEntry[] {
  const { path, texts } = sources;
  const declared = declaredIn(sources, exports);
  const problems: Diagnostic[] = [];
  const problem = ({ file, line, column }: Written, message: string): void =>
    void problems.push({ file, line, column, code: 'BUILD', message });
  if (declared.length === 0)
    problems.push({
      file: path,
      line: 1,
      column: 1,
      code: 'BUILD',
      message: 'nothing here is declared for building; export a function that aot() made',
    });
  const entries = declared.flatMap((d): RecordedEntry[] => {
    if (!isIdentifier(d.name) || d.name === 'default' || ownNames.includes(d.name)) {
      const taken = ownNames.includes(d.name) ? ', which every built module has' : '';
      problem(d.written, `a built function is exported under a name of its own, not as '${d.name}'${taken}`);
      return [];
    }
    if (targetsText(d) !== targetsText(declared[0]!)) {
      problem(d.written, `it is for ${targetsText(d)}, but '${declared[0]!.name}' of the same file for ${targetsText(declared[0]!)}`);
      return [];
    }
    try {
      const entry = recordEntry(d, texts);
      const unfit = d.declaration.targets?.includes('webgpu') ? unfitFor('webgpu', entry, texts) : undefined;
      if (unfit !== undefined) problems.push(unfit);
      return [entry];
    } catch (error) {
      if (error instanceof BuildError) problems.push(...error.diagnostics);
      else problems.push(diagnosticOf(error, texts, d.written));
      return [];
    }
  });
  if (problems.length > 0) throw new BuildError(problems);
  return entries;
}

/** A module is for one set of targets, so that any of its functions runs where the others do. */
const targetsText = ({ declaration: { targets } }: Declared): string =>
  targets === undefined ? 'all targets' : [...targets].sort().join(', ');

const machines: Readonly<Record<BuildTarget, Target>> = {
  js: jsTarget,
  wasm: wasmTarget('mul+add'),
  relaxed: wasmTarget('madd'),
  webgpu: webgpuTarget,
};

/** The model of a module. `root` is the folder of the project, which paths are told relative to. */
export function recordModel(sources: Sources, exports: Exports, path: string): BuiltModel {
  const recorded = recordDeclarations(sources, exports);
  const keys = keysOf(
    recorded.flatMap((e) => e.recordings.map((r) => r.call)),
    exports,
  );
  const pool = weightPool(keys);
  const left = new Map<BuildTarget, string>();
  const built = recorded.map((entry) => builtEntry(entry, sources, pool, left));
  const entries = built.map((entry) => ({ ...entry, variants: entry.variants.map((v) => without(v, left)) }));
  const notes = [...left].map(([target, why]) => `not for ${target}: ${why}`);
  const weights = storedWeights(pool.weights(), recorded, sources);
  const name = basename(sources.path, extname(sources.path));
  return { name, source: { path, text: sources.texts.get(sources.path)! }, entries, weights, counters: pool.counters(), notes };
}

function builtEntry(entry: RecordedEntry, sources: Sources, pool: Pool, left: Map<BuildTarget, string>): BuiltEntry {
  const { name, written, declaration, inputs, numbers, parameters, result, recordings } = entry;
  const wanted = declaration.targets ?? ['wasm', 'webgpu', 'js'];
  const targets = wanted.flatMap((t): BuildTarget[] => (t === 'wasm' ? ['wasm', 'relaxed'] : [t]));
  const variants = recordings.map((recorded): BuiltVariant => {
    const programs: { [T in BuildTarget]?: BoundProgram } = {};
    const bound = boundTo(recorded, pool);
    for (const target of targets) {
      if (left.has(target)) continue;
      try {
        programs[target] = { ...bound, program: compileGraph(recorded.graph, machines[target], { name, ...recorded.open }) };
      } catch (error) {
        // What was not asked for by name is left out where it cannot be, and so is the GPU where sizes are open.
        const isOptional = target === 'webgpu' && (declaration.targets === undefined || recorded.open !== undefined);
        if (!isOptional || !isUnfit(error)) throw new BuildError([diagnosticOf(error, sources.texts, written)]);
        left.set(target, `${name}: ${error.what}`);
      }
    }
    return { sizes: recorded.sizes, programs };
  });
  return {
    name,
    ...(written.doc === undefined ? {} : { doc: written.doc }),
    line: written.line,
    column: written.column,
    inputs,
    numbers,
    parameters,
    result,
    variants,
    advances: advancesOf(entry, pool),
  };
}

/** A module runs on a target with all of its functions or not at all. */
function without(variant: BuiltVariant, left: ReadonlyMap<BuildTarget, string>): BuiltVariant {
  const programs = Object.entries(variant.programs).filter(([target]) => !left.has(target as BuildTarget));
  return { ...variant, programs: Object.fromEntries(programs) };
}

/** What a target cannot do, as opposed to what the compiler does wrong. */
const isUnfit = (error: unknown): error is FluxionError =>
  error instanceof DTypeError || (error instanceof FluxionError && error.code !== 'INTERNAL');

function boundTo(recorded: Recorded, pool: Pool): Omit<BoundProgram, 'program'> {
  const { call, sources } = recorded;
  const inputs: InputBinding[] = [];
  const slots: SlotBinding[] = [];
  for (const [i, source] of sources.entries()) {
    if (source.kind === 'number') slots.push({ from: 'number', index: source.index });
    else if (source.kind === 'host') slots.push({ from: 'host', expr: pool.expr(source.expr) });
    else if (source.kind === 'argument') inputs.push({ from: 'input', index: source.index });
    else inputs.push({ from: 'weight', key: source.kind === 'state' ? pool.keyOf(source.storage) : pool.constant(recorded, i) });
  }
  const outputs: OutputBinding[] = [
    ...call.results.map((_, index): OutputBinding => ({ to: 'result', index })),
    ...call.written.map((storage): OutputBinding => ({ to: 'weight', key: pool.written(storage) })),
  ];
  return { inputs, slots, outputs };
}

/** Counters that any number of any entry reads go on; the others count for nobody. */
function advancesOf({ recordings: [recorded] }: RecordedEntry, pool: Pool): BuiltEntry['advances'] {
  const read = new Set<object>();
  const note = (counter: HostCounter): HostExpr => {
    read.add(counter.owner);
    return 0;
  };
  for (const source of recorded!.sources) if (source.kind === 'host') mapCounters(source.expr, note);
  return recorded!.call.counts
    .filter(({ counter }) => read.has(counter.owner))
    .map(({ counter, times }) => {
      const expr = pool.expr({ counter }) as { readonly counter: string };
      return { key: expr.counter, to: hostCall<string>('add', expr, times) };
    });
}
