// How a value lies on a mesh of devices: it means nothing here, and tells XLA where to cut. Its derivative is itself.
import { aval } from '../../ir/aval.ts';
import { b } from '../../ir/builder.ts';
import type { Params } from '../../ir/codec.ts';
import { avalOf, type Value } from '../../ir/node.ts';
import { composite, type Maybe } from './rule.ts';

/** Devices in a grid: its axes by name, with their sizes. */
export type Mesh = { readonly axes: readonly (readonly [name: string, size: number])[] };

/** Names of mesh axes by axis of the value, separated by commas; empty where the axis is not cut. */
type Placement = { readonly axes: string };

export const placementOf = (axes: readonly (string | null)[]): Placement => ({ axes: axes.map((axis) => axis ?? '').join() });
export const axesOf = ({ axes }: Params): readonly (string | undefined)[] =>
  String(axes)
    .split(',')
    .map((axis) => axis || undefined);

export const constrain = composite<[x: Value], Placement>({
  doc: 'x itself, which lies on the mesh as its option says.',
  body: ([x]) => [b.reshape(x, { shape: avalOf(x).shape })],
  vjp: ([ct], { params, composite: record }): readonly Maybe[] => [record('constrain', [ct!], params)[0]!],
  jvp: ([t], { params, composite: record }): readonly Maybe[] => [t! && record('constrain', [t], params)[0]!],
  batch: (_, { axes }) => ({ params: { axes: `,${axes}` }, carry: [true] }),
  samples: [{ inputs: [aval('f64', [3, 4])], params: { axes: 'data,' } }],
});
