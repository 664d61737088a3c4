// Arithmetic that WebAssembly has no instruction for and no vector form is worth having of: remainders, integer powers, conversions that wrap.
import type { FunctionRef } from './function.ts';
import { shared, type Unit } from './unit.ts';

/** C's fmod, exactly: multiples of the divisor that are powers of two are taken away, the largest first; no step rounds. */
export const remainder = (unit: Unit): FunctionRef =>
  shared(unit, 'fmod', ['f64', 'f64'], ['f64'], (f) => {
    const [x, y] = [f.param(0), f.bind(f.op('f64.abs', f.param(1)))];
    const infinite = f.f64(Number.POSITIVE_INFINITY);
    const rest = f.local('f64', 'rest');
    const step = f.local('f64', 'step');
    f.set(rest, f.op('f64.abs', x));
    // NaN, an infinite dividend and a zero divisor leave no remainder.
    f.if(f.op('i32.eqz', f.op('i32.and', f.op('f64.lt', f.get(rest), infinite), f.op('f64.gt', y, f.f64(0)))), () =>
      f.return_(f.f64(Number.NaN)),
    );
    f.if(f.op('f64.lt', f.get(rest), y), () => f.return_(x));
    f.set(step, y);
    f.block((done) =>
      f.loop((again) => {
        f.brIf(done, f.op('f64.gt', f.get(step), f.op('f64.mul', f.get(rest), f.f64(0.5))));
        f.set(step, f.op('f64.add', f.get(step), f.get(step)));
        f.br(again);
      }),
    );
    f.loop((again) => {
      f.if(f.op('f64.ge', f.get(rest), f.get(step)), () => f.set(rest, f.op('f64.sub', f.get(rest), f.get(step))));
      f.set(step, f.op('f64.mul', f.get(step), f.f64(0.5)));
      f.brIf(again, f.op('f64.ge', f.get(step), y));
    });
    f.return_(f.op('f64.copysign', f.get(rest), x));
  });

/** x ** y by squaring, wrapping around; negative exponents give what is left of 1 / x ** -y as an integer. */
export const integerPower = (unit: Unit, type: 'i32' | 'i64'): FunctionRef =>
  shared(unit, `power_${type}`, [type, type], [type], (f) => {
    const constant = (n: number) => (type === 'i32' ? f.i32(n) : f.i64(BigInt(n)));
    const [x, y] = [f.param(0), f.param(1)];
    f.if(f.op(`${type}.lt_s`, y, constant(0)), () => {
      f.if(f.op(`${type}.eq`, x, constant(1)), () => f.return_(constant(1)));
      f.if(f.op(`${type}.eq`, x, constant(-1)), () =>
        f.return_(f.op(`${type}.sub`, constant(1), f.op(`${type}.shl`, f.op(`${type}.and`, y, constant(1)), constant(1)))),
      );
      f.return_(constant(0));
    });
    const result = f.local(type, 'result');
    const base = f.local(type, 'base');
    const n = f.local(type, 'n');
    f.set(result, constant(1));
    f.set(base, x);
    f.set(n, y);
    f.block((done) =>
      f.loop((again) => {
        f.brIf(done, f.op(`${type}.eqz`, f.get(n)));
        f.if(type === 'i32' ? f.op('i32.and', f.get(n), f.i32(1)) : f.op('i32.wrap_i64', f.op('i64.and', f.get(n), f.i64(1n))), () =>
          f.set(result, f.op(`${type}.mul`, f.get(result), f.get(base))),
        );
        f.set(base, f.op(`${type}.mul`, f.get(base), f.get(base)));
        f.set(n, f.op(`${type}.shr_s`, f.get(n), constant(1)));
        f.br(again);
      }),
    );
    f.return_(f.get(result));
  });

/** A float64 as an integer modulo 2^64; NaN and infinities give 0. */
export const wrapToInteger = (unit: Unit): FunctionRef =>
  shared(unit, 'wrap', ['f64'], ['i64'], (f) => {
    const x = f.param(0);
    f.if(f.op('f64.lt', f.op('f64.abs', x), f.f64(2 ** 63)), () => f.return_(f.op('i64.trunc_sat_f64_s', x)));
    const bits = f.bind(f.op('i64.reinterpret_f64', x));
    // What is as large is an integer: its significand, shifted by what the exponent exceeds 52 by; all bits are gone beyond 63.
    const shift = f.bind(f.op('i64.sub', f.op('i64.and', f.op('i64.shr_u', bits, f.i64(52n)), f.i64(2047n)), f.i64(1075n)));
    f.if(f.op('i64.ge_s', shift, f.i64(64n)), () => f.return_(f.i64(0n)));
    const significand = f.op('i64.or', f.op('i64.and', bits, f.i64(2n ** 52n - 1n)), f.i64(2n ** 52n));
    const magnitude = f.bind(f.op('i64.shl', significand, shift));
    f.return_(f.select(f.op('i64.lt_s', bits, f.i64(0n)), f.op('i64.sub', f.i64(0n), magnitude), magnitude));
  });
