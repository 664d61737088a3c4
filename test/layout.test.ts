// The layout of the repository as a test: which folders exist, who may import whom, how files begin, how long they are.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

const topLevel = ['compiler', 'kernels', 'runtime', 'samples', 'test'];
const built = ['dist', 'node_modules', 'coverage'];

/** Inside compiler/, each folder may import itself and those to its right. */
const order = ['frontend', 'jit', 'lower', 'passes', 'autodiff', 'ops', 'ir'].map((name) => `compiler/${name}`);
const below = (name: string): string[] => ['kernels', 'runtime', ...order.slice(order.indexOf(name))];
const everything = below('compiler/frontend');
/** Tools over the compiler; they know nothing of each other. */
const tools = ['compiler/build', 'compiler/inspect', 'compiler/scale'];

/** Folder -> what its files may import, as prefixes of paths. A file belongs to the longest folder that holds it. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  runtime: ['runtime'],
  kernels: ['kernels', 'runtime/errors.ts', 'runtime/dtype.ts', 'runtime/program.ts'],
  ...Object.fromEntries(order.map((name) => [name, below(name)])),
  ...Object.fromEntries(tools.map((name) => [name, [name, 'compiler/index.ts', ...everything]])),
  'compiler/worker': ['compiler/worker', ...everything],
  'compiler/cli': ['compiler/cli', 'compiler/index.ts', ...tools, ...everything],
  compiler: ['compiler/inspect', ...everything],
  test: ['compiler', 'kernels', 'runtime', 'samples', 'test'],
  samples: ['compiler/index.ts', 'compiler/build/plugin/index.ts', 'compiler/scale/index.ts', 'runtime/index.ts', 'samples'],
};

/** These run in browsers too: what they need of Node they ask for at run time, behind a check (`process.getBuiltinModule`). */
const portable = ['runtime', 'kernels', 'compiler', 'compiler/worker', ...order];
/** These are shipped: no package of others at their top, but where the package depends on it. */
const shipped = [...portable, ...tools, 'compiler/cli'];
const dependencies: Readonly<Record<string, string>> = { 'ts-morph': 'compiler/build/', unplugin: 'compiler/build/plugin/' };

/** Files above the limit, each with the reason why it is one idea all the same. */
const longFiles: Readonly<Record<string, string>> = {};
const lineLimit = 500;

/** `typeOnly`: erased by the compiler, so it takes part in the direction of imports but makes no circle at run time. */
type Import = { readonly from: string; readonly to: string; readonly typeOnly: boolean };

function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}

/** Statements at the start of a line and `import()` of a constant; generated code inside template strings is indented, so it is not taken for ours. */
function specifiers(source: string): { to: string; typeOnly: boolean }[] {
  const patterns = [
    /^(?:import|export)(\s+type\b)?[^'"`;]*?\bfrom\s+'([^']+)'/gm,
    /^import(\s)+'([^']+)'/gm,
    /\bimport(\()\s*'([^']+)'\s*\)/g,
  ];
  return patterns.flatMap((pattern) =>
    [...source.matchAll(pattern)].map(([, type, to]) => ({ to: to!, typeOnly: type?.trim() === 'type' })),
  );
}

const files = topLevel.flatMap(filesUnder);
const sources = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
const imports: Import[] = files.flatMap((from) =>
  specifiers(sources.get(from)!).map(({ to, typeOnly }) => ({
    from,
    typeOnly,
    to: to.startsWith('.') ? relative(root, join(root, dirname(from), to)).replaceAll('\\', '/') : to,
  })),
);
const ownImports = imports.filter(({ to }) => topLevel.some((folder) => to.startsWith(`${folder}/`)));

const folders = Object.keys(allowed).sort((a, b) => b.length - a.length);
const folderOf = (file: string): string => folders.find((folder) => file.startsWith(`${folder}/`)) ?? '';
const within = (path: string, prefixes: readonly string[]): boolean => prefixes.some((p) => path === p || path.startsWith(`${p}/`));
const show = ({ from, to }: Pick<Import, 'from' | 'to'>): string => `${from} -> ${to}`;

