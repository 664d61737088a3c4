// A whole graph as a StableHLO module: one public function, whose arguments and results carry their roles.
import { IRError } from '../../../runtime/errors.ts';
import { fixedShape, isStatic } from '../../ir/dim.ts';
import { avalOf, type Graph } from '../../ir/node.ts';
import type { Mesh } from '../mesh.ts';
import { type LibraryFunction, newEmitter, type Typed, textOf } from './emitter.ts';
import { block } from './table.ts';
import { elementOf, stringText } from './text.ts';

/** What an argument or result stands for, `param:fc.weight`, and what the runner must know of it beside. */
export type Role = { readonly role: string; readonly notes?: Readonly<Record<string, string | number>> };

export type ModuleOptions = {
  readonly name: string;
  readonly inputs: readonly Role[];
  readonly outputs: readonly Role[];
  /** The mesh whose axes constraints name. */
  readonly mesh?: Mesh | undefined;
  /** What the runner must know of the whole step. */
  readonly notes?: Readonly<Record<string, string>>;
};

const attributeText = (value: string | number): string =>
  typeof value === 'string' ? stringText(value) : Number.isInteger(value) ? `${value} : i64` : `${value} : f64`;

/** The attributes of an argument or result: MLIR keeps what it does not know, so names travel within the module. */
function roleText({ role, notes = {} }: Role): string {
  const all = [['role', role] as const, ...Object.entries(notes)];
  return `{${all.map(([key, value]) => `fluxion.${key} = ${attributeText(value)}`).join(', ')}}`;
}

const notesText = (notes: Readonly<Record<string, string>>): string => {
  const texts = Object.entries(notes).map(([key, value]) => `fluxion.${key} = ${stringText(value)}`);
  return texts.length === 0 ? '' : ` attributes {${texts.join(', ')}}`;
};

const libraryText = ({ symbol, op, options, operand, results }: LibraryFunction): string => {
  const chosen = Object.entries(options).map(([name, on]) => `, fluxion.${name} = ${on}`);
  return `  func.func private @${symbol}(${textOf(operand)}) -> (${results.map(textOf).join(', ')}) attributes {fluxion.library = ${stringText(op)}${chosen.join('')}}`;
};

const meshText = ({ axes }: Mesh): string => `  sdy.mesh @mesh = <[${axes.map(([name, size]) => `"${name}"=${size}`).join(', ')}]>`;

/** The text of a graph of known sizes. Throws IRError where a size is symbolic. */
export function printModule(graph: Graph, { name, inputs, outputs, mesh, notes = {} }: ModuleOptions): string {
  const e = newEmitter('    ');
  const parameters = graph.inputs.map((v, i): Typed => {
    const { dtype, shape } = avalOf(v);
    if (!isStatic(shape)) throw new IRError('a module for XLA wants all sizes known', { op: 'export' });
    return { id: `%arg${i}`, element: elementOf(dtype), shape: fixedShape(shape) };
  });
  const results = block(e, graph, parameters);
  const head = parameters.map((p, i) => `      ${p.id}: ${textOf(p)} ${roleText(inputs[i]!)}`);
  const tail = results.map((r, i) => `      ${textOf(r)} ${roleText(outputs[i]!)}`);
  const returned = `    return ${results.map((r) => r.id).join(', ')} : ${results.map(textOf).join(', ')}`;
  return [
    `module @${/^[A-Za-z_][\w$.]*$/.test(name) ? name : stringText(name)}${notesText(notes)} {`,
    ...(e.axes.size > 0 && mesh !== undefined ? [meshText(mesh)] : []),
    `  func.func public @main(\n${head.join(',\n')}\n    ) -> (\n${tail.join(',\n')}\n    ) {`,
    ...e.lines,
    returned,
    '  }',
    ...[...e.library.values()].map(libraryText),
    '}',
    '',
  ].join('\n');
}
