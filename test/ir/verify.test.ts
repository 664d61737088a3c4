import { describe, expect, test } from 'vitest';
import { aval } from '../../compiler/ir/aval.ts';
import { b, region } from '../../compiler/ir/builder.ts';
import { type Graph, makeNode, type Value } from '../../compiler/ir/node.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { verify } from '../../compiler/ir/verify.ts';
import { IRError } from '../../runtime/errors.ts';
import { jsTarget, type Target } from '../../runtime/target.ts';

function refusal(graph: Graph, target?: Partial<Target>): string {
  try {
    verify(graph, target === undefined ? undefined : { ...jsTarget, ...target });
  } catch (error) {
    expect(error).toBeInstanceOf(IRError);
    return (error as IRError).what;
  }
  return 'nothing was refused';
}

const f32 = aval('f32', [2, 3]);
const x = b.input(f32);
x.node.name = 'x';
const y = b.exp(x);
const of = (...outputs: readonly Value[]): Graph => ({ inputs: [x], outputs });
const made = (...args: Parameters<typeof makeNode>): Graph => of(makeNode(...args).values[0]!);

describe('rules of any graph', () => {
  const free = b.input(f32);
  const cases: readonly (readonly [string, Graph, string])[] = [
    [
      'stored types are what is inferred',
      made('exp', [x], {}, [], [aval('f64', [2, 3])]),
      '%0 (exp) is stored as (f64[2,3]), but inferred as (f32[2,3])',
    ],
    [
      'as many results as are inferred',
      made('exp', [x], {}, [], [f32, f32]),
      '%0 (exp) is stored as (f32[2,3], f32[2,3]), but inferred as (f32[2,3])',
    ],
    [
      'operands fit',
      made('add', [x, b.sum(x, { axes: [0] })], {}, [], [f32]),
      '%1 (add) is refused by its signature: add wants operands of one dtype and shape, got f32[2,3], f32[3]',
    ],
    ['as many operands as the signature has', made('exp', [x, x], {}, [], [f32]), '%0 (exp) has 2 operands instead of 1'],
    ['as many regions as the signature has', made('exp', [x], {}, [of(x)], [f32]), '%0 (exp) has 1 regions instead of 0'],
    ['no free leaf', of(b.exp(free)), '%0 (input) is reached but is no input of its graph'],
    ['no free leaf as a result', of(b.slot({ dtype: 'f32' })), '%0 (slot) is reached but is no input of its graph'],
    [
      'no free leaf in a region',
      of(b.composite([x], { name: 'c', params: {} }, [{ inputs: [], outputs: [x] }])[0]!),
      '%0 (composite) gives (f32[2,3]) to its region body, which takes ()',
    ],
    [
      'a region does not see outer values',
      of(b.composite([], { name: 'c', params: {} }, [{ inputs: [], outputs: [x] }])[0]!),
      '%x (input) is reached but is no input of its graph',
    ],
    ['inputs are leaves', { inputs: [b.exp(x)], outputs: [] }, '%0 (exp) is an input of the graph, but neither input nor slot'],
    ['no input twice', { inputs: [x, x], outputs: [] }, '%x (input) is twice an input of the graph'],
    ['results exist', of({ node: y.node, index: 1 }), '%0 (exp) has no result 1, or it is used through a copy of its value'],
    ['values are not copied', of(b.sin({ ...y })), '%0 (exp) has no result 0, or it is used through a copy of its value'],
    [
      'sizes are counts',
      { inputs: [makeNode('input', [], { dtype: 'f32', shape: [-1] }, [], [aval('f32', [-1])]).values[0]!], outputs: [] },
      '%0 (input) is refused by its signature: [-1] has a size that is no natural number',
    ],
    [
      'a graph has so many elements that they can be counted',
      of(huge()),
      '%4 (dot) has the shape of f32[67108864,67108864,67108864], whose sizes are no counts',
    ],
  ];
  test.each(cases)('%s', (_, graph, message) => expect(refusal(graph)).toBe(message));

  function huge(): Value {
    const row = (n: number) => b.iota({ dtype: 'f32', shape: Array<number>(n).fill(2 ** 26), axis: 0 });
    return b.dot(row(1), b.dot(row(1), row(1), { batch: [], contract: [] }), { batch: [], contract: [] });
  }

  test('regions are nested to a bounded depth', () => {
    let graph = region([f32], ([v]) => [b.exp(v!)]);
    for (let depth = 0; depth < 40; depth++) {
      const inner = graph;
      graph = region([f32], ([v]) => b.composite([v!], { name: 'c', params: {} }, [inner]));
    }
    expect(refusal(graph)).toBe('regions are nested more than 32 deep');
  });

  test('a right graph passes, shared regions and unused inputs included', () => {
    const body = region([f32], ([v]) => [b.exp(v!)]);
    const once = b.composite([x], { name: 'c', params: {} }, [body])[0]!;
    verify({ inputs: [x, free], outputs: [once, b.composite([once], { name: 'c', params: {} }, [body])[0]!] });
  });
});

