// Decompose, patterns, common subexpressions and dead results, each as text.
import { expect, test } from 'vitest';
import { b } from '../../compiler/ir/builder.ts';
import { nodesOf, type Value } from '../../compiler/ir/node.ts';
import { composite } from '../../compiler/ops/composite/table.ts';
import { cse } from '../../compiler/passes/cse.ts';
import { dce } from '../../compiler/passes/dce.ts';
import { decompose } from '../../compiler/passes/decompose.ts';
import { silent } from '../../compiler/passes/pass.ts';
import { p, value } from '../../compiler/passes/pattern.ts';
import { patternRules, patterns } from '../../compiler/passes/patterns.ts';
import { index, rewrite, rule } from '../../compiler/passes/rewrite.ts';
import { jsTarget } from '../../runtime/target.ts';
import { chainLength } from '../effort.ts';
import { passLeaves, passTest } from '../pass-test.ts';

passTest(
  decompose,
  'a composite within a composite is inlined, and its result keeps the name',
  `
  graph @g(%x: f32[3]) -> (%y: f32[3]) {
    %y: f32[3] = composite(%x) {name: "outer", params: {}} body(%a: f32[3]) -> (%c) {
      %b: f32[3] = composite(%a) {name: "inner", params: {}} body(%u: f32[3]) -> (%v) {
        %v: f32[3] = exp(%u)
      }
      %c: f32[3] = neg(%b)
    }
  }`,
  `
  graph @g(%x: f32[3]) -> (%c: f32[3]) {
    %v: f32[3] = exp(%x)
    %c: f32[3] = neg(%v)
  }`,
);

passTest(
  decompose,
  'a result that is an operand is that operand, and what nobody reads of a body is gone',
  `
  graph @g(%x: f32[3]) -> (%z: f32[3]) {
    %p, %q: f32[3], f32[3] = composite(%x) {name: "pair", params: {}} body(%a: f32[3]) -> (%a, %b) {
      %b: f32[3] = exp(%a)
    }
    %z: f32[3] = neg(%p)
  }`,
  `
  graph @g(%x: f32[3]) -> (%z: f32[3]) {
    %z: f32[3] = neg(%x)
  }`,
);

test('decompose: what the target has a template for stays whole', () => {
  const x = b.input({ dtype: 'f32', shape: [2, 3] });
  const outputs = composite('softmax', [x], { axis: 1 });
  const graph = { inputs: [x], outputs };
  expect(decompose.run(graph, silent({ ...jsTarget, templates: ['softmax'] })) === graph).toBe(true);
});

passTest(
  cse,
  'equal nodes are one, whatever their names; inputs are not equal',
  `
  graph @g(%x: f32[3], %y: f32[3]) -> (%r: f32[3], %s: f32[3]) {
    %a: f32[3] = exp(%x)
    %b: f32[3] = exp(%x)
    %c: f32[3] = exp(%y)
    %r: f32[3] = mul(%a, %b)
    %s: f32[3] = mul(%a, %c)
  }`,
  `
  graph @g(%x: f32[3], %y: f32[3]) -> (%r: f32[3], %s: f32[3]) {
    %a: f32[3] = exp(%x)
    %r: f32[3] = mul(%a, %a)
    %c: f32[3] = exp(%y)
    %s: f32[3] = mul(%a, %c)
  }`,
);

passTest(
  cse,
  'random bits of one key, stream and shape are one',
  `
  graph @g(%k: slot i32) -> (%r: i32[4]) {
    %z: i32[] = literal() {value: i32 0}
    %a: i32[4] = randomBits(%k, %z) {shape: [4]}
    %b: i32[4] = randomBits(%k, %z) {shape: [4]}
    %r: i32[4] = bitXor(%a, %b)
  }`,
  `
  graph @g(%k: slot i32) -> (%r: i32[4]) {
    %z: i32[] = literal() {value: i32 0}
    %a: i32[4] = randomBits(%k, %z) {shape: [4]}
    %r: i32[4] = bitXor(%a, %a)
  }`,
);

