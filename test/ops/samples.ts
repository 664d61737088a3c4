// What the rules are tried with: each op's samples as graphs with seeded data.

import { draws } from '../../compiler/inspect/data.ts';
import type { Aval } from '../../compiler/ir/aval.ts';
import { b, build } from '../../compiler/ir/builder.ts';
import { fixedShape } from '../../compiler/ir/dim.ts';
import { literalNumber, literalOf } from '../../compiler/ir/literal.ts';
import type { Graph, Node, Value } from '../../compiler/ir/node.ts';
import type { OpName } from '../../compiler/ir/opset.ts';
import { referenceOf } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { rules } from '../../compiler/ops/table.ts';
import { type DType, isFloat } from '../../runtime/dtype.ts';

/** A sample seen without its op's types. */
export type Trial = {
  readonly inputs: readonly Aval[];
  readonly attrs: object;
  readonly range?: readonly [number, number];
  readonly data?: readonly (readonly number[] | undefined)[];
  readonly regions?: () => readonly Graph[];
};

export type Case = {
  readonly title: string;
  readonly op: OpName;
  readonly trial: Trial;
  readonly node: Node;
  readonly graph: Graph;
  readonly data: readonly Reference[];
};

/** Numbers of `dtype` in `range`, rounded to what the dtype holds. */
export function drawn(random: () => number, dtype: DType, [low, high]: readonly [number, number]): number {
  const value = low + (high - low) * random();
  if (dtype === 'bool') return random() < 0.5 ? 0 : 1;
  if (isFloat(dtype)) return literalNumber(literalOf(value, dtype));
  return Math.max(dtype === 'u8' ? 0 : -Infinity, Math.round(value));
}

export function dataOf(trial: Trial, seed: number): readonly Reference[] {
  const random = draws(seed);
  return trial.inputs.map(({ dtype, shape }, i) => {
    const sizes = fixedShape(shape);
    const length = sizes.reduce((n, d) => n * d, 1);
    return referenceOf(dtype, sizes, trial.data?.[i] ?? Array.from({ length }, () => drawn(random, dtype, trial.range ?? [-2, 2])));
  });
}

/** The op alone: its operands as inputs. */
export function graphOf(op: OpName, trial: Trial): { readonly node: Node; readonly graph: Graph } {
  const inputs: readonly Value[] = trial.inputs.map((a) => b.input(a));
  const node = build(op, inputs, trial.attrs, trial.regions?.() ?? []);
  return { node, graph: { inputs, outputs: node.values } };
}

export const trialsOf = (op: OpName): readonly Trial[] => rules[op].samples as readonly Trial[];

export function casesOf(op: OpName): readonly Case[] {
  return trialsOf(op).map((trial, i) => {
    const shapes = trial.inputs.map((a) => `${a.dtype}[${a.shape}]`).join(', ');
    return { title: `${op}(${shapes}) #${i}`, op, trial, ...graphOf(op, trial), data: dataOf(trial, i + 1) };
  });
}

/** Cases in which every float operand is drawn at random, so that differences may be taken. */
export const isSmooth = ({ trial }: Case): boolean => trial.inputs.every((a, i) => !isFloat(a.dtype) || trial.data?.[i] === undefined);
