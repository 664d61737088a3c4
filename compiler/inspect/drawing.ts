// A graph as boxes and arrows, from which all picture formats are written. A kernel is a group of the boxes that it holds.
import { bytesPerElement } from '../../runtime/dtype.ts';
import { avalText } from '../ir/aval.ts';
import { fixed, numel } from '../ir/dim.ts';
import { idsOf } from '../ir/names.ts';
import { avalOf, codecsOf, type Graph, locationText, type Node, nodesOf, type Value } from '../ir/node.ts';

export type Box = {
  /** Unique in the drawing; of letters, digits and underscores. */
  readonly id: string;
  readonly op: string;
  /** The dtypes and shapes of its results. */
  readonly types: readonly string[];
  readonly attributes: readonly (readonly [name: string, value: string])[];
  readonly line: string | undefined;
  /** The group that holds it. */
  readonly group: string | undefined;
};

export type Arrow = {
  readonly from: string;
  readonly output: number;
  readonly to: string;
  readonly input: number;
  readonly type: string;
  readonly bytes: number;
};

export type Group = { readonly id: string; readonly label: string; readonly line: string | undefined };

export type Drawing = {
  readonly name: string;
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
  readonly groups: readonly Group[];
};

export function drawingOf(graph: Graph, name: string): Drawing {
  const boxes: Box[] = [];
  const arrows: Arrow[] = [];
  const groups: Group[] = [];
  /** Which box makes a value. */
  const makers = new Map<Value, { readonly id: string; readonly output: number }>();
  const ids = idsOf(graph);

  const add = (node: Node, id: string, group: string | undefined): void => {
    boxes.push({ id, op: node.op, types: node.outputs.map(avalText), attributes: attributesOf(node), line: locationText(node.loc), group });
    node.values.forEach((v, output) => void makers.set(v, { id, output }));
    node.inputs.forEach((v, input) => {
      const maker = makers.get(v)!;
      arrows.push({ from: maker.id, output: maker.output, to: id, input, type: avalText(avalOf(v)), bytes: bytesOf(v) });
    });
  };

  for (const v of graph.inputs) if (!makers.has(v)) add(v.node, `v${ids.get(v)!}`, undefined);
  for (const node of nodesOf(graph)) {
    const id = `v${ids.get(node.values[0]!)!}`;
    if (node.op !== 'kernel') {
      add(node, id, undefined);
      continue;
    }
    const [region] = node.regions;
    groups.push({ id, label: node.attrs.name, line: locationText(node.loc) });
    region!.inputs.forEach((param, i) => void makers.set(param, makers.get(node.inputs[i]!)!));
    const inner = idsOf(region!);
    for (const n of nodesOf(region!)) add(n, `${id}_${inner.get(n.values[0]!)!}`, id);
    node.values.forEach((v, i) => void makers.set(v, makers.get(region!.outputs[i]!)!));
  }
  graph.outputs.forEach((v, i) => {
    const maker = makers.get(v)!;
    const id = `output${i}`;
    boxes.push({ id, op: 'output', types: [avalText(avalOf(v))], attributes: [['index', String(i)]], line: undefined, group: undefined });
    arrows.push({ from: maker.id, output: maker.output, to: id, input: 0, type: avalText(avalOf(v)), bytes: bytesOf(v) });
  });
  return { name, boxes, arrows, groups };
}

function attributesOf(node: Node): [string, string][] {
  const codecs = codecsOf(node.op);
  const attrs = node.attrs as Readonly<Record<string, unknown>>;
  return Object.keys(codecs).map((key) => [key, codecs[key]!.print(attrs[key])]);
}

/** 0 where a size is open. */
function bytesOf(v: Value): number {
  const { dtype, shape } = avalOf(v);
  const n = numel(shape);
  return typeof n === 'number' ? fixed(n) * bytesPerElement[dtype] : 0;
}