/** A statement in a graph over x, y: f32[4,3], r: f32[4], c: bool[], i: i32[], s: slot f32. */
const within = (statements: string, results: string): string =>
  `graph @g(%x: f32[4,3], %y: f32[4,3], %r: f32[4], %c: bool[], %i: i32[], %s: slot f32) -> (${results}) { ${statements} }`;

describe('regions of control flow take what they are given', () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      '%z: f32[4] = cond(%c, %x) then(%x: f32[4,3], %r: f32[4]) -> (%r) {} else(%r: f32[4]) -> (%r) {}',
      '%z (cond) gives (f32[4,3]) to its region then, which takes (f32[4,3], f32[4])',
    ],
    [
      '%z: f32[4] = cond(%c, %r) then(%r: f32[4]) -> (%r) {} else(%r: f64[4]) -> (%s) { %s: f32[4] = cast(%r) {to: f32} }',
      '%z (cond) gives (f32[4]) to its region else, which takes (f64[4])',
    ],
    [
      '%z: f32[4] = whileLoop(%r) test(%q: f32[3]) -> (%t) { %t: bool[] = literal() {value: bool true} } body(%r: f32[4]) -> (%r) {}',
      '%z (whileLoop) gives (f32[4]) to its region test, which takes (f32[3])',
    ],
    [
      '%z: f32[4] = whileLoop(%r) test(%q: f32[4]) -> (%t) { %t: bool[] = literal() {value: bool true} } body(%r: f32[4], %q: f32[]) -> (%r) {}',
      '%z (whileLoop) gives (f32[4]) to its region body, which takes (f32[4], f32[])',
    ],
    [
      '%z: f32[4,4] = scan(%r) {carries: 0, length: 4, reverse: false} body(%v: f32[4]) -> (%v) {}',
      '%z (scan) gives (f32[]) to its region body, which takes (f32[4])',
    ],
  ];
  test.each(cases)('%s', (statement, message) => expect(refusal(parse(within(statement, '%z')))).toBe(message));

  test('and are left alone when they do', () => {
    verify(parse(within('%z: f32[4] = cond(%c, %r) then(%r: f32[4]) -> (%r) {} else(%q: f32[4]) -> (%q) {}', '%z')));
    verify(
      parse(
        within(
          '%a, %z: f32[3], f32[4,3] = scan(%q, %x) {carries: 1, length: 4, reverse: false} body(%k: f32[3], %v: f32[3]) -> (%k, %n) { %n: f32[3] = add(%k, %v) } %w: f32[1] = neg(%u)',
          '%a, %z',
        )
          .replace(' %w: f32[1] = neg(%u)', '')
          .replace('{ %a', '{ %q: f32[3] = amax(%x) {axes: [0]} %a'),
      ),
    );
  });
});

