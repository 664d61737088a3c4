// Initialisation of parameters, as torch.nn.init: the same numbers for the same seed. Tensors are filled in place, on the host.
import { scalar } from '../../../kernels/scalar.ts';
import { allocate, type TypedArray } from '../../../runtime/dtype.ts';
import { ArgumentError, ShapeError } from '../../../runtime/errors.ts';
import { noGrad } from '../autograd/mode.ts';
import { fromTypedArray } from '../creation.ts';
import { defaultGenerator, fillNormal, fillUniform, type Generator } from '../random.ts';
import { overwrite } from '../state.ts';
import type { Tensor } from '../tensor.ts';

export type InitOptions = { readonly generator?: Generator | undefined };

function filled(t: Tensor, fill: (out: TypedArray) => void): Tensor {
  const out = allocate(t.element, t.numel());
  fill(out);
  if (t.via === undefined) overwrite(t, out);
  else noGrad(() => void t.copy_(fromTypedArray(out, t.shape)));
  return t;
}

const put = (out: TypedArray, i: number, value: number): void => {
  if (out instanceof BigInt64Array) out[i] = BigInt(Math.trunc(value));
  else out[i] = value;
};

/** Uniform in [a, b). */
export const uniform_ = (t: Tensor, a = 0, b = 1, { generator = defaultGenerator }: InitOptions = {}): Tensor =>
  filled(t, (out) => fillUniform(out, a, b, generator));

export const normal_ = (t: Tensor, mean = 0, std = 1, { generator = defaultGenerator }: InitOptions = {}): Tensor =>
  filled(t, (out) => fillNormal(out, mean, std, generator));

export const constant_ = (t: Tensor, value: number): Tensor =>
  filled(t, (out) => {
    for (let i = 0; i < out.length; i++) put(out, i, value);
  });
export const ones_ = (t: Tensor): Tensor => constant_(t, 1);
export const zeros_ = (t: Tensor): Tensor => constant_(t, 0);

/** The identity, as far as a matrix that is not square has one. */
export function eye_(t: Tensor): Tensor {
  const [rows, columns] = t.shape;
  if (t.ndim !== 2) throw new ShapeError(`only tensors with 2 dimensions are supported, got [${t.shape}]`, { op: 'eye_' });
  return filled(t, (out) => {
    for (let i = 0; i < Math.min(rows!, columns!); i++) put(out, i * columns! + i, 1);
  });
}

const gains = { linear: 1, conv1d: 1, conv2d: 1, sigmoid: 1, tanh: 5 / 3, relu: Math.SQRT2, selu: 3 / 4, leakyRelu: undefined } as const;
export type Nonlinearity = keyof typeof gains;

/** What keeps the variance of activations through a layer with this nonlinearity; `param` is leakyRelu's negative slope. */
export function calculateGain(nonlinearity: Nonlinearity, param = 0.01): number {
  if (!Object.hasOwn(gains, nonlinearity))
    throw new ArgumentError(`unsupported nonlinearity ${String(nonlinearity)}`, {
      op: 'calculateGain',
      fix: `choose from ${Object.keys(gains).join(', ')}`,
    });
  return gains[nonlinearity] ?? Math.sqrt(2 / (1 + param ** 2));
}

/** Connections into an element of the result, and out of one of the input, for weights [out, in, ...window]. */
export function calculateFanInAndFanOut(t: Tensor): readonly [fanIn: number, fanOut: number] {
  if (t.ndim < 2)
    throw new ShapeError(`fan in and fan out can not be computed for fewer than 2 dimensions, got [${t.shape}]`, { op: 'init' });
  const window = t.shape.slice(2).reduce((n, d) => n * d, 1);
  return [t.shape[1]! * window, t.shape[0]! * window];
}

/** Glorot and Bengio, 2010. */
export function xavierUniform_(t: Tensor, gain = 1, options: InitOptions = {}): Tensor {
  const bound = Math.sqrt(3) * xavierStd(t, gain);
  return uniform_(t, -bound, bound, options);
}
export function xavierNormal_(t: Tensor, gain = 1, options: InitOptions = {}): Tensor {
  return normal_(t, 0, xavierStd(t, gain), options);
}
function xavierStd(t: Tensor, gain: number): number {
  const [fanIn, fanOut] = calculateFanInAndFanOut(t);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
}

