// A splat: a 0-d value expanded to a whole shape, which is how constants and numbers of the user meet tensors.
import { b } from '../../ir/builder.ts';
import type { Shape } from '../../ir/dim.ts';
import type { Value } from '../../ir/node.ts';

export const splatTo = (scalar: Value, shape: Shape): Value =>
  shape.length === 0 ? scalar : b.expand(scalar, { shape, at: shape.map((_, i) => i) });
