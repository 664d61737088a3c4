import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse, parseModule } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';
import { verify } from '../../compiler/ir/verify.ts';
import { dtypes } from '../../runtime/dtype.ts';
import { IRError } from '../../runtime/errors.ts';
import { jsTarget } from '../../runtime/target.ts';
import { runs } from '../effort.ts';
import { graphs } from '../random-graphs.ts';

/** The message of a refusal, with its place in front: `1:7 expected ...`. */
function refusal(text: string, options = {}): string {
  try {
    parse(text, options);
  } catch (error) {
    expect(error).toBeInstanceOf(IRError);
    const { what, loc, message } = error as IRError;
    expect(message).toBe(`parse: ${what} at ${loc}`);
    return `${loc} ${what}`;
  }
  return 'nothing was refused';
}

/** A statement in a graph over x: f32[2,3], i: i64[2,3], c: bool[]; it starts in column 3 of line 2. */
const within = (statement: string, result = '%y'): string =>
  `graph @g(%x: f32[2,3], %i: i64[2,3], %c: bool[]) -> (${result}) {\n  ${statement}\n}`;

describe('a malformed text is refused at its place, with what was expected there', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['', '1:1 expected one graph, found 0'],
    ['graph @a() -> () {} graph @b() -> () {}', '1:1 expected one graph, found 2'],
    ['grap @g() -> () {}', "1:1 expected 'graph', found 'grap'"],
    ['graphs @g() -> () {}', "1:1 expected 'graph', found 'graphs'"],
    ['graph g() -> () {}', "1:7 expected '@', found 'g'"],
    ['graph @9() -> () {}', "1:8 expected the name of the graph, found '9'"],
    ['graph @"g() -> () {}', '1:8 this quoted text has no end on its line'],
    ['graph @g', "1:9 expected '(', found the end"],
    ['graph @g(x: f32[]) -> () {}', "1:10 expected a value such as %x, found 'x'"],
    ['graph @g(%x f32[]) -> () {}', "1:13 expected ':', found 'f32'"],
    ['graph @g(%x: f33[]) -> () {}', '1:14 there is no dtype f33, only f32, f64, f16, i32, i64, u8, bool'],
    ['graph @g(%x: [2]) -> () {}', "1:14 expected a dtype (f32, f64, f16, i32, i64, u8, bool), found '['"],
    ['graph @g(%x: f32) -> () {}', "1:17 expected '[', found ')'"],
    ['graph @g(%x: f32[2,]) -> () {}', "1:20 expected a size, found ']'"],
    ['graph @g(%x: f32[2 3]) -> () {}', "1:20 expected ',' or ']', found '3'"],
    ['graph @g(%x: f32[-2]) -> () {}', '1:18 -2 is no size of an axis'],
    ['graph @g(%x: f32[2.5]) -> () {}', "1:19 expected ',' or ']', found '.'"],
    ['graph @g(%x: f32[n**2]) -> () {}', "1:18 'n**2' is no size"],
    ['graph @g(%x: f32[9007199254740993]) -> () {}', '1:18 a size has grown too complicated'],
    [`graph @g(%x: f32[${'1,'.repeat(64)}1]) -> () {}`, '1:14 a type has at most 64 axes, not 65'],
    ['graph @g(%x: slot) -> () {}', "1:18 expected a dtype (f32, f64, f16, i32, i64, u8, bool), found ')'"],
    ['graph @g(%x: slot f32[]) -> () {}', "1:22 expected ',' or ')', found '['"],
    ['graph @g(%x: f32[], %x: f32[]) -> () {}', '1:21 %x is defined twice'],
    ['graph @g(%x: f32[] loc(3)) -> () {}', "1:24 expected a quoted location, found '3'"],
    ['graph @g(%x: f32[] loc("a)) -> () {}', '1:24 this quoted text has no end on its line'],
    ['graph @g(%x: f32[] "\\q") -> () {}', '1:20 "\\q" is not well formed'],
    ['graph @g() () {}', "1:12 expected '->', found '('"],
    ['graph @g() -> {}', "1:15 expected '(', found '{'"],
    ['graph @g() -> (%x) {}', '1:16 %x is not defined before its use'],
    ['graph @g(%x: f32[2]) -> (%x: f32[3]) {}', '1:30 f32[3] is written, but %x is f32[2]'],
    ['graph @g() -> () {', "1:19 expected a value such as %x, or '}', found the end"],
    ['graph @g() -> () {} }', "1:21 expected 'graph', found '}'"],
    [within('y: f32[2,3] = exp(%x)'), "2:3 expected a value such as %x, or '}', found 'y'"],
    [within('%y = exp(%x)'), "2:6 expected ':', found '='"],
    [within('%y: f32[2,3] exp(%x)'), "2:16 expected '=', found 'exp'"],
    [within('%y: f32[2,3] = 3'), "2:18 expected the name of an op, found '3'"],
    [within('%y: f32[2,3] = expo(%x)'), '2:18 there is no op expo'],
    [within('%y: f32[2,3] = constructor(%x)'), '2:18 there is no op constructor'],
    [within('%y: f32[2,3] = input() {dtype: f32, shape: [2,3]}'), '2:18 input stands in the header of a graph: %x: f32[2] or %x: slot f32'],
    [within('%y: f32[2,3] = exp %x'), "2:22 expected '(', found '%'"],
    [within('%y: f32[2,3] = exp(%x'), "3:1 expected ',' or ')', found '}'"],
    [within('%y: f32[2,3] = exp(%y)'), '2:22 %y is not defined before its use'],
    [within('%y: f32[2,3] = exp(%x, %x)'), '2:18 exp takes 1 operands, got 2'],
    [within('%y: f32[2,3] = exp(%i)'), '2:18 exp does not take i64'],
    [within('%y: f32[2,3] = add(%x, %i)'), '2:18 add wants operands of one dtype and shape, got f32[2,3], i64[2,3]'],
    [within('%y: f32[3,2] = exp(%x)'), '2:7 f32[3,2] is written, but exp is f32[2,3]'],
    [within('%y, %z: f32[2,3], f32[2,3] = exp(%x)'), '2:3 exp has 1 results, 2 are named'],
    [within('%y: f32[2,3] = sort(%x) {axis: 0, descending: false}'), '2:3 sort has 2 results, 1 are named'],
    [within('%y, %z: f32[2,3] = sort(%x) {axis: 0, descending: false}'), '2:11 2 values are named, but 1 types given'],
    [within('%y: f32[3] = sum(%x)'), "3:1 expected '{', found '}'"],
    [within('%y: f32[3] = sum(%x) {}'), '2:24 sum lacks its attribute axes'],
    [within('%y: f32[3] = sum(%x) {axis: [0]}'), '2:25 sum has no attribute axis; it has axes'],
    [within('%y: f32[3] = sum(%x) {axes: [0], axes: [0]}'), '2:36 the attribute axes is given twice'],
    [within('%y: f32[3] = sum(%x) {axes [0]}'), "2:30 expected ':', found '['"],
    [within('%y: f32[3] = sum(%x) {3: [0]}'), "2:25 expected an attribute of sum (axes), found '3'"],
    [within('%y: f32[3] = sum(%x) {axes: 0}'), "2:31 '0' is no list"],
    [within('%y: f32[3] = sum(%x) {axes: [0.5]}'), "2:31 '0.5' is no integer"],
    [within('%y: f32[3] = sum(%x) {axes: [2]}'), '2:16 axes [2] do not fit f32[2,3]'],
    [within('%y: f32[3] = sum(%x) {axes: [0,0]}'), '2:16 axes [0,0] do not fit f32[2,3]'],
    [within('%y: f32[3] = sum(%x) {axes: [0]'), "2:34 expected ',' or '}' after an attribute"],
    [within('%y: i64[2,3] = gather(%i, %i) {axis: 0, mode: fast}'), "2:49 'fast' is none of checked, trusted"],
    [within('%y: f32[3,3] = dot(%x, %x) {batch: []x[], contract: [0]}'), "2:55 '[0]' are no pairs; write them as [1]x[0]"],
    [within('%y: f32[3,3] = dot(%x, %x) {batch: []x[], contract: [0]x[0,1]}'), "2:55 '[0]x[0,1]' pairs 1 axes with 2"],
    [within('%y: f32[] = literal() {value: 0.5}'), "2:33 '0.5' is no literal; write it as 'f32 0.5'"],
    [within('%y: f32[] = literal() {value: f32 half}'), "2:33 'half' is no number"],
    [within('%y: f32[] = literal() {value: f32 0x123456789}'), '2:33 0x123456789 has more bits than f32'],
    [within('%y: u8[] = literal() {value: u8 256}'), '2:32 256 is out of the range of u8'],
    [within('%y: i32[] = literal() {value: i32 1.5}'), "2:33 '1.5' is no integer"],
    [within('%y: bool[] = literal() {value: bool yes}'), "2:34 'yes' is neither true nor false"],
    [within('%y: f32[2,3] = composite(%x) {name: exp, params: {}} body(%x: f32[2,3]) -> (%x) {}'), '2:39 exp is not well formed'],
    [
      within('%y: f32[2,3] = composite(%x) {name: "e", params: {"a": null}} body(%x: f32[2,3]) -> (%x) {}'),
      '2:52 {"a": null} is no JSON object of numbers, flags, texts and lists of integers',
    ],
    [within('%y: f32[2,3] = composite(%x) {name: "e", params: {}} bod(%x: f32[2,3]) -> (%x) {}'), "2:56 expected 'body', found 'bod'"],
    [within('%y: f32[2,3] = composite(%x) {name: "e", params: {}} body(%z: f32[2,3]) -> (%x) {}'), '2:79 %x is not defined before its use'],
    [within('%y: f32[2,3] = cond(%c, %x) then(%x: f32[2,3]) -> (%x) {}'), "3:1 expected 'else', found '}'"],
    [within('%y: f32[2,3] = exp(%x)\n  %z: f32[2,3] = exp(%x)'), '3:3 this exp is reached by no result of the graph'],
    [within('%x: f32[2,3] = exp(%x)', '%x'), '2:3 %x is defined twice'],
    [within('%y: f32[2,3] = exp(%x) loc "a"'), `2:30 expected '(', found '"'`],
    [within('%y: f32[2,3] = exp(%x) y'), "2:26 expected a value such as %x, or '}', found 'y'"],
  ];
  test.each(cases)('%j', (text, message) => {
    expect(refusal(text)).toBe(message);
  });

  test('the file stands before line and column', () => {
    expect(refusal('graph', { file: 'step.ir' })).toBe("step.ir:1:6 expected '@', found the end");
  });
  test('budgets of characters and nodes', () => {
    expect(refusal('graph @g() -> () {}', { maxLength: 10 })).toBe('1:1 text of 19 characters is too long');
    expect(refusal(within('%z: f32[2,3] = exp(%x)\n%y: f32[2,3] = exp(%z)'), { maxNodes: 1 })).toBe('3:16 more than 1 nodes');
  });
});

