// A kernel node over a region written as text, and its plain nest as text.
import { b } from '../../compiler/ir/builder.ts';
import type { NodeOf } from '../../compiler/ir/node.ts';
import { dtypeOf, type Value } from '../../compiler/ir/node.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { lowerKernel } from '../../compiler/lower/kernel.ts';
import type { Kernel } from '../../kernels/loop.ts';
import { printStatements } from '../../kernels/print.ts';
import { jsTarget, type Target } from '../../runtime/target.ts';

type Form = NodeOf<'kernel'>['attrs']['form'];
export type Options = { readonly space: readonly number[]; readonly reduce?: readonly number[]; readonly target?: Target };

/** The kernel whose region is the graph of this text. */
export function lowered(form: Form, text: string, { space, reduce = [], target = jsTarget }: Options): Kernel {
  const region = parse(text);
  const outer: Value[] = region.inputs.map(({ node }) => (node.op === 'slot' ? b.slot(node.attrs) : b.input(node.outputs[0]!)));
  const [result] = b.kernel(outer, { name: 'k', form, space, reduce }, [region]);
  const slots = outer.filter((v) => v.node.op === 'slot');
  return lowerKernel(
    result!.node as NodeOf<'kernel'>,
    outer.map((v) => (v.node.op === 'slot' ? slots.indexOf(v) : undefined)),
    slots.map(dtypeOf),
    target,
  );
}

/** The nest of a kernel, as it is printed. */
export const nestOf = (form: Form, text: string, options: Options): string => printStatements(lowered(form, text, options).body);
