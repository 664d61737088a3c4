// Programs on disk: what was compiled once is read again, and whatever is not exactly that is compiled anew and replaced.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { tensor } from '../../compiler/index.ts';
import type { Graph } from '../../compiler/ir/node.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';
import { cachedProgram, decodeEntry } from '../../compiler/jit/cache.ts';
import { load } from '../../compiler/jit/executable.ts';
import { listEntries, removeEntry, sweep } from '../../compiler/jit/store.ts';
import { forgetStructures, onCompile } from '../../compiler/jit/structure.ts';
import { version } from '../../compiler/jit/version.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { jsTarget, type Target, wasmTarget } from '../../runtime/target.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fluxion-cache-'));
  vi.stubEnv('FLUXION_CACHE', folder);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** x times a number, summed: graphs that differ in it have keys that do. */
const scaled = (factor: number): Graph =>
  parse(`graph @main(%0: f32[4]) -> (%4: f32[]) {
    %1: f32[] = literal() {value: f32 ${factor}} loc("model.ts:7")
    %2: f32[4] = expand(%1) {shape: [4], at: [0]}
    %3: f32[4] = mul(%0, %2)
    %4: f32[] = sum(%3) {axes: [0]}
  }`);

/** The sum of 1, 2, 3 and 4 times `factor`, by way of the cache; and whether it was compiled. */
function compute(factor: number, target: Target = jsTarget, disable: readonly string[] = [], nameOf?: (key: string) => string) {
  let compiled = false;
  const graph = scaled(factor);
  const compile = () => {
    compiled = true;
    return compileGraph(graph, target, { disable });
  };
  const program = cachedProgram(graph, target, { disable }, compile, nameOf);
  const [sum] = load(program).run([new Float32Array([1, 2, 3, 4])], new Float64Array(0));
  return { sum: sum![0], compiled, program };
}

const only = (): string => {
  const names = readdirSync(folder);
  expect(names).toHaveLength(1);
  return join(folder, names[0]!);
};

it.each([jsTarget, wasmTarget('mul+add')])('is compiled once, and read from then on ($name)', (target) => {
  expect(compute(2, target)).toMatchObject({ sum: 20, compiled: true });
  const { program, ...read } = compute(2, target);
  expect(read).toEqual({ sum: 20, compiled: false });
  expect(program).toEqual(compileGraph(scaled(2), target));
});

it('has the texts that inspection prints', () => {
  compute(2);
  const { program } = compute(2);
  const fresh = compileGraph(scaled(2), jsTarget).notes;
  expect(program.notes.graph).toBe(print(scaled(2)));
  expect(program.notes.fused).toBe(fresh.fused);
  expect(program.notes.unfused).toEqual(fresh.unfused);
});

it('is another for another graph, target or set of passes', () => {
  compute(2);
  expect(compute(3)).toMatchObject({ sum: 30, compiled: true });
  expect(compute(2, { ...jsTarget, maxOpsPerKernel: 1 }).compiled).toBe(true);
  expect(compute(2, wasmTarget('madd')).compiled).toBe(true);
  expect(compute(2, wasmTarget('mul+add')).compiled).toBe(true);
  expect(compute(2, jsTarget, ['cse']).compiled).toBe(true);
  expect(compute(2).compiled).toBe(false);
});

it('is told apart by the whole key where all keys have one hash', () => {
  const nameOf = (): string => 'program-0.flx';
  for (const factor of [2, 3, 2, 4]) expect(compute(factor, jsTarget, [], nameOf)).toMatchObject({ sum: 10 * factor, compiled: true });
  expect(compute(4, jsTarget, [], nameOf)).toMatchObject({ sum: 40, compiled: false });
});

it('serves any size of a range, and another range is another', () => {
  const graph = parse('graph @main(%0: f32[n]) -> (%1: f32[n]) { %1: f32[n] = neg(%0) }');
  const of = (max: number) => {
    const sizes = [{ name: 'n', min: 2, max }];
    let compiled = false;
    const compile = () => {
      compiled = true;
      return compileGraph(graph, wasmTarget('madd'), { sizes });
    };
    const { run } = load(cachedProgram(graph, wasmTarget('madd'), { sizes }, compile));
    for (const n of [2, max]) expect(run([new Float32Array(n).fill(1)], new Float64Array(0))[0]).toEqual(new Float32Array(n).fill(-1));
    expect(() => run([new Float32Array(max + 1)], new Float64Array(0))).toThrow();
    return compiled;
  };
  expect([of(4), of(4), of(9), of(9), of(4)]).toEqual([true, false, true, false, false]);
});

it('serves tensors: the next process compiles nothing', () => {
  const values = (): unknown => {
    forgetStructures();
    return tensor([1, 2, 3]).mul(3).exp().sum().itemSync();
  };
  const first = values();
  const written = readdirSync(folder).filter((name) => name.startsWith('program-'));
  expect(written.length).toBeGreaterThan(0);
  const before = written.map((name) => statSync(join(folder, name)).ino);
  const told: string[] = [];
  const stop = onCompile(({ program }) => void told.push(program.target));
  expect(values()).toBe(first);
  stop();
  expect(written.map((name) => statSync(join(folder, name)).ino)).toEqual(before);
  expect(told.length).toBeGreaterThan(0);
});

