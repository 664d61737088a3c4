// Programs as text and bytes: they come back equal, run with equal bits in a fresh process, and damage is found.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from '../../compiler/ir/parse.ts';
import { load } from '../../compiler/jit/executable.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { ProgramError } from '../../runtime/errors.ts';
import { decodeProgram, encodeProgram, parseProgram, printProgram } from '../../runtime/serialize.ts';
import { jsTarget } from '../../runtime/target.ts';
import { isThorough, runs } from '../effort.ts';

const program = compileGraph(
  parse(`graph @softmax(%x: f32[8,5]) -> (%y: f32[8,5]) {
    %m: f32[8] = amax(%x) {axes: [1]}
    %0: f32[8,5] = expand(%m) {shape: [8,5], at: [1]}
    %1: f32[8,5] = sub(%x, %0)
    %e: f32[8,5] = exp(%1) "Ausdrücke → e"
    %s: f32[8] = sum(%e) {axes: [1]}
    %2: f32[8,5] = expand(%s) {shape: [8,5], at: [1]}
    %y: f32[8,5] = div(%e, %2)
  }`),
  jsTarget,
  { name: 'softmax' },
);

test('text and bytes come back as the same program', () => {
  expect(parseProgram(printProgram(program))).toEqual(program);
  expect(decodeProgram(encodeProgram(program))).toEqual(program);
  expect(encodeProgram(decodeProgram(encodeProgram(program)))).toEqual(encodeProgram(program));
});

test('bytes in the middle of a larger buffer are read where they lie', () => {
  const bytes = encodeProgram(program);
  const larger = new Uint8Array(bytes.length + 13);
  larger.set(bytes, 7);
  expect(decodeProgram(larger.subarray(7, 7 + bytes.length))).toEqual(program);
});

test.runIf(isThorough)('a fresh process gives equal bits', { timeout: 30_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-'));
  try {
    const root = new URL('../../', import.meta.url).href;
    writeFileSync(join(folder, 'softmax.bin'), encodeProgram(program));
    writeFileSync(
      join(folder, 'run.mts'),
      `import { readFileSync } from 'node:fs';
      const { bind } = await import('${root}runtime/index.ts');
      const { decodeProgram } = await import('${root}runtime/serialize.ts');
      const program = decodeProgram(new Uint8Array(readFileSync(process.argv[2])));
      const functions = program.kernels.map((k) => new Function(...k.params, k.source));
      const x = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i) * 3);
      const [y] = bind(program, functions).run([x], new Float64Array());
      process.stdout.write(JSON.stringify(Array.from(new Uint32Array(y.buffer))));`,
    );
    const tsx = new URL('../../node_modules/.bin/tsx', import.meta.url).pathname;
    const there = JSON.parse(execFileSync(tsx, [join(folder, 'run.mts'), join(folder, 'softmax.bin')], { encoding: 'utf8' })) as number[];
    const x = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i) * 3);
    const [here] = load(program).run([x], new Float64Array());
    expect(there).toEqual(Array.from(new Uint32Array(here!.buffer)));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('any damaged byte is found', () => {
  const bytes = encodeProgram(program);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = bytes.slice();
      damaged[at]! ^= flip;
      expect(() => decodeProgram(damaged)).toThrow(ProgramError);
    }),
    { numRuns: runs(300), seed: 1 },
  );
});

test('what is cut short or too long is found', () => {
  const bytes = encodeProgram(program);
  for (const length of [0, 10, 23, 24, bytes.length - 1]) expect(() => decodeProgram(bytes.subarray(0, length))).toThrow(ProgramError);
  expect(() => decodeProgram(Uint8Array.of(...bytes, 0))).toThrow(/the header says/);
});

test.each([
  ['no JSON', '{', /no JSON/],
  ['other JSON', '[]', /no Fluxion program/],
  ['null', 'null', /no Fluxion program/],
  ['another version', printProgram(program).replace('"version":4', '"version":2'), /version 2, this runtime reads version 4/],
  ['edited text', printProgram(program).replace('softmax', 'sofmax'), /hash/],
])('text that is %s is refused', (_, text, message) => {
  expect(() => parseProgram(text)).toThrow(ProgramError);
  expect(() => parseProgram(text)).toThrow(message);
});
