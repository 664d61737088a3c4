// Expressions as trees of instructions: what they are made of, and the few that are made without checks.
import { type Opcode, opcodes, type Type } from './opcode.ts';

/** What an instruction carries, by the kind that its opcode names: a local's index, a constant, bits of a float, an offset, lanes. */
export type Immediate = undefined | number | bigint | readonly number[] | Uint8Array;

/** A pure expression. It is evaluated anew at each use: what is used more than once is bound (`bind`). */
export type Node = {
  readonly type: Type;
  readonly op: Opcode;
  readonly args: readonly Node[];
  readonly immediate: Immediate;
  /** Set if this reads a local: `true` where the local may be assigned later. */
  readonly mutable: boolean | undefined;
};

/** A place that can be assigned. `name` is for readers of the code. */
export type Local = { readonly type: Type; readonly index: number; readonly name: string | undefined };

/** A function of the module. `index` is known when the module is finished. */
export type FunctionRef = {
  readonly name: string;
  readonly params: readonly Type[];
  readonly results: readonly Type[];
};

/** Sixteen bytes, or one number for all lanes, or a number per lane. */
export type VectorConstant =
  | Uint8Array
  | { readonly f32x4: number | readonly number[] }
  | { readonly f64x2: number | readonly number[] }
  | { readonly i32x4: number | readonly number[] }
  | { readonly i64x2: bigint | readonly bigint[] };

export const node = (type: Type, op: Opcode, args: readonly Node[], immediate: Immediate): Node => ({
  type,
  op,
  args,
  immediate,
  mutable: undefined,
});

export const read = (index: number, type: Type, mutable: boolean): Node => ({
  type,
  op: opcodes['local.get'],
  args: [],
  immediate: index,
  mutable,
});

/** Whether a scalar is known; vectors are not, since their constants live in locals. */
export const isConstant = (value: Node): boolean =>
  value.op.operands.length === 0 && value.op.immediate !== 'local' && value.type !== 'v128';

const scratch = new DataView(new ArrayBuffer(16));
const scratchBytes = new Uint8Array(scratch.buffer);

/** The sixteen bytes, which the next call overwrites: most constants are known already and only looked up. */
export function vectorBytes(value: VectorConstant): Uint8Array {
  if (value instanceof Uint8Array) return value;
  const lane = <T>(lanes: T | readonly T[], k: number): T => (Array.isArray(lanes) ? (lanes as readonly T[])[k]! : (lanes as T));
  if ('f32x4' in value) for (let k = 0; k < 4; k++) scratch.setFloat32(4 * k, lane(value.f32x4, k), true);
  else if ('f64x2' in value) for (let k = 0; k < 2; k++) scratch.setFloat64(8 * k, lane(value.f64x2, k), true);
  else if ('i32x4' in value) for (let k = 0; k < 4; k++) scratch.setInt32(4 * k, lane(value.i32x4, k), true);
  else for (let k = 0; k < 2; k++) scratch.setBigInt64(8 * k, lane(value.i64x2, k), true);
  return scratchBytes;
}

/** Equal for equal bytes. */
export function vectorKey(bytes: Uint8Array): string {
  let key = '';
  for (let k = 0; k < 16; k += 2) key += String.fromCharCode(bytes[k]! | (bytes[k + 1]! << 8));
  return key;
}
