// The files of a built model: an ES module and what it loads. The same bytes for the same model, whenever and wherever it was built.
import { type HelperName, preludeOf } from '../../../kernels/js/prelude.ts';
import { isRoutine, type LibraryRoutine } from '../../../kernels/routines.ts';
import type { Description } from '../../../runtime/artifact/description.ts';
import { ArgumentError, InternalError } from '../../../runtime/errors.ts';
import type { KernelCode, Program, WasmModule } from '../../../runtime/program.ts';
import { bytesFor } from '../../../runtime/wasm/execute.ts';
import type { BoundProgram, BuildTarget, BuiltModel } from '../model.ts';
import { declaration } from './declaration.ts';
import { describe, programsFor, targetData } from './describe.ts';
import { inspection } from './inspection.ts';
import { type SizeReport, sizesOf } from './sizes.ts';
import { type Mapping, sourceMap } from './sourceMap.ts';
import { isIdentifier, listed, literal } from './text.ts';
import { encodeWeights, type WeightLoss, type WeightStorage } from './weights.ts';

export type WriteOptions = {
  /** How float32 weights that no function writes are stored. */
  readonly weights?: WeightStorage;
  /** Weights of no more bytes than this stand in the module, others in a file beside it. */
  readonly inlineBytes?: number;
};

/** Files by their names, all beneath one folder; none holds a path, a time, or anything else of the machine. */
export type WrittenArtifact = {
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  readonly sizes: SizeReport;
  readonly losses: readonly WeightLoss[];
};

const defaultInlineBytes = 65536;
/** The exports of a module that are no functions of the model. */
export const ownNames: readonly string[] = ['load', 'instantiate', 'state', 'save'];

export function writeArtifact(
  model: BuiltModel,
  { weights = 'float32', inlineBytes = defaultInlineBytes }: WriteOptions = {},
): WrittenArtifact {
  checkNames(model);
  const { name } = model;
  const file = encodeWeights(model.weights, weights);
  const description = describe(model, file);
  const isInline = file.bytes.length <= inlineBytes;
  const weightsFile = `${name}.${description.file.hash}.safetensors`;
  const own = isInline
    ? `{ base64: '${Buffer.from(file.bytes).toString('base64')}' }`
    : `{ url: () => new URL(${literal(`./${weightsFile}`)}, import.meta.url) }`;
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const add = (path: string, content: string | Uint8Array): void => {
    files.set(path, typeof content === 'string' ? new TextEncoder().encode(content) : new Uint8Array(content));
  };
  const targets = targetsOf(model);
  for (const { path, text } of targets.files) add(path, text);
  const { text, mappings } = moduleText(model, description, targets.imports, targets.expressions, own);
  add(`${name}.js`, text);
  add(`${name}.js.map`, sourceMap(`${name}.js`, model.source, mappings));
  add(`${name}.d.ts`, declaration(model));
  if (!isInline) add(weightsFile, file.bytes);
  for (const [path, content] of edgeFiles(model, description, own)) add(path, content);
  add(`${name}.inspect.json`, inspection(model));
  return { files, sizes: sizesOf(name, files, file.bytes, weightsFile), losses: file.losses };
}

function checkNames({ name, entries, source }: BuiltModel): void {
  const at = source.path;
  if (!/^[A-Za-z0-9_][\w.-]*$/.test(name) || name.endsWith('.') || /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(name))
    throw new ArgumentError(`a model cannot be called ${JSON.stringify(name)}, since its files are`, {
      op: 'build',
      at,
      fix: 'use letters, digits, _, - and .',
    });
  const seen = new Set(ownNames);
  for (const entry of entries) {
    if (!isIdentifier(entry.name))
      throw new ArgumentError(`${JSON.stringify(entry.name)} is no name for an export`, { op: 'build', at: `${at}:${entry.line}` });
    if (seen.has(entry.name))
      throw new ArgumentError(
        ownNames.includes(entry.name) ? `'${entry.name}' is a function of every built module` : `two functions are called '${entry.name}'`,
        { op: 'build', at: `${at}:${entry.line}`, fix: 'give it another name' },
      );
    seen.add(entry.name);
  }
}

