// A process that computes graphs by way of the cache, over and over, and fails if any result is wrong. Run by cache.slow.test.ts.
import { parse } from '../../compiler/ir/parse.ts';
import { cachedProgram } from '../../compiler/jit/cache.ts';
import { load } from '../../compiler/jit/executable.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { jsTarget } from '../../runtime/target.ts';

const [count, distinct] = process.argv.slice(2).map(Number) as [number, number];
console.log('begun');
for (let n = 0; n < count; n++) {
  const factor = (n * 7 + process.pid) % distinct;
  const graph = parse(`graph @main(%0: f32[2]) -> (%3: f32[2]) {
    %1: f32[] = literal() {value: f32 ${factor}}
    %2: f32[2] = expand(%1) {shape: [2], at: [0]}
    %3: f32[2] = mul(%0, %2)
  }`);
  const program = cachedProgram(graph, jsTarget, {}, () => compileGraph(graph, jsTarget));
  const [y] = load(program).run([new Float32Array([1, 2])], new Float64Array(0));
  if (y![0] !== factor || y![1] !== 2 * factor) throw new Error(`${factor} gave ${y}`);
}
