// Adam in jax-js, which brings no optimisers: pure, on arrays that it consumes.
import type { Jax, JaxArray } from './jax.ts';

const [lr, beta1, beta2, eps] = [1e-3, 0.9, 0.999, 1e-8];

/** p, m and v after one update; `correction1` and `correction2` are 1 - beta^t. */
export function adamOf(
  { numpy }: Jax,
  [p, m, v, g]: readonly [JaxArray, JaxArray, JaxArray, JaxArray],
  correction1: number | JaxArray,
  correction2: number | JaxArray,
): [JaxArray, JaxArray, JaxArray] {
  const m1 = m.mul(beta1).add(g.ref.mul(1 - beta1));
  const v1 = v.mul(beta2).add(g.ref.mul(g).mul(1 - beta2));
  const root = numpy.sqrt(v1.ref.div(correction2)).add(eps);
  return [p.sub(m1.ref.div(correction1).mul(lr).div(root)), m1, v1];
}

/** A step over `count` parameters, their moments and gradients, long after the first. */
export const adamUpdate =
  (j: Jax, count: number) =>
  (...xs: JaxArray[]): JaxArray[] => {
    const updated = Array.from({ length: count }, (_, i) =>
      adamOf(j, [xs[i]!, xs[count + i]!, xs[2 * count + i]!, xs[3 * count + i]!], 1, 1 - beta2 ** 1001),
    );
    return [0, 1, 2].flatMap((part) => updated.map((u) => u[part]!));
  };