type Targets = {
  readonly imports: readonly string[];
  readonly expressions: readonly string[];
  readonly files: readonly { readonly path: string; readonly text: string }[];
};

/** The targets of the model, the best first, each with a file of its own that is loaded when the target is chosen. */
function targetsOf(model: BuiltModel): Targets {
  const { name } = model;
  const imports: string[] = [];
  const expressions: string[] = [];
  const files: { path: string; text: string }[] = [];
  const load = (file: string): string => `() => import(${literal(`./${file}`)})`;
  const write = (target: BuildTarget, file: string, code: (programs: readonly Program[]) => string): string | undefined => {
    const bound = programsFor(model, target);
    if (bound === undefined) return undefined;
    files.push({ path: file, text: `${dataText(model, bound)}${code(bound.flat().map(({ program }) => program))}` });
    return load(file);
  };
  const webgpu = write('webgpu', `${name}.wgsl.js`, routinesText);
  const wasm = write('wasm', `${name}.wasm.js`, wasmText);
  const relaxed = write('relaxed', `${name}.relaxed.js`, wasmText);
  const js = write('js', `${name}.kernels.js`, kernelsText);
  if (relaxed !== undefined && wasm === undefined)
    throw new ArgumentError('relaxed WebAssembly wants plain WebAssembly beside it', { op: 'build' });
  if (webgpu !== undefined) expressions.push(`webgpu(${webgpu})`);
  if (wasm !== undefined) expressions.push(`wasm(${wasm}${relaxed === undefined ? '' : `, ${relaxed}`})`);
  if (js !== undefined) expressions.push(`js(${js})`);
  if (expressions.length === 0) throw new ArgumentError(`${name} was built for no target`, { op: 'build' });
  imports.push(...(webgpu === undefined ? [] : ['webgpu']), ...(wasm === undefined ? [] : ['wasm']), ...(js === undefined ? [] : ['js']));
  return { imports, expressions, files };
}

/** The module itself; the lines of its functions are mapped to their declarations. */
function moduleText(
  model: BuiltModel,
  description: Description,
  imports: readonly string[],
  targets: readonly string[],
  own: string,
): { readonly text: string; readonly mappings: readonly Mapping[] } {
  const lines: string[] = [];
  const mappings: Mapping[] = [];
  const push = (text: string, mapping?: Mapping): void => {
    for (const line of text.split('\n')) {
      lines.push(line);
      mappings.push(mapping);
    }
  };
  push(`import { artifact, ${imports.join(', ')} } from 'fluxion/runtime';`);
  push('');
  push(`const model = /* @__PURE__ */ artifact(${literal(description)}, ${listed(targets)}, ${own});`);
  push('');
  for (const [i, { name, line, column }] of model.entries.entries()) {
    push(`const e${i} = /* @__PURE__ */ model.entry(${i});`, { line: line - 1, column: column - 1 });
    push(`export { e${i} as ${name} };`, { line: line - 1, column: column - 1 });
  }
  push(`export const { ${ownNames.join(', ')} } = model;`);
  push(`//# sourceMappingURL=${encodeURIComponent(`${model.name}.js.map`)}`);
  return { text: `${lines.join('\n')}\n`, mappings };
}

const dataText = (model: BuiltModel, bound: readonly (readonly BoundProgram[])[]): string =>
  `export const data = ${literal(targetData(model, bound))};\n`;

/** Kernels as plain functions, each once; without their comments, which hold the user's names. */
function kernelsText(programs: readonly Program[]): string {
  const texts: string[] = [];
  const numberOf = new Map<string, number>();
  const lists = programs.map(({ kernels }) => {
    const numbers = kernels.map((kernel) => {
      const text = functionText(kernel);
      const known = numberOf.get(text);
      if (known !== undefined) return known;
      numberOf.set(text, texts.length);
      return texts.push(text) - 1;
    });
    return `[${numbers.map((n) => `k${n}`).join(', ')}]`;
  });
  return `${texts.map((text, n) => `const k${n} = ${text};\n`).join('')}export const kernels = ${listed(lists)};\n`;
}

