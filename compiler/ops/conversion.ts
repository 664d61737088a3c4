// The rules of cast and bitcast: the same place, another dtype.
import { type DType, isFloat } from '../../runtime/dtype.ts';
import { b } from '../ir/builder.ts';
import { dtypeOf } from '../ir/node.ts';
import { tabulate, wrap } from './reference.ts';
import type { RulesFor } from './rules.ts';
import { all, bool, f32, f64, i32, i64 } from './samples.ts';

const signed = all.filter((dtype) => dtype !== 'bool' && dtype !== 'u8');

export const conversionRules = {
  cast: {
    doc: 'To another dtype: floats to integers toward 0, to bool whether different from 0.',
    derivative: {
      kind: 'linear',
      in: 'jointly',
      transpose: (ct, { inputs: [x] }) => [isFloat(dtypeOf(x)) ? b.cast(ct, { to: dtypeOf(x) }) : null],
    },
    batch: { kind: 'custom', rule: ([x], _, __, n) => [b.cast(x!, n.attrs)] },
    lower: { kind: 'indexed' },
    reference: ([x], n) => [tabulate(n.outputs[0]!, (_, flat) => wrap(n.attrs.to, x!.data[flat]!))],
    samples: [
      ...all.flatMap((from) => all.map((to) => ({ inputs: [{ dtype: from, shape: [2, 3] }], attrs: { to }, range: [0, 100] as const }))),
      ...signed.flatMap((from) => signed.map((to) => ({ inputs: [{ dtype: from, shape: [7] }], attrs: { to }, range: [-9, 9] as const }))),
      { inputs: [f32(3)], attrs: { to: 'bool' }, data: [[Number.NaN, -0, 0.25]] },
      { inputs: [f32(0, 2)], attrs: { to: 'i64' } },
      { inputs: [f64()], attrs: { to: 'f32' } },
    ],
    refuses: [
      { inputs: [], attrs: { to: 'f32' }, message: /cast takes 1 operands, got 0/ },
      { inputs: [f32(), f32()], attrs: { to: 'f32' }, message: /cast takes 1 operands, got 2/ },
    ],
    ulp: 1,
  },
  bitcast: {
    doc: 'The same bits read as another dtype of the same size.',
    derivative: { kind: 'none' },
    batch: { kind: 'custom', rule: ([x], _, __, n) => [b.bitcast(x!, n.attrs)] },
    lower: { kind: 'indexed' },
    reference: ([x], n) => [tabulate(n.outputs[0]!, (_, flat) => readBits(n.attrs.to, writeBits(x!.dtype, x!.data[flat]!)))],
    samples: [
      { inputs: [f32(2, 3)], attrs: { to: 'i32' } },
      { inputs: [i32(5)], attrs: { to: 'f32' }, data: [[0, 1065353216, -1082130432, 1078530011, 1]] },
      { inputs: [f32()], attrs: { to: 'f32' } },
      { inputs: [bool(0, 2)], attrs: { to: 'u8' } },
      { inputs: [bool(3)], attrs: { to: 'u8' } },
      { inputs: [i64(2)], attrs: { to: 'f64' }, data: [[0, 2 ** 52]] },
    ],
    refuses: [
      { inputs: [f32(2)], attrs: { to: 'f64' }, message: /differ in size/ },
      { inputs: [{ dtype: 'u8', shape: [2] }], attrs: { to: 'bool' }, message: /not every u8 is a bool/ },
    ],
    ulp: 0,
  },
} satisfies RulesFor<'cast' | 'bitcast'>;

const memory = new DataView(new ArrayBuffer(8));

/** The pattern of a value; a float32 that was kept exact is rounded first, as it has no other bits. */
function writeBits(dtype: DType, value: number): bigint {
  switch (dtype) {
    case 'f32':
      memory.setFloat32(0, value);
      return BigInt(memory.getUint32(0));
    case 'f64':
      memory.setFloat64(0, value);
      return memory.getBigUint64(0);
    default:
      return BigInt.asUintN(64, BigInt(value));
  }
}

function readBits(dtype: DType, bits: bigint): number {
  switch (dtype) {
    case 'f32':
      memory.setUint32(0, Number(BigInt.asUintN(32, bits)));
      return memory.getFloat32(0);
    case 'f64':
      memory.setBigUint64(0, bits);
      return memory.getFloat64(0);
    default:
      return wrap(dtype, bits);
  }
}
