// The list of what a tensor can do: a method is added here when it is added there, with its documentation.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../compiler/index.ts';

const families: Readonly<Record<string, string>> = {
  autograd:
    'backward detach detach_ grad gradFn isInference isLeaf registerHook registerPostAccumulateGradHook requiresGrad requiresGrad_ retainGrad retainsGrad',
  observe:
    'data dataSync device dim dispose dtype item itemSync ndim numel shape size storageOffset stride toJSON toString tolist tolistSync',
  arithmetic: `add add_ addcdiv addcdiv_ addcmul addcmul_ copysign div div_ floorDivide floorDivide_ fmod fmod_ heaviside hypot lerp lerp_
    logaddexp mul mul_ pow pow_ remainder remainder_ sub sub_ xlogy`,
  unary: `abs abs_ acos acosh asin asinh atan atanh ceil ceil_ cos cos_ cosh deg2rad erf erfc exp exp2 exp_ expm1 floor floor_ frac isfinite isinf
    isnan log log10 log1p log2 log_ logit nanToNum neg neg_ rad2deg reciprocal reciprocal_ round round_ rsqrt rsqrt_ sigmoid sigmoid_ sign
    signbit sin sin_ sinc sinh sqrt sqrt_ square square_ tan tanh tanh_ trunc trunc_`,
  comparison: `allclose atan2 bitwiseAnd bitwiseLeftShift bitwiseNot bitwiseOr bitwiseRightShift bitwiseXor eq equal fmax fmin ge gt isclose le
    logicalAnd logicalNot logicalOr logicalXor lt maximum minimum ne`,
  reduction: `all amax amin aminmax any argmax argmin argsort bincount countNonzero cummax cummin cumprod cumsum kthvalue logsumexp max mean median
    min nanmean nansum norm prod quantile sort std sum topk unique var`,
  shape: `T bool broadcastTo byte chunk clone constrain contiguous copy_ diag diagEmbed diagonal double expand expandAs flatten flip fliplr flipud float int
    isContiguous long mT movedim narrow pad permute repeat repeatInterleave reshape reshapeAs roll rot90 split squeeze swapaxes swapdims t tile to
    trace transpose tril triu typeAs unbind unflatten unfold unsqueeze view viewAs`,
  index: `argwhere fill_ gather index indexAdd indexAdd_ indexCopy indexCopy_ indexFill indexFill_ indexPut_ indexSelect maskedFill maskedFill_
    maskedSelect nonzero scatter scatterAdd scatterAdd_ scatter_ select take takeAlongDim where zero_`,
  linear: 'addmm baddbmm bmm cross dist dot inner kron matmul mm mv outer',
  activation: 'clamp clamp_ logSoftmax relu relu_ softmax',
  draw: 'bernoulli_ exponential_ normal_ random_ uniform_',
};
const names = (list: string): string[] => list.split(/\s+/).filter((n) => n !== '');

/** Methods and properties of the class and what it extends, but for those of the handle beneath. */
function publicMembers(): string[] {
  const found = new Set<string>();
  for (let p: object = Tensor.prototype; p !== Object.prototype; p = Object.getPrototypeOf(p) as object)
    if ((p.constructor as { name: string }).name !== 'Handle')
      for (const name of Object.getOwnPropertyNames(p)) if (name !== 'constructor') found.add(name);
  return [...found];
}

describe('Tensor', () => {
  it('has the methods of the table, and no others', () => {
    expect(publicMembers().sort()).toEqual(Object.values(families).flatMap(names).sort());
  });

  it('has a sentence of documentation at each', () => {
    const folder = new URL('../../compiler/frontend/methods/', import.meta.url);
    const undocumented: string[] = [];
    for (const file of readdirSync(folder)) {
      const lines = readFileSync(new URL(file, folder), 'utf8').split('\n');
      const seen = new Set<string>();
      lines.forEach((line, i) => {
        const name = /^ {2}(?:override |async |get )*(\w+)\((?:this|\)| *$|dim)/.exec(line)?.[1];
        if (name === undefined || seen.has(name)) return;
        seen.add(name);
        if (!/\*\/\s*$/.test(lines[i - 1]!)) undocumented.push(`${file}: ${name}`);
      });
    }
    expect(undocumented).toEqual([]);
  });
});
