import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { b, region } from '../../compiler/ir/builder.ts';
import { sym } from '../../compiler/ir/dim.ts';
import type { Graph } from '../../compiler/ir/node.ts';
import { parse, parseModule } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';
import { verify } from '../../compiler/ir/verify.ts';
import { dtypes } from '../../runtime/dtype.ts';
import { runs } from '../effort.ts';
import { graphs } from '../random-graphs.ts';

const everything = { symbolic: true, annotated: true, dtypes, regions: ['composite', 'controlFlow', 'kernel'], maxOps: 20 } as const;

test('what is printed of any graph reads back and prints the same', () => {
  fc.assert(
    fc.property(graphs(everything), (graph) => {
      verify(graph);
      const text = print(graph);
      const again = parse(text);
      verify(again);
      expect(print(again)).toBe(text);
    }),
    { numRuns: runs(400) },
  );
});

test('a graph without locations prints and reads back the same too', () => {
  fc.assert(
    fc.property(graphs(everything), (graph) => {
      const text = print(graph, { locations: false });
      expect(text).not.toMatch(/ loc\("/);
      expect(print(parse(text))).toBe(text);
    }),
  );
});

const x = b.input({ dtype: 'f32', shape: [2, sym('n')] });
x.node.name = 'x';

function named(hint: string | undefined): Graph {
  const y = b.exp(x);
  y.node.name = hint;
  return { inputs: [x], outputs: [y] };
}

describe('the form of the text', () => {
  test('a whole step, with every piece of syntax', () => {
    const text = [
      'graph @step(%input_image: f32[128,784] "input image", %y: i32[128], %w: f32[784,10] loc("model.ts:3"), %lr: slot f32) -> (%logits: f32[128,10], %k: f32[128,10], %lr: f32[]) {',
      '  %logits: f32[128,10] = dot(%input_image, %w) {batch: []x[], contract: [1]x[0]} loc("model.ts:14")',
      '  %v, %i: f32[128,10], i64[128,10] = sort(%logits) {axis: 1, descending: false}',
      '  %0: i64[128,10] = neg(%i)',
      '  %1: f32[128,10] = cast(%0) {to: f32}',
      '  %k: f32[128,10] = kernel(%v, %1) {name: "add_exp", form: pointwise, space: [128,10], reduce: []} body(%0: f32[128,10], %1: f32[128,10]) -> (%3) {',
      '    %2: f32[128,10] = add(%0, %1)',
      '    %3: f32[128,10] = exp(%2)',
      '  } loc("model.ts:15")',
      '}',
    ].join('\n');
    expect(print(parse(text), { name: 'step' })).toBe(text);
  });

  test('hand-written text may be loose: one line, semicolons, any order of attributes, no result types', () => {
    const graph = parse(`graph @g(%x: f32[2,6])->(%b){%a:f32[12]=reshape(%x){shape:[12]};
      %c: f32[3,4] = reshape( %a ) { shape: [3, 4] } %b:f32[3,4]=slice(%c){step:[1,1],stop:[3,4],start:[0,0]}}`);
    expect(print(graph, { name: 'g' })).toBe(
      [
        'graph @g(%x: f32[2,6]) -> (%b: f32[3,4]) {',
        '  %a: f32[12] = reshape(%x) {shape: [12]}',
        '  %c: f32[3,4] = reshape(%a) {shape: [3,4]}',
        '  %b: f32[3,4] = slice(%c) {start: [0,0], stop: [3,4], step: [1,1]}',
        '}',
      ].join('\n'),
    );
  });

  test('a graph that computes nothing has empty braces', () => {
    expect(print({ inputs: [x], outputs: [x, x] })).toBe('graph @main(%x: f32[2,n]) -> (%x: f32[2,n], %x: f32[2,n]) {}');
  });

  test('several graphs stand in one text, each with its name', () => {
    const [first, second] = parseModule('graph @a() -> () {} graph @"b c"(%x: f32[]) -> (%x) {}');
    expect([first!.name, second!.name]).toEqual(['a', 'b c']);
    expect(print(second!.graph, second!)).toBe('graph @"b c"(%x: f32[]) -> (%x: f32[]) {}');
  });

  test('an id is the name hint where that is an identifier, else made of it, and never taken twice', () => {
    const ids = [undefined, 'y', 'x', '9', 'fc.weight', 'a b', 'é', 'v,i'].map((hint) => print(named(hint)).split('\n')[1]!.trim());
    expect(ids).toEqual([
      '%0: f32[2,n] = exp(%x)',
      '%y: f32[2,n] = exp(%x)',
      '%x_1: f32[2,n] = exp(%x) "x"',
      '%_9: f32[2,n] = exp(%x) "9"',
      '%fc_weight: f32[2,n] = exp(%x) "fc.weight"',
      '%a_b: f32[2,n] = exp(%x) "a b"',
      '%_: f32[2,n] = exp(%x) "é"',
      '%v_i: f32[2,n] = exp(%x) "v,i"',
    ]);
  });

  test('no name or location breaks out of its quotes', () => {
    for (const text of ['"', '\\', '\n', '\r\n', '\u2028', '\u2029', '\0', '\ud800', '") {', 'loc("']) {
      const graph = named(text);
      graph.outputs[0]!.node.loc = { site: text };
      const printed = print(graph);
      expect(printed.split(/[\n\r\u2028\u2029]/)).toHaveLength(3);
      const again = parse(printed).outputs[0]!.node;
      expect([again.name, again.loc]).toEqual([text, { site: text }]);
    }
  });

  test('a location that is still a stack is printed as its line and forgotten', () => {
    const graph = named('y');
    const { node } = graph.outputs[0]!;
    node.loc = { site: new Error('here') };
    expect(print(graph)).toMatch(/ = exp\(%x\) loc\("text\.test\.ts:\d+"\)\n/);
    expect(typeof node.loc.site).toBe('string');
  });

  test('a leaf that is no input of the graph is refused', () => {
    expect(() => print({ inputs: [], outputs: [b.exp(x)] })).toThrow('print: %x (input) is reached but is no input of its graph');
  });

  test('regions nested too deep are refused by printer and parser alike', () => {
    const aval = { dtype: 'f32', shape: [] } as const;
    let graph = region([aval], ([v]) => [b.exp(v!)]);
    for (let depth = 0; depth < 33; depth++) {
      const inner = graph;
      graph = region([aval], ([v]) => b.composite([v!], { name: 'c', params: {} }, [inner]));
    }
    expect(() => print(graph)).toThrow('nested more than 32 deep');
    const deep = 'c: f32[] = composite(%x) {name: "c", params: {}} body(%x: f32[]) -> (%c) { %'.repeat(40);
    expect(() => parse(`graph @g(%x: f32[]) -> (%c) { %${deep}`)).toThrow('nested more than 32 deep');
  });
});