export type KaimingOptions = InitOptions & {
  /** Negative slope of the leakyRelu that follows. */
  readonly a?: number;
  /** Keeps the variance forward ('fanIn') or backward ('fanOut'). */
  readonly mode?: 'fanIn' | 'fanOut';
  readonly nonlinearity?: Nonlinearity;
};
/** He et al., 2015. */
export function kaimingUniform_(t: Tensor, options: KaimingOptions = {}): Tensor {
  if (t.shape.includes(0)) return t;
  const bound = Math.sqrt(3) * kaimingStd(t, options);
  return uniform_(t, -bound, bound, { generator: options.generator });
}
export function kaimingNormal_(t: Tensor, options: KaimingOptions = {}): Tensor {
  if (t.shape.includes(0)) return t;
  return normal_(t, 0, kaimingStd(t, options), { generator: options.generator });
}
function kaimingStd(t: Tensor, { a = 0, mode = 'fanIn', nonlinearity = 'leakyRelu' }: KaimingOptions): number {
  if (mode !== 'fanIn' && mode !== 'fanOut')
    throw new ArgumentError(`mode ${String(mode)} is not supported`, { op: 'init', fix: "use 'fanIn' or 'fanOut'" });
  const [fanIn, fanOut] = calculateFanInAndFanOut(t);
  return calculateGain(nonlinearity, a) / Math.sqrt(mode === 'fanIn' ? fanIn : fanOut);
}

/** Share of a normal distribution below which redrawing what falls outside would take too long. */
const leastAccepted = 0.3;

/** Normal numbers, redrawn until they lie in [a, b]. */
export function truncNormal_(t: Tensor, mean = 0, std = 1, a = -2, b = 2, { generator = defaultGenerator }: InitOptions = {}): Tensor {
  if (!(a < b) || !(std > 0)) throw new ArgumentError(`no normal number of deviation ${std} lies in [${a}, ${b}]`, { op: 'truncNormal_' });
  const below = (x: number): number => (1 + scalar.erf.f64((x - mean) / std / Math.SQRT2)) / 2;
  const often = below(b) - below(a) > leastAccepted;
  return filled(t, (out) => (often ? byRedrawing : byRejection)(out as Float32Array | Float64Array, mean, std, a, b, generator));
}

type Floats = Float32Array | Float64Array;

/** Draws a whole tensor each time, of which only what is still outside is replaced: PyTorch's order of draws. */
function byRedrawing(out: Floats, mean: number, std: number, a: number, b: number, generator: Generator): void {
  const fresh = out.slice();
  const [low, high] = out instanceof Float32Array ? [Math.fround(a), Math.fround(b)] : [a, b];
  const outside = (x: number): boolean => x < low || x > high;
  fillNormal(out, mean, std, generator);
  while (out.some(outside)) {
    fillNormal(fresh, mean, std, generator);
    for (let i = 0; i < out.length; i++) if (outside(out[i]!)) out[i] = fresh[i]!;
  }
}

/** Uniform candidates, each kept with the probability that its density has of the highest in [a, b]; far tails are reached this way only. */
function byRejection(out: Floats, mean: number, std: number, a: number, b: number, generator: Generator): void {
  const round = out instanceof Float32Array ? Math.fround : (x: number) => x;
  const peak = -0.5 * ((Math.max(a, Math.min(mean, b)) - mean) / std) ** 2;
  const logDensity = (x: number): number => round(round(round(round(round(x - mean) / std) ** 2) * -0.5) - peak);
  const candidates = out.slice();
  const chance = out.slice();
  const pending = new Uint8Array(out.length).fill(1);
  while (pending.includes(1)) {
    fillUniform(candidates, a, b, generator);
    fillUniform(chance, 0, 1, generator);
    for (let i = 0; i < out.length; i++) {
      if (pending[i] === 0) continue;
      out[i] = candidates[i]!;
      if (round(Math.log(chance[i]!)) <= logDensity(candidates[i]!)) pending[i] = 0;
    }
  }
}
