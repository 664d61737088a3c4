// Values whose derivative is deliberately not that of what computes them: what `detach()`, `noGrad()` and writes under them mean in a graph.
import { aval } from '../../ir/aval.ts';
import { b } from '../../ir/builder.ts';
import { avalOf, type Value } from '../../ir/node.ts';
import { composite, leading } from './rule.ts';

const plane = aval('f64', [3, 4]);
const named = (x: Value): Value => b.reshape(x, { shape: avalOf(x).shape });

export const stopGradient = composite<[x: Value], { readonly forward: boolean }>({
  doc: 'x itself, through which no cotangent flows back; tangents flow if `forward`, as `noGrad()` leaves forward mode alone.',
  body: ([x]) => [named(x)],
  vjp: () => [null],
  jvp: ([t], { params }) => [params.forward ? t! : null],
  batch: leading(1),
  samples: [{ inputs: [plane], params: { forward: false } }],
});

export const withHistory = composite<[value: Value, history: Value]>({
  doc: 'The first operand with the derivative of the second: a value that was written where no gradients were recorded.',
  body: ([value]) => [named(value)],
  vjp: ([ct]) => [null, ct!],
  jvp: ([, t]) => [t!],
  batch: leading(2),
  samples: [{ inputs: [plane, plane], params: {} }],
});