passTest(
  dce,
  'a result of cond that nobody reads is not computed',
  `
  graph @g(%c: bool[], %x: f32[3]) -> (%r: f32[3]) {
    %r, %s: f32[3], f32[3] = cond(%c, %x) then(%a: f32[3]) -> (%b, %d) {
      %b: f32[3] = exp(%a)
      %d: f32[3] = log(%a)
    } else(%a: f32[3]) -> (%b, %d) {
      %b: f32[3] = neg(%a)
      %d: f32[3] = abs(%a)
    }
  }`,
  `
  graph @g(%c: bool[], %x: f32[3]) -> (%r: f32[3]) {
    %r: f32[3] = cond(%c, %x) then(%a: f32[3]) -> (%b) {
      %b: f32[3] = exp(%a)
    } else(%a: f32[3]) -> (%b) {
      %b: f32[3] = neg(%a)
    }
  }`,
);

const tested = new Set<string>();
function patternTest(name: string, before: string, after: string): void {
  tested.add(name);
  passTest(patterns, name, before, after, { fires: [name] });
}

patternTest(
  'log(softmax x) = logSoftmax x',
  `
  graph @g(%x: f32[2,3]) -> (%y: f32[2,3]) {
    %s: f32[2,3] = composite(%x) {name: "softmax", params: {"axis":1}} body(%a: f32[2,3]) -> (%d) {
      %e: f32[2,3] = exp(%a)
      %t: f32[2] = sum(%e) {axes: [1]}
      %u: f32[2,3] = expand(%t) {shape: [2,3], at: [1]}
      %d: f32[2,3] = div(%e, %u)
    }
    %y: f32[2,3] = log(%s)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%y: f32[2,3]) {
    %y: f32[2,3] = composite(%x) {name: "logSoftmax", params: {"axis":1}} body(%0: f32[2,3]) -> (%8) {
      %1: f32[2] = amax(%0) {axes: [1]}
      %2: f32[2,3] = expand(%1) {shape: [2,3], at: [1]}
      %3: f32[2,3] = sub(%0, %2)
      %4: f32[2,3] = exp(%3)
      %5: f32[2] = sum(%4) {axes: [1]}
      %6: f32[2] = log(%5)
      %7: f32[2,3] = expand(%6) {shape: [2,3], at: [1]}
      %8: f32[2,3] = sub(%3, %7)
    }
  }`,
);

patternTest(
  'log(exp x / sum(exp x)) = logSoftmax x',
  `
  graph @g(%x: f32[2,3]) -> (%y: f32[2,3]) {
    %e: f32[2,3] = exp(%x)
    %t: f32[2] = sum(%e) {axes: [1]}
    %u: f32[2,3] = expand(%t) {shape: [2,3], at: [1]}
    %d: f32[2,3] = div(%e, %u)
    %y: f32[2,3] = log(%d)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%y: f32[2,3]) {
    %y: f32[2,3] = composite(%x) {name: "logSoftmax", params: {"axis":1}} body(%0: f32[2,3]) -> (%8) {
      %1: f32[2] = amax(%0) {axes: [1]}
      %2: f32[2,3] = expand(%1) {shape: [2,3], at: [1]}
      %3: f32[2,3] = sub(%0, %2)
      %4: f32[2,3] = exp(%3)
      %5: f32[2] = sum(%4) {axes: [1]}
      %6: f32[2] = log(%5)
      %7: f32[2,3] = expand(%6) {shape: [2,3], at: [1]}
      %8: f32[2,3] = sub(%3, %7)
    }
  }`,
);

