// Control flow as steps: where what is carried lies, which rows a turn touches, and that threads go through loops and branches together.
import { getNumThreads, setNumThreads } from 'fluxion';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from '../../compiler/ir/parse.ts';
import { load } from '../../compiler/jit/executable.ts';
import { wasmMachine } from '../../compiler/jit/machine.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import { launchesOf, type Program, type Step } from '../../runtime/program.ts';
import { jsTarget, wasmTarget } from '../../runtime/target.ts';
import { isReady } from '../../runtime/wasm/threads.ts';
import { dataFor } from '../graph-data.ts';
import { expectClose } from '../meaning.ts';
import { runOn } from '../run-program.ts';

const threadsBefore = getNumThreads();
afterAll(() => setNumThreads(threadsBefore));

const compiled = (text: string): Program => compileGraph(parse(text), jsTarget);
const bodyOf = (steps: readonly Step[]): readonly Step[] => {
  const loop = steps.find((s) => s.kind === 'repeat' || s.kind === 'while');
  return loop !== undefined && 'body' in loop ? loop.body : [];
};

const cumulative = (step: string, reverse = false): string => `graph @g(%h: f32[4], %xs: f32[6,4]) -> (%last: f32[4], %ys: f32[6,4]) {
  %last, %ys: f32[4], f32[6,4] = scan(%h, %xs) {carries: 1, length: 6, reverse: ${reverse}} body(%c: f32[4], %x: f32[4]) -> (%n, %y) {
    ${step}
  }
}`;

describe('what a loop carries', () => {
  test('is written over what it was where each element is read before', () => {
    const body = bodyOf(compiled(cumulative('%n: f32[4] = add(%c, %x) %y: f32[4] = exp(%n)')).steps);
    expect(body).toHaveLength(1);
  });

  test('is copied at the end of a turn where the old value is still read', () => {
    const body = bodyOf(compiled(cumulative('%f: f32[4] = flip(%c) {axes: [0]} %n: f32[4] = add(%f, %x) %y: f32[4] = exp(%n)')).steps);
    expect(body).toHaveLength(2);
  });

  test('lies in the output that it ends in, so that nothing is copied after the loop', () => {
    const { steps, arenaBytes } = compiled(cumulative('%n: f32[4] = add(%c, %x) %y: f32[4] = exp(%n)'));
    expect(steps.at(-1)).toMatchObject({ kind: 'repeat', times: 6 });
    expect(arenaBytes).toBe(0);
  });

  test('but does not change lies where it lay before the loop', () => {
    const program = compiled(`graph @g(%w: f32[4,4], %xs: f32[6,4]) -> (%w2: f32[4,4], %ys: f32[6,4]) {
      %w2, %ys: f32[4,4], f32[6,4] = scan(%w, %xs) {carries: 1, length: 6, reverse: false} body(%c: f32[4,4], %x: f32[4]) -> (%c, %y) {
        %y: f32[4] = dot(%c, %x) {contract: [1]x[0], batch: []x[]}
      }
    }`);
    expect(program.outputs[0]!.alias).toEqual({ space: 'input', index: 0 });
    expect(launchesOf(program.steps)).toHaveLength(1);
  });
});

test('a turn touches a row of what it goes along, and of what it stacks', () => {
  const { steps } = compiled(cumulative('%n: f32[4] = add(%c, %x) %y: f32[4] = exp(%n)', true));
  expect(steps.at(-1)).toMatchObject({ reverse: true });
  const { launch, times } = launchesOf(bodyOf(steps))[0]!;
  expect(times).toBe(1);
  expect(launch.buffers).toContainEqual({ space: 'input', index: 1, rows: [{ loop: 0, length: 4 }] });
  expect(launch.buffers).toContainEqual({ space: 'output', index: 1, rows: [{ loop: 0, length: 4 }] });
});

test('an operand is copied before a loop that would write over it', () => {
  const program = compiled(`graph @g(%h: f32[4]) -> (%e: f32[4], %last: f32[4]) {
    %e: f32[4] = exp(%h)
    %last: f32[4] = scan(%e) {carries: 1, length: 3, reverse: false} body(%c: f32[4]) -> (%n) { %n: f32[4] = neg(%c) }
  }`);
  const [e, last] = load(program).run([Float32Array.of(0, 0, 0, 0)], new Float64Array()) as [Float32Array, Float32Array];
  expect([e[0], last[0]]).toEqual([1, -1]);
});

test('loops and branches over work that threads share give what they mean', async () => {
  const graph = parse(`graph @g(%h: f64[300,300], %xs: f64[3,300,300]) -> (%last: f64[300,300], %turns: i32[]) {
    %zero: i32[] = literal() {value: i32 0}
    %s, %ys: f64[300,300], f64[3,300,300] = scan(%h, %xs) {carries: 1, length: 3, reverse: true} body(%c: f64[300,300], %x: f64[300,300]) -> (%n, %m) {
      %t: f64[300,300] = tanh(%x)
      %p: f64[300,300] = permute(%c) {order: [1,0]}
      %n: f64[300,300] = add(%p, %t)
      %m: f64[300,300] = sin(%n)
    }
    %last, %turns: f64[300,300], i32[] = whileLoop(%s, %zero) test(%a: f64[300,300], %i: i32[]) -> (%go) {
      %three: i32[] = literal() {value: i32 3}
      %go: bool[] = lt(%i, %three)
    } body(%b: f64[300,300], %j: i32[]) -> (%d, %k) {
      %one: i32[] = literal() {value: i32 1}
      %k: i32[] = add(%j, %one)
      %first: bool[] = eq(%j, %one)
      %d: f64[300,300] = cond(%first, %b) then(%u: f64[300,300]) -> (%v) { %v: f64[300,300] = exp(%u) } else(%w: f64[300,300]) -> (%q) { %q: f64[300,300] = tanh(%w) }
    }
  }`);
  const data = dataFor(graph, 3);
  const executable = load(compileGraph(graph, wasmTarget('mul+add')));
  expect(executable.program.module!.isParallel).toBe(true);
  const expected = evaluate(graph, data);
  setNumThreads(3);
  expectClose(runOn(executable, graph, data), expected);
  const { threads } = wasmMachine();
  while (!isReady(threads.pool!)) await new Promise((resolve) => setTimeout(resolve, 5));
  for (let round = 0; round < 3; round++) expectClose(runOn(executable, graph, data), expected);
});