function functionText({ name, params, source }: KernelCode): string {
  // Emitted code is made of our identifiers alone; what breaks that rule is no code of ours.
  if (![name, ...params].every((id) => /^[A-Za-z_$][\w$]*$/.test(id)))
    throw new InternalError(`${name} is no name for a kernel`, { op: 'build' });
  return `function ${name}(${params.join(', ')}) {\n${withoutComments(source)}}`;
}

const withoutComments = (source: string): string => source.replace(/^[ \t]*\/\/.*\n/gm, '');

/** Modules in base64, each once: every bundler takes strings, and few take files of WebAssembly. */
function wasmText(programs: readonly Program[]): string {
  const { distinct, indexOf } = distinctModules(programs);
  return `${distinct.map(({ base64 }, n) => `const m${n} = '${base64}';\n`).join('')}export const modules = [${indexOf.map((n) => `m${n}`).join(', ')}];\n${routinesText(programs)}`;
}

function distinctModules(programs: readonly Program[]): { readonly distinct: readonly WasmModule[]; readonly indexOf: readonly number[] } {
  const distinct: WasmModule[] = [];
  const numberOf = new Map<string, number>();
  const indexOf = programs.map(({ module, name }) => {
    if (module === undefined || !/^[A-Za-z0-9+/]*=*$/.test(module.base64))
      throw new InternalError(`${name} has no WebAssembly`, { op: 'build' });
    const known = numberOf.get(module.base64);
    if (known !== undefined) return known;
    numberOf.set(module.base64, distinct.length);
    return distinct.push(module) - 1;
  });
  return { distinct, indexOf };
}

/** The routines of the library that WebAssembly calls, or the host in the place of a shader, as functions over arrays. */
function routinesText(programs: readonly Program[]): string {
  const wanted = new Set<LibraryRoutine>();
  for (const { module, shaders } of programs) {
    const called = (shaders?.modules ?? []).flatMap(({ entries }) =>
      entries.flatMap((entry) => ('routine' in entry ? [entry.routine] : [])),
    );
    for (const name of [...called, ...(module?.imports ?? []).map((imported) => imported.split('_')[0]!)])
      if (isRoutine(name)) wanted.add(name);
  }
  if (wanted.size === 0) return '';
  const sorted = [...wanted].sort();
  const text = withoutComments(`${preludeOf(new Set<HelperName>(sorted)).join('\n')}\n`);
  return `export const routines = (fail) => {\n${text}return { ${sorted.join(', ')} };\n};\n`;
}

/** For edge runtimes: a module that imports its WebAssembly as modules, which the host compiles when it loads them. */
function edgeFiles(model: BuiltModel, description: Description, own: string): (readonly [path: string, content: string | Uint8Array])[] {
  const { name, entries } = model;
  const bound = programsFor(model, 'wasm');
  if (bound === undefined) return [];
  const programs = bound.flat().map(({ program }) => program);
  const { distinct, indexOf } = distinctModules(programs);
  const routines = routinesText(programs).replace(/^export /, '');
  const lines = [
    `import { artifact, edge } from 'fluxion/runtime';`,
    ...distinct.map((_, n) => `import m${n} from ${literal(`./${name}.${n}.wasm`)};`),
    '',
    `const data = ${literal(targetData(model, bound))};`,
    ...(routines === '' ? [] : [routines.trimEnd()]),
    `const target = edge(data, [${indexOf.map((n) => `m${n}`).join(', ')}]${routines === '' ? '' : ', routines'});`,
    `const model = artifact(${literal(description)}, [target], ${own});`,
    ...entries.map((entry, i) => `const e${i} = model.entry(${i});\nexport { e${i} as ${entry.name} };`),
    `export const { ${ownNames.join(', ')} } = model;`,
  ];
  return [
    [`${name}.workerd.js`, `${lines.join('\n')}\n`],
    [`${name}.workerd.d.ts`, `export * from ${literal(`./${name}.js`)};\n`],
    ...distinct.map((module, n) => [`${name}.${n}.wasm`, bytesFor(module, false)] as const),
  ];
}