it('is replaced where an entry is damaged: any byte flipped, or cut short anywhere', () => {
  compute(2);
  const file = only();
  const whole = readFileSync(file);
  const damaged = [...whole.keys()].flatMap((at) => {
    const flipped = Buffer.from(whole);
    flipped[at]! ^= 1 << (at % 8);
    return [flipped, whole.subarray(0, at)];
  });
  expect(damaged.filter((bytes) => decodeEntry(bytes) !== undefined)).toEqual([]);
  for (let i = 0; i < damaged.length; i += 199) {
    writeFileSync(file, damaged[i]!);
    expect(compute(2)).toMatchObject({ sum: 20, compiled: true });
    expect(readFileSync(file).equals(whole)).toBe(true);
  }
  expect(compute(2)).toMatchObject({ sum: 20, compiled: false });
});

it('is replaced where an entry belongs to another key, version or program', () => {
  compute(2);
  const file = only();
  const whole = readFileSync(file);
  const edited = (from: string, to: string): Buffer => Buffer.from(whole.toString('latin1').replace(from, to), 'latin1');
  for (const foreign of [edited(version, '9.9.9'), edited('"exact"', '"other"'), Buffer.from('{}'), Buffer.alloc(0), Buffer.alloc(200)]) {
    writeFileSync(file, foreign);
    expect(compute(2)).toMatchObject({ sum: 20, compiled: true });
  }
});

it('is no error where a folder cannot be written or read, and that is told once', () => {
  writeFileSync(join(folder, 'file'), '');
  vi.stubEnv('FLUXION_CACHE', join(folder, 'file', 'below'));
  vi.stubEnv('FLUXION_LOG', 'cache');
  const told = vi.spyOn(console, 'error').mockImplementation(() => {});
  for (let i = 0; i < 2; i++) expect(compute(2)).toMatchObject({ sum: 20, compiled: true });
  expect(told.mock.calls).toEqual([[expect.stringMatching(/^cache: nothing is kept in .*below: ENOTDIR/)]]);
});

it('is not looked for where FLUXION_CACHE is off', () => {
  vi.stubEnv('FLUXION_CACHE', 'off');
  for (let i = 0; i < 2; i++) expect(compute(2).compiled).toBe(true);
  expect(readdirSync(folder)).toEqual([]);
});

it('is for its owner alone', () => {
  vi.stubEnv('FLUXION_CACHE', join(folder, 'new'));
  compute(2);
  expect(statSync(join(folder, 'new')).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, 'new', readdirSync(join(folder, 'new'))[0]!)).mode & 0o777).toBe(0o600);
});

it('says whether it was used, damaged or foreign', () => {
  vi.stubEnv('FLUXION_LOG', 'cache');
  const told: string[] = [];
  vi.spyOn(console, 'error').mockImplementation((line: string) => void told.push(line.replace(/program-\w+/, 'PROGRAM')));
  compute(2);
  compute(2);
  writeFileSync(only(), 'nonsense');
  compute(2);
  expect(told).toEqual(['cache: PROGRAM.flx is used', 'cache: PROGRAM.flx is replaced: it is damaged']);
});

it('does not stand in the way of a graph that has no text', () => {
  const inputs = scaled(2).inputs;
  const unprintable: Graph = { inputs, outputs: scaled(2).outputs };
  expect(() => print(unprintable)).toThrow();
  const program = compileGraph(scaled(2), jsTarget);
  expect(cachedProgram(unprintable, jsTarget, {}, () => program)).toBe(program);
  expect(readdirSync(folder)).toEqual([]);
});

/** Entries of so many bytes each, the first being the one used longest ago. */
function entriesOf(...sizes: number[]): void {
  sizes.forEach((size, i) => {
    const file = join(folder, `program-${i}.flx`);
    writeFileSync(file, Buffer.alloc(size));
    utimesSync(file, 1000 + i, 1000 + i);
  });
}
const names = (): string[] => readdirSync(folder).sort();

it('is swept when it grows too large: what was not used for longest goes', () => {
  entriesOf(100, 100, 100, 100, 100);
  sweep({ bytes: 500, entries: 5 });
  expect(names()).toHaveLength(5);
  sweep({ bytes: 400, entries: 100 });
  expect(names()).toEqual(['program-2.flx', 'program-3.flx', 'program-4.flx']);
  sweep({ bytes: 400, entries: 2 });
  expect(names()).toEqual(['program-4.flx']);
});

it('keeps what is used', () => {
  compute(2);
  const [used] = names();
  utimesSync(join(folder, used!), 1, 1);
  entriesOf(10, 10, 10);
  compute(2);
  sweep({ bytes: 1 << 20, entries: 2 });
  expect(names()).toEqual([used]);
});

it('is swept of what killed processes left half written, and of nothing that is not its own', () => {
  const old = join(folder, 'program-1.flx.77.part');
  for (const name of ['program-1.flx.77.part', 'program-2.flx.78.part', 'notes.txt', 'program.flx']) writeFileSync(join(folder, name), '');
  mkdirSync(join(folder, 'program-3'));
  utimesSync(old, 1, 1);
  utimesSync(join(folder, 'notes.txt'), 1, 1);
  sweep({ bytes: 0, entries: 0 });
  expect(names()).toEqual(['notes.txt', 'program-2.flx.78.part', 'program-3', 'program.flx']);
  expect(removeEntry('../notes.txt')).toBe(false);
  expect(listEntries().map((e) => e.name)).toEqual(['program-2.flx.78.part']);
});

it('the version is that of the package', () => {
  expect(version).toBe(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version);
});

it('is compiled anew where an entry cannot be read', () => {
  compute(2);
  // What is no file cannot be read by anybody, not even by root, who may read all files.
  const entry = only();
  rmSync(entry);
  mkdirSync(entry);
  expect(compute(2)).toMatchObject({ sum: 20, compiled: true });
});
