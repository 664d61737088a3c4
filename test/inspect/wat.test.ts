// WebAssembly as text, function by function.
import { expect, test } from 'vitest';
import { describePrograms, inspectedGraph, moduleText, reportOf } from '../../compiler/inspect/index.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { jsTarget, wasmTarget } from '../../runtime/target.ts';
import { wasmNumerics } from '../../runtime/wasm/features.ts';

const graph = parse(`graph @g(%x: f32[64,64]) -> (%b: f32[64], %c: f32[64]) {
  %a: f32[64,64] = exp(%x) loc("m.ts:1")
  %b: f32[64] = sum(%a) {axes: [1]} loc("m.ts:2")
  %c: f32[64] = sum(%a) {axes: [0]} loc("m.ts:3")
}`);
const inspected = inspectedGraph('g', graph, wasmTarget(wasmNumerics()));

test('each kernel has the functions that were made of it, and all functions are somewhere', () => {
  const program = inspected.program();
  const { kernels, shared } = moduleText(program)!;
  expect(kernels).toHaveLength(program.kernels.length);
  kernels.forEach((functions, k) => {
    expect(functions.length).toBeGreaterThan(0);
    for (const text of functions) expect(text.startsWith(`(func $${program.kernels[k]!.name}`)).toBe(true);
  });
  expect(shared.some((text) => text.startsWith('(func $run'))).toBe(true);
});

test('is absent where there is none', () => {
  expect(moduleText(inspectedGraph('g', graph, jsTarget).program())).toBeUndefined();
});

test('stands under the loop nest and the lines of its kernel', () => {
  const text = describePrograms([inspected]);
  expect(text).toMatch(/;; exp m\.ts:1\n;; sum m\.ts:2\n;; kernel @\w+\(.*\n(;; .*\n)+\(func \$/);
  expect(reportOf(inspected.program()).kernels[0]!.wat).toContain('(func $');
});