describe('what the form of a kernel allows', () => {
  const kernel = (
    form: string,
    space: string,
    reduce: string,
    operands: string,
    params: string,
    results: string,
    types: string,
    body: string,
  ): string =>
    within(
      `${results.replaceAll('%', '%k')}: ${types} = kernel(${operands}) {name: "k", form: ${form}, space: ${space}, reduce: ${reduce}} body(${params}) -> (${results}) { ${body} }`,
      results.replaceAll('%', '%k'),
    );
  const onX = (form: string, reduce: string, results: string, types: string, body: string): string =>
    kernel(form, '[4,3]', reduce, '%x', '%x: f32[4,3]', results, types, body);

  const right: readonly (readonly [string, string])[] = [
    [
      'pointwise with views and generated values',
      onX(
        'pointwise',
        '[]',
        '%b',
        'f32[4,3]',
        '%i: f32[3,4] = iota() {dtype: f32, shape: [3,4], axis: 0} %p: f32[4,3] = permute(%i) {order: [1,0]} %b: f32[4,3] = add(%x, %p)',
      ),
    ],
    [
      'softmax over rows',
      onX(
        'rows',
        '[1]',
        '%y',
        'f32[4,3]',
        '%m: f32[4] = amax(%x) {axes: [1]} %n: f32[4,3] = expand(%m) {shape: [4,3], at: [1]} %d: f32[4,3] = sub(%x, %n) %e: f32[4,3] = exp(%d) %s: f32[4] = sum(%e) {axes: [1]} %t: f32[4] = recip(%s) %u: f32[4,3] = expand(%t) {shape: [4,3], at: [1]} %y: f32[4,3] = mul(%e, %u)',
      ),
    ],
    [
      'a full and a row result',
      onX('rows', '[0]', '%s, %e', 'f32[3], f32[4,3]', '%e: f32[4,3] = exp(%x) %s: f32[3] = sum(%e) {axes: [0]}'),
    ],
    ['a position of a maximum', onX('rows', '[1]', '%s', 'i64[4]', '%s: i64[4] = argmax(%x) {axis: 1}')],
    [
      'product with epilogue',
      kernel(
        'contraction',
        '[4,4]',
        '[]',
        '%x, %y',
        '%x: f32[4,3], %y: f32[4,3]',
        '%e',
        'f32[4,4]',
        '%p: f32[3,4] = permute(%y) {order: [1,0]} %d: f32[4,4] = dot(%x, %p) {batch: []x[], contract: [1]x[0]} %e: f32[4,4] = exp(%d)',
      ),
    ],
    [
      'members of several shapes sharing a slot',
      kernel(
        'members',
        '[16]',
        '[]',
        '%x, %r, %s',
        '%x: f32[4,3], %r: f32[4], %s: slot f32',
        '%a, %b',
        'f32[4,3], f32[4]',
        '%n: f32[] = neg(%s) %t: f32[4,3] = expand(%n) {shape: [4,3], at: [0,1]} %a: f32[4,3] = mul(%x, %t) %u: f32[4] = expand(%n) {shape: [4], at: [0]} %b: f32[4] = mul(%r, %u)',
      ),
    ],
    [
      'one library op',
      onX('library', '[]', '%v, %i', 'f32[4,3], i64[4,3]', '%v, %i: f32[4,3], i64[4,3] = sort(%x) {axis: 1, descending: true}'),
    ],
  ];
  test.each(right)('%s', (_, text) => verify(parse(text), jsTarget));

  const wrong: readonly (readonly [string, string])[] = [
    [
      kernel('pointwise', '[4]', '[]', '%s', '%s: f32[]', '%b', 'f32[4]', '%b: f32[4] = expand(%s) {shape: [4], at: [0]}'),
      '%kb (kernel) takes operand 0 once as a slot and once as a buffer',
    ],
    [
      kernel('pointwise', '[]', '[]', '%q', '%s: slot f32', '%b', 'f32[]', '%b: f32[] = neg(%s)').replace(
        '{ %kb',
        '{ %q: f32[] = sum(%r) {axes: [0]} %kb',
      ),
      '%kb (kernel) takes operand 0 once as a slot and once as a buffer',
    ],
    [onX('pointwise', '[2]', '%b', 'f32[4,3]', '%b: f32[4,3] = exp(%x)'), '%kb (kernel) reduces axes [2] of the space [4,3]'],
    [
      onX('pointwise', '[0]', '%b', 'f32[4,3]', '%b: f32[4,3] = exp(%x)'),
      '%kb (kernel) names axes to reduce, which the form pointwise does not',
    ],
    [
      onX('pointwise', '[]', '%b', 'f32[4]', '%b: f32[4] = sum(%x) {axes: [1]}'),
      '%b (sum) does not belong into a kernel of the form pointwise',
    ],
    [
      onX('pointwise', '[]', '%b', 'f32[3,4]', '%b: f32[3,4] = permute(%x) {order: [1,0]}'),
      '%b (permute) is a result of the shape [3,4], not [4,3]',
    ],
    [onX('rows', '[1]', '%b', 'f32[4,3]', '%b: f32[4,3] = exp(%x)'), '%kb (kernel) has the form rows, but reduces nothing'],
    [onX('rows', '[1]', '%b', 'f32[3]', '%b: f32[3] = sum(%x) {axes: [0]}'), '%b (sum) reduces other axes than [1]'],
    [
      onX('rows', '[1]', '%b', 'f32[3]', '%p: f32[3,4] = permute(%x) {order: [1,0]} %b: f32[3] = sum(%p) {axes: [1]}'),
      '%b (sum) reduces another shape than the space [4,3]',
    ],
    [
      onX('rows', '[1]', '%b', 'f32[4]', '%a: f32[4] = sum(%x) {axes: [1]} %b: f32[4] = flip(%a) {axes: [0]}'),
      '%b (flip) uses what depends on a reduction elsewhere than where it was made',
    ],
    [
      kernel(
        'rows',
        '[4,4]',
        '[1]',
        '%q',
        '%x: f32[4,4]',
        '%b',
        'f32[4,4]',
        '%a: f32[4] = sum(%x) {axes: [1]} %b: f32[4,4] = expand(%a) {shape: [4,4], at: [0]}',
      ).replace('{ %kb', '{ %q: f32[4,4] = expand(%r) {shape: [4,4], at: [0]} %kb'),
      '%b (expand) uses what depends on a reduction elsewhere than where it was made',
    ],
    [
      onX('rows', '[1]', '%b', 'f32[4,1]', '%a: f32[4] = sum(%x) {axes: [1]} %b: f32[4,1] = reshape(%a) {shape: [4,1]}'),
      '%b (reshape) uses what depends on a reduction elsewhere than where it was made',
    ],
    [
      onX('rows', '[1]', '%a, %b', 'f32[4], f32[3,4]', '%a: f32[4] = sum(%x) {axes: [1]} %b: f32[3,4] = permute(%x) {order: [1,0]}'),
      '%b (permute) is a result of the shape [3,4], not [4,3] or [4]',
    ],
    [onX('contraction', '[]', '%b', 'f32[4,3]', '%b: f32[4,3] = exp(%x)'), '%kb (kernel) has 0 contractions instead of one'],
    [
      onX('contraction', '[]', '%b', 'f32[4,4]', '%b: f32[4,4] = dot(%x, %x) {batch: []x[], contract: [1]x[1]}'),
      '%b (dot) contracts to another shape than the space [4,3]',
    ],
    [
      kernel(
        'contraction',
        '[4,4]',
        '[]',
        '%x',
        '%x: f32[4,3]',
        '%b',
        'f32[4,4]',
        '%d: f32[4,4] = dot(%x, %x) {batch: []x[], contract: [1]x[1]} %b: f32[4,4] = permute(%d) {order: [1,0]}',
      ),
      '%b (permute) uses what depends on the contraction elsewhere than where it was made',
    ],
    [
      kernel(
        'contraction',
        '[4,4]',
        '[]',
        '%x',
        '%x: f32[4,3]',
        '%b, %c',
        'f32[4,4], f32[4,3]',
        '%b: f32[4,4] = dot(%x, %x) {batch: []x[], contract: [1]x[1]} %c: f32[4,3] = exp(%x)',
      ),
      '%c (exp) is a result of the shape [4,3], not [4,4]',
    ],
    [
      kernel(
        'members',
        '[16]',
        '[]',
        '%x, %r',
        '%x: f32[4,3], %r: f32[4]',
        '%a, %b, %c',
        'f32[4,3], f32[4], f32[4,3]',
        '%a: f32[4,3] = exp(%x) %b: f32[4] = exp(%r) %c: f32[4,3] = neg(%a)',
      ),
      '%c (neg) stands apart from the other results of its member, or has another shape',
    ],
    [
      onX('members', '[]', '%a, %b', 'f32[4,3], f32[3,4]', '%a: f32[4,3] = exp(%x) %b: f32[3,4] = permute(%a) {order: [1,0]}'),
      '%b (permute) stands apart from the other results of its member, or has another shape',
    ],
    [
      onX('library', '[]', '%b', 'f32[4,3]', '%a: f32[4,3] = exp(%x) %b: f32[4,3] = cumsum(%a) {axis: 0, reverse: false}'),
      '%a (exp) does not belong into a kernel of the form library',
    ],
    [
      onX(
        'library',
        '[]',
        '%b',
        'f32[4,3]',
        '%a: f32[4,3] = cumsum(%x) {axis: 0, reverse: false} %b: f32[4,3] = cumsum(%a) {axis: 0, reverse: false}',
      ),
      '%kb (kernel) has 2 library ops instead of one',
    ],
  ];
  test.each(wrong)('%s', (text, message) => expect(refusal(parse(text))).toBe(message));

  test('a kernel computes something', () => {
    const empty = makeNode('kernel', [], { name: 'k', form: 'pointwise', space: [], reduce: [] }, [{ inputs: [], outputs: [] }], []);
    expect(() => verify({ inputs: [], outputs: [{ node: empty, index: 0 }] })).toThrow('(kernel) computes nothing');
  });

  test('a kernel binds no more distinct buffers than the target allows; reshapes and slots are none', () => {
    const text = kernel(
      'pointwise',
      '[4]',
      '[]',
      '%r, %q, %s',
      '%r: f32[4], %q: f32[4], %s: slot f32',
      '%a',
      'f32[4]',
      '%a: f32[4] = add(%r, %q)',
    ).replace('{ %ka', '{ %p: f32[2,2] = reshape(%r) {shape: [2,2]} %q: f32[4] = reshape(%p) {shape: [4]} %ka');
    verify(parse(text), { ...jsTarget, maxBuffersPerKernel: 2 });
    expect(refusal(parse(text), { maxBuffersPerKernel: 1 })).toBe('%ka (kernel) binds 2 buffers, js allows 1');
  });
});
