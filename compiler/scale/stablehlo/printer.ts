// The type of an entry of the table of primitives: how one op becomes StableHLO.
import type { NodeOf } from '../../ir/node.ts';
import type { OpName } from '../../ir/opset.ts';
import type { Emitter, Typed } from './emitter.ts';

/** `xs` are the operands of `n` as they stand in the text; the results come back in order. */
export type Print<K extends OpName> = (xs: readonly Typed[], n: NodeOf<K>, e: Emitter) => readonly Typed[];
export type PrintersFor<N extends OpName> = { readonly [K in N]: Print<K> };
