// The rules of ops without tensor operands: what enters a graph, and what is computed from a position alone.
import { threefry } from '../../kernels/scalar.ts';
import { InternalError } from '../../runtime/errors.ts';
import { b, lit } from '../ir/builder.ts';
import { fixed, numel, type Shape } from '../ir/dim.ts';
import { literalNumber, literalOf } from '../ir/literal.ts';
import type { Value } from '../ir/node.ts';
import type { OpName } from '../ir/opset.ts';
import { inFront } from './batching.ts';
import { tabulate } from './reference.ts';
import type { Batching, Reference, RulesFor } from './rules.ts';
import { bool, f32, i32, numbers } from './samples.ts';

/** Nothing to batch: the same value for each member of the batch. */
const repeated = <K extends OpName>(): Batching<K> => ({ kind: 'custom', rule: (_, __, size, n) => [inFront(n.values[0]!, false, size)] });
const given = (op: string) => (): readonly Reference[] => {
  throw new InternalError(`an ${op} that the graph does not list among its inputs has no value`, { op: 'evaluate' });
};

export const leafRules = {
  input: {
    doc: 'A tensor that the graph is given.',
    derivative: { kind: 'none' },
    batch: repeated(),
    lower: { kind: 'indexed' },
    reference: given('input'),
    samples: [],
    refuses: [
      { inputs: [], attrs: { dtype: 'f32', shape: [-1] }, message: /no natural number/ },
      { inputs: [], attrs: { dtype: 'f32', shape: [2 ** 30, 2 ** 30] }, message: /too many elements/ },
    ],
    ulp: 0,
  },
  slot: {
    doc: 'A number that is read at each launch.',
    derivative: { kind: 'none' },
    batch: repeated(),
    lower: { kind: 'indexed' },
    reference: given('slot'),
    samples: [],
    refuses: [
      { inputs: [f32()], attrs: { dtype: 'f32' }, message: /slot takes 0 operands, got 1/ },
      { inputs: [f32(), f32()], attrs: { dtype: 'f32' }, message: /slot takes 0 operands, got 2/ },
    ],
    ulp: 0,
  },
  literal: {
    doc: 'A constant of the library.',
    derivative: { kind: 'none' },
    batch: repeated(),
    lower: { kind: 'indexed' },
    reference: (_, n) => [tabulate(n.outputs[0]!, () => literalNumber(n.attrs.value))],
    samples: [
      { inputs: [], attrs: { value: literalOf(0.1, 'f32') } },
      { inputs: [], attrs: { value: literalOf(-0, 'f64') } },
      { inputs: [], attrs: { value: literalOf(Number.NaN, 'f32') } },
      { inputs: [], attrs: { value: literalOf(-7, 'i32') } },
      { inputs: [], attrs: { value: literalOf(2 ** 40, 'i64') } },
      { inputs: [], attrs: { value: literalOf(true, 'bool') } },
    ],
    refuses: [
      { inputs: [f32()], attrs: { value: literalOf(1, 'f32') }, message: /literal takes 0 operands, got 1/ },
      { inputs: [f32(), f32()], attrs: { value: literalOf(1, 'f32') }, message: /literal takes 0 operands, got 2/ },
    ],
    ulp: 0,
  },
  size: {
    doc: 'A size of the launch as a number.',
    derivative: { kind: 'none' },
    batch: repeated(),
    lower: { kind: 'indexed' },
    reference: (_, n) => [tabulate(n.outputs[0]!, () => fixed(n.attrs.size))],
    samples: numbers.map((dtype) => ({ inputs: [], attrs: { dtype, size: 7 } })),
    refuses: [
      { inputs: [], attrs: { dtype: 'bool', size: 2 }, message: /a size is no bool/ },
      { inputs: [], attrs: { dtype: 'f32', size: -1 }, message: /no natural number/ },
      { inputs: [f32()], attrs: { dtype: 'f32', size: 1 }, message: /size takes 0 operands, got 1/ },
    ],
    ulp: 0,
  },
  iota: {
    doc: 'The position along `axis`.',
    derivative: { kind: 'none' },
    batch: repeated(),
    lower: { kind: 'indexed' },
    reference: (_, n) => [tabulate(n.outputs[0]!, (index) => index[n.attrs.axis]!)],
    samples: numbers.flatMap((dtype) => [
      { inputs: [], attrs: { dtype, shape: [2, 3], axis: 1 } },
      { inputs: [], attrs: { dtype, shape: [3, 1, 2], axis: 0 } },
      { inputs: [], attrs: { dtype, shape: [0], axis: 0 } },
    ]),
    refuses: [
      { inputs: [], attrs: { dtype: 'i64', shape: [2], axis: 1 }, message: /axes \[1\] do not fit/ },
      { inputs: [], attrs: { dtype: 'bool', shape: [2], axis: 0 }, message: /iota takes no bool/ },
      { inputs: [], attrs: { dtype: 'i64', shape: [2.5], axis: 0 }, message: /no natural number/ },
    ],
    ulp: 0,
  },
  randomBits: {
    doc: 'Random bits of each position, a function of key and stream alone (Threefry-2x32).',
    derivative: { kind: 'none' },
    batch: {
      kind: 'custom',
      rule: ([key, stream], [keyed, streamed], size, n) => {
        const { shape } = n.attrs;
        const spread = (v: Value, batched: boolean): Value =>
          b.expand(inFront(v, batched, size), { shape: [size, ...shape], at: shape.map((_, i) => i + 1) });
        return [b.threefry(spread(key!, keyed!), spread(stream!, streamed!), inFront(positions(shape), false, size))];
      },
    },
    lower: { kind: 'indexed' },
    reference: ([key, stream], n) => [tabulate(n.outputs[0]!, (_, flat) => threefry(key!.data[0]!, stream!.data[0]!, flat))],
    samples: [
      { inputs: [i32(), i32()], attrs: { shape: [2, 3] }, range: [-1000, 1000] },
      { inputs: [i32(), i32()], attrs: { shape: [] }, data: [[0], [0]] },
      { inputs: [i32(), i32()], attrs: { shape: [0, 4] } },
      { inputs: [i32(), i32()], attrs: { shape: [1] }, data: [[2147483647], [-2147483648]] },
    ],
    refuses: [
      { inputs: [f32(), i32()], attrs: { shape: [2] }, message: /must be i32\[\]/ },
      { inputs: [i32(), i32(2)], attrs: { shape: [2] }, message: /must be i32\[\]/ },
      { inputs: [bool(), bool()], attrs: { shape: [2] }, message: /must be i32\[\]/ },
    ],
    ulp: 0,
  },
} satisfies RulesFor<'input' | 'slot' | 'literal' | 'size' | 'iota' | 'randomBits'>;

/** The row-major position of each element. */
function positions(shape: Shape): Value {
  if (shape.length === 0) return lit(0, 'i32');
  return b.reshape(b.iota({ dtype: 'i32', shape: [numel(shape)], axis: 0 }), { shape });
}
