// Regions of control flow are optimised like graphs, and nothing crosses their borders.
import { expect, test } from 'vitest';
import { parse } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';
import { verify } from '../../compiler/ir/verify.ts';
import { load } from '../../compiler/jit/executable.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { runPipeline } from '../../compiler/passes/pipeline.ts';
import { IndexError } from '../../runtime/errors.ts';
import { jsTarget, wasmTarget } from '../../runtime/target.ts';
import { expectSameMeaning } from '../meaning.ts';

const optimised = (text: string, until?: string): string => {
  const graph = parse(text);
  const result = runPipeline(graph, jsTarget, until === undefined ? {} : { until });
  verify(result, jsTarget);
  expectSameMeaning(graph, result);
  return print(result);
};

test('a body is simplified, and equal nodes in it become one', () => {
  const text = optimised(
    `graph @g(%h: f32[3]) -> (%last: f32[3]) {
      %last: f32[3] = scan(%h) {carries: 1, length: 4, reverse: false} body(%c: f32[3]) -> (%n) {
        %a: f32[3] = neg(%c)
        %b: f32[3] = neg(%a)
        %d: f32[3] = exp(%b)
        %e: f32[3] = exp(%c)
        %n: f32[3] = add(%d, %e)
      }
    }`,
    'cse',
  );
  expect(text.match(/exp\(/g)).toHaveLength(1);
  expect(text).not.toContain('neg(');
});

test('a branch in a branch is simplified too', () => {
  const inner = (x: string): string =>
    `cond(%p, %${x}) then(%s: f32[3]) -> (%t) { %r: f32[3] = neg(%s) %t: f32[3] = neg(%r) } else(%u: f32[3]) -> (%v) { %v: f32[3] = exp(%u) }`;
  const text = optimised(
    `graph @g(%q: bool[], %x: f32[3]) -> (%y: f32[3]) {
      %y: f32[3] = cond(%q, %q, %x) then(%p: bool[], %a: f32[3]) -> (%b) { %b: f32[3] = ${inner('a')} } else(%o: bool[], %d: f32[3]) -> (%d) {}
    }`,
    'simplifyBodies',
  );
  expect(text).not.toContain('neg(');
});

test('what stands before a loop, in it and after it are kernels of their own', () => {
  const program = compileGraph(
    parse(`graph @g(%h: f32[3]) -> (%y: f32[3]) {
      %a: f32[3] = exp(%h)
      %l: f32[3] = scan(%a) {carries: 1, length: 4, reverse: false} body(%c: f32[3]) -> (%n) { %m: f32[3] = sin(%c) %n: f32[3] = neg(%m) }
      %y: f32[3] = tanh(%l)
    }`),
    jsTarget,
  );
  expect(program.kernels.map((k) => k.origin)).toEqual([['exp'], ['sin', 'neg'], ['tanh']]);
  expect(program.steps.map((s) => s.kind)).toEqual(['launch', 'repeat', 'launch']);
});

test.each([jsTarget, wasmTarget('mul+add')])('a loop that fails ends, though its test would go on for ever: $name', (target) => {
  const text = `graph @g(%x: f32[2], %i: i32[1]) -> (%j: i32[1]) {
    %y, %j: f32[2], i32[1] = whileLoop(%x, %i) test(%a: f32[2], %k: i32[1]) -> (%go) { %go: bool[] = literal() {value: bool true} }
      body(%b: f32[2], %l: i32[1]) -> (%d, %m) {
        %e: f32[1] = gather(%b, %l) {axis: 0, mode: checked}
        %one: i32[] = literal() {value: i32 1}
        %ones: i32[1] = expand(%one) {shape: [1], at: [0]}
        %m: i32[1] = add(%l, %ones)
        %f: f32[] = reshape(%e) {shape: []}
        %z: f32[2] = expand(%f) {shape: [2], at: [0]}
        %d: f32[2] = add(%b, %z)
      }
  }`;
  const executable = load(compileGraph(parse(text), target));
  expect(() => executable.run([Float32Array.of(1, 2), Int32Array.of(0)], new Float64Array())).toThrow(IndexError);
});