function onlyIRErrors(run: () => void): void {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(IRError);
  }
}

test('no damage to a text brings anything but an IRError, or a graph that prints and reads back', () => {
  const snippets = [
    '%',
    '}',
    '{',
    '[',
    ']',
    ',',
    '"',
    '\\',
    '-1',
    '0',
    'f32',
    ' -> ',
    '%x',
    'n*n*n',
    '99999999999999999999',
    '\u2028',
    'loc(',
    '@',
    'e',
    '',
  ];
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(8), fc.oneof(fc.constantFrom(...snippets), fc.string({ maxLength: 3 }))), {
    minLength: 1,
    maxLength: 3,
  });
  const options = { symbolic: true, annotated: true, dtypes, regions: ['composite', 'controlFlow', 'kernel'], maxOps: 6 } as const;
  let refused = 0;
  fc.assert(
    fc.property(graphs(options), damage, (graph, cuts) => {
      let text = print(graph);
      for (const [at, length, put] of cuts) {
        const start = at % (text.length + 1);
        text = text.slice(0, start) + put + text.slice(start + length);
      }
      let modules: ReturnType<typeof parseModule>;
      try {
        modules = parseModule(text);
      } catch (error) {
        expect(error).toBeInstanceOf(IRError);
        refused++;
        return;
      }
      for (const m of modules) {
        const printed = print(m.graph, m);
        expect(print(parse(printed), m)).toBe(printed);
        onlyIRErrors(() => verify(m.graph, jsTarget));
      }
    }),
    { numRuns: runs(3000) },
  );
  expect(refused).toBeGreaterThan(runs(1000));
});

test('a hostile text costs no more than its length', () => {
  const long = 200_000;
  const sum = Array.from({ length: 100 }, (_, i) => `a${i}`).join('+');
  expect(refusal(`graph @g(%x: f32[${sum}]) -> () {}`)).toContain('too complicated');
  const factors = Array.from({ length: 12 }, (_, i) => `a${i}+b${i}`).join(',');
  expect(refusal(`graph @g(%x: f32[${factors}]) -> (%y) { %y: f32[1] = reshape(%x) {shape: [1]} }`)).toContain('too complicated');
  const axes = Array.from({ length: long }, (_, i) => i).join(',');
  expect(refusal(within(`%y: f32[3] = sum(%x) {axes: [${axes}]}`))).toContain('do not fit');
  expect(refusal(`graph @g(%x: f32[]) -> (%x) ${'{'.repeat(long)}`)).toContain("or '}'");
  expect(refusal(`graph @g(%x: f32[] "${'\\'.repeat(long)}`)).toContain('no end');
  expect(refusal(`graph @g(%x: f32[${'n*'.repeat(long)}n]) -> (%x) {}`)).toContain('is no size');
});