patternTest(
  'log(sum(exp x)) = logsumexp x',
  `
  graph @g(%x: f32[2,3]) -> (%y: f32[2]) {
    %e: f32[2,3] = exp(%x)
    %t: f32[2] = sum(%e) {axes: [1]}
    %y: f32[2] = log(%t)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%y: f32[2]) {
    %y: f32[2] = composite(%x) {name: "logsumexp", params: {"axes":[1]}} body(%0: f32[2,3]) -> (%14) {
      %1: f32[2] = amax(%0) {axes: [1]}
      %2: f32[2] = abs(%1)
      %3: f32[] = literal() {value: f32 Infinity}
      %4: f32[2] = expand(%3) {shape: [2], at: [0]}
      %5: bool[2] = eq(%2, %4)
      %6: f32[] = literal() {value: f32 0}
      %7: f32[2] = expand(%6) {shape: [2], at: [0]}
      %8: f32[2] = select(%5, %7, %1)
      %9: f32[2,3] = expand(%8) {shape: [2,3], at: [1]}
      %10: f32[2,3] = sub(%0, %9)
      %11: f32[2,3] = exp(%10)
      %12: f32[2] = sum(%11) {axes: [1]}
      %13: f32[2] = log(%12)
      %14: f32[2] = add(%13, %8)
    }
  }`,
);

patternTest(
  'log(sigmoid x) = -softplus(-x)',
  `
  graph @g(%x: f32[3]) -> (%y: f32[3]) {
    %s: f32[3] = sigmoid(%x)
    %y: f32[3] = log(%s)
  }`,
  `
  graph @g(%x: f32[3]) -> (%y: f32[3]) {
    %0: f32[3] = neg(%x)
    %1: f32[3] = softplus(%0)
    %y: f32[3] = neg(%1)
  }`,
);

patternTest(
  '1 / sqrt x = rsqrt x',
  `
  graph @g(%x: f32[3]) -> (%y: f32[3]) {
    %e: f32[3] = exp(%x)
    %s: f32[3] = sqrt(%e)
    %y: f32[3] = recip(%s)
  }`,
  `
  graph @g(%x: f32[3]) -> (%y: f32[3]) {
    %e: f32[3] = exp(%x)
    %y: f32[3] = rsqrt(%e)
  }`,
);

passLeaves(
  patterns,
  'a sum of exponentials that something else uses, too',
  `
  graph @g(%x: f32[2,3]) -> (%y: f32[2], %t: f32[2]) {
    %e: f32[2,3] = exp(%x)
    %t: f32[2] = sum(%e) {axes: [1]}
    %y: f32[2] = log(%t)
  }`,
);

passLeaves(
  patterns,
  'a sum over nothing, which has no maximum',
  `
  graph @g(%x: f32[2,0]) -> (%y: f32[2]) {
    %e: f32[2,0] = exp(%x)
    %t: f32[2] = sum(%e) {axes: [1]}
    %y: f32[2] = log(%t)
  }`,
);

test('every pattern is tested', () => {
  expect([...tested].sort()).toEqual(patternRules.map((r) => r.name).sort());
});

test('a rule that never ends is an internal error that names it', () => {
  const swap = rule('to and fro', p.add(value('x'), value('y')), ({ x, y }) => b.add(y, x));
  const [x, y] = [b.input({ dtype: 'f32', shape: [] }), b.input({ dtype: 'f32', shape: [] })] as const;
  expect(() => rewrite({ inputs: [x, y], outputs: [b.add(x, y)] }, index([swap]), silent(jsTarget))).toThrow(
    "'to and fro' fires without end",
  );
});

test('a long chain of nodes is rewritten without recursion, and a graph that no rule fits is returned as it is', () => {
  const x = b.input({ dtype: 'f32', shape: [] });
  let y: Value = x;
  for (let i = 0; i < chainLength; i++) y = b.exp(y);
  const graph = { inputs: [x], outputs: [y] };
  // Compared outside `expect`, which would print a difference of this depth for ever.
  expect(cse.run(graph, silent(jsTarget)) === graph).toBe(true);
  expect(nodesOf(graph).length).toBe(chainLength);
});