/** The imports that lie on a circle: those from whose target their source is reached again. */
function circles(edges: readonly Pick<Import, 'from' | 'to'>[]): string[] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of edges) targets.set(from, [...(targets.get(from) ?? []), to]);
  const reached = new Map<string, Set<string>>();
  const reachedFrom = (start: string): Set<string> => {
    const seen = new Set([start]);
    for (const file of seen) for (const next of targets.get(file) ?? []) seen.add(next);
    reached.set(start, seen);
    return seen;
  };
  return edges.filter(({ from, to }) => (reached.get(to) ?? reachedFrom(to)).has(from)).map(show);
}

test('reads every form of import, and no generated code', () => {
  const source = [
    `import a from './a.ts';`,
    `import type { B } from './b.ts';`,
    `import { type B2, b } from './b2.ts';`,
    `import {\n  c,\n  d,\n} from './c.ts';`,
    `export * from './e.ts';`,
    `import './f.ts';`,
    `const g = await import('./g.ts');`,
    `const text = \``,
    `  import { h } from './h.ts';\`;`,
  ];
  const found = specifiers(source.join('\n'));
  expect(found.map(({ to }) => to).sort()).toEqual(['./a.ts', './b.ts', './b2.ts', './c.ts', './e.ts', './f.ts', './g.ts']);
  expect(found.filter(({ typeOnly }) => typeOnly)).toEqual([{ to: './b.ts', typeOnly: true }]);
});

test('finds circles of imports, and only those', () => {
  const edges = [
    { from: 'a', to: 'b' },
    { from: 'b', to: 'c' },
    { from: 'c', to: 'b' },
    { from: 'c', to: 'd' },
    { from: 'd', to: 'd2' },
    { from: 'e', to: 'e' },
  ];
  expect(circles(edges)).toEqual(['b -> c', 'c -> b', 'e -> e']);
});

test('there is no other top-level folder', () => {
  const found = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
  expect(found.map((entry) => entry.name).filter((name) => !topLevel.includes(name) && !built.includes(name))).toEqual([]);
});

test('imports run one way', () => {
  expect(ownImports.filter(({ from, to }) => !within(to, allowed[folderOf(from)]!)).map(show)).toEqual([]);
});

test('no file imports itself through others at run time', () => {
  expect(circles(ownImports.filter(({ typeOnly }) => !typeOnly))).toEqual([]);
});

test('code that runs in browsers imports nothing of Node', () => {
  expect(imports.filter(({ from, to }) => portable.includes(folderOf(from)) && to.startsWith('node:')).map(show)).toEqual([]);
});

test('shipped code imports no package', () => {
  const packages = imports.filter(
    ({ from, to }) => shipped.includes(folderOf(from)) && !to.startsWith('node:') && !ownImports.some((i) => i.to === to),
  );
  const strangers = packages.filter(({ from, to }) => !(Object.hasOwn(dependencies, to) && from.startsWith(dependencies[to]!)));
  expect(strangers.map(show)).toEqual([]);
});

test('each file but tests says in a sentence at its top what it is for', () => {
  const silent = files.filter((file) => {
    if (file.endsWith('.test.ts')) return false;
    const lines = sources.get(file)!.split('\n');
    const start = lines[0]!.startsWith('#!') ? 1 : 0;
    const end = lines.findIndex((line, i) => i >= start && !line.startsWith('//'));
    return !/^\/\/ \S.*[.:](\s|$)/.test(lines.slice(start, end).join(' ').replaceAll(' // ', ' '));
  });
  expect(silent).toEqual([]);
});

test('no file is a drawer for odds and ends', () => {
  expect(files.filter((file) => /(^|\/)(utils?|helpers?|misc|common)[^/]*(\/|$)/i.test(file))).toEqual([]);
});

test(`no file is longer than ${lineLimit} lines without a reason`, () => {
  const long = files.filter((file) => sources.get(file)!.trimEnd().split('\n').length > lineLimit);
  expect(long).toEqual(Object.keys(longFiles).sort());
});
