// erf in float64 after Sun's fdlibm s_erf.c, below 1 ulp: a rational function in each of five intervals, the host's exp in the outer ones.
import type { FunctionBuilder, FunctionRef, Node } from './function.ts';
import { host, shared, type Unit } from './unit.ts';

/** Coefficients of numerator and denominator, lowest first. */
type Rational = { readonly p: readonly number[]; readonly q: readonly number[] };

/** (erf x - x) / x in x², below 0.84375. */
const inner: Rational = {
  p: [0.12837916709551256, -0.3250421072470015, -0.02848174957559851, -0.005770270296489442, -0.000023763016656650163],
  q: [1, 0.39791722395915535, 0.0650222499887673, 0.005081306281875766, 0.00013249473800432164, -0.000003960228278775368],
};
/** erf x - 0.845... in |x| - 1, below 1.25. */
const middle: Rational = {
  p: [
    -0.0023621185607526594, 0.41485611868374833, -0.3722078760357013, 0.31834661990116175, -0.11089469428239668, 0.035478304325618236,
    -0.002166375594868791,
  ],
  q: [1, 0.10642088040084423, 0.540397917702171, 0.07182865441419627, 0.12617121980876164, 0.01363708391202905, 0.011984499846799107],
};
/** log(|x| erfc|x|) + x² + 0.5625 in 1 / x², below 1 / 0.35 and below 6. */
const near: Rational = {
  p: [
    -0.009864944034847148, -0.6938585727071818, -10.558626225323291, -62.375332450326006, -162.39666946257347, -184.60509290671104,
    -81.2874355063066, -9.814329344169145,
  ],
  q: [
    1, 19.651271667439257, 137.65775414351904, 434.56587747522923, 645.3872717332679, 429.00814002756783, 108.63500554177944,
    6.570249770319282, -0.0604244152148581,
  ],
};
const far: Rational = {
  p: [
    -0.0098649429247001, -0.799283237680523, -17.757954917754752, -160.63638485582192, -637.5664433683896, -1025.0951316110772,
    -483.5191916086514,
  ],
  q: [
    1, 30.33806074348246, 325.7925129965739, 1536.729586084437, 3199.8582195085955, 2553.0504064331644, 474.52854120695537,
    -22.44095244658582,
  ],
};
const erfOfOne = 0.8450629115104675;

export const erf64 = (unit: Unit): FunctionRef =>
  shared(unit, 'erf64', ['f64'], ['f64'], (f) => {
    const exp = host(unit, 'exp', ['f64'], ['f64']);
    const x = f.param(0);
    const a = f.bind(f.op('f64.abs', x));
    const below = (limit: number, then: () => Node): void => f.if(f.op('f64.lt', a, f.f64(limit)), () => f.return_(then()));
    const signed = (y: Node): Node => f.op('f64.copysign', y, x);
    below(0.84375, () => f.op('f64.add', x, f.op('f64.mul', x, quotient(f, inner, f.bind(f.op('f64.mul', x, x))))));
    below(1.25, () => signed(f.op('f64.add', f.f64(erfOfOne), quotient(f, middle, f.bind(f.op('f64.sub', a, f.f64(1)))))));
    below(6, () => {
      const s = f.bind(f.op('f64.div', f.f64(1), f.op('f64.mul', a, a)));
      const exponent = f.local('f64');
      f.if(
        f.op('f64.lt', a, f.f64(1 / 0.35)),
        () => f.set(exponent, quotient(f, near, s)),
        () => f.set(exponent, quotient(f, far, s)),
      );
      // exp(-x²) in two factors: the square of x rounded to float32 is exact.
      const z = f.bind(f.op('f64.promote_f32', f.op('f32.demote_f64', a)));
      const first = f.callValue(exp, [f.op('f64.sub', f.op('f64.mul', f.op('f64.neg', z), z), f.f64(0.5625))]);
      const rest = f.op('f64.mul', f.op('f64.sub', z, a), f.op('f64.add', z, a));
      const second = f.callValue(exp, [f.op('f64.add', rest, f.get(exponent))]);
      return signed(f.op('f64.sub', f.f64(1), f.op('f64.div', f.op('f64.mul', first, second), a)));
    });
    f.return_(f.select(f.op('f64.ne', x, x), x, signed(f.f64(1))));
  });

function quotient(f: FunctionBuilder, { p, q }: Rational, x: Node): Node {
  const polynomial = (coefficients: readonly number[]): Node =>
    coefficients.slice(0, -1).reduceRight((sum, c) => f.op('f64.add', f.f64(c), f.op('f64.mul', x, sum)), f.f64(coefficients.at(-1)!));
  return f.op('f64.div', polynomial(p), polynomial(q));
}
