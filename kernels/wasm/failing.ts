// How code says that its data cannot be computed with: the first failure of a run writes the status word of the argument block.
import { argumentBlock } from '../../runtime/program.ts';
import type { FunctionRef, Node } from './function.ts';
import { failureStatus, type Site, shared, type Unit } from './unit.ts';

/** `fail(args, status, value)`: of several threads that fail, one is told. */
const failing = (unit: Unit): FunctionRef =>
  shared(unit, 'fail', ['i32', 'i32', 'f64'], [], (f) => {
    const before = f.atomic('i32.atomic.rmw.cmpxchg', [f.param(0), f.i32(0), f.param(1)], argumentBlock.status)!;
    f.if(f.op('i32.eqz', before), () => f.store('f64.store', f.param(0), f.param(2), argumentBlock.value));
  });

/** Reports a failure; what runs on may compute anything, but must not touch memory that is not its own. */
export function fail({ unit, f, args }: Site, op: string, below: number | 'open' | undefined, value: Node): void {
  f.call(failing(unit), [args, f.i32(failureStatus(unit, op, below)), value]);
}

/** The divisor; a zero is reported, and 1 stands in for it. */
export function nonZero({ unit, f, args }: Site, divisor: Node): Node {
  const { type } = divisor;
  const fn = shared(unit, `nonZero_${type}`, ['i32', type], [type], (g) => {
    g.if(type === 'i64' ? g.op('i64.eqz', g.param(1)) : g.op('i32.eqz', g.param(1)), () => {
      fail({ unit, f: g, args: g.param(0) }, 'division by zero', undefined, g.f64(0));
      g.return_(type === 'i64' ? g.i64(1n) : g.i32(1));
    });
    g.return_(g.param(1));
  });
  return f.callValue(fn, [args, divisor]);
}
