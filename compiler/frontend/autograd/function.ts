// Custom functions: a forward and a backward of the user's own, as `torch.autograd.Function`.
import { isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, AutogradError } from '../../../runtime/errors.ts';
import { batchCustom } from '../../autodiff/batchCustom.ts';
import { applyCustom } from '../../autodiff/custom.ts';
import type { Aval } from '../../ir/aval.ts';
import { edgeOf, requiresGradOf } from '../handle.ts';
import { applyMany, rebase } from '../op.ts';
import { isTensor } from '../pytree.ts';
import { beginOp, currentTrace } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import { siteNow } from './anomaly.ts';
import { type Context, FunctionContext, snapshot } from './functionContext.ts';
import { checked, type Definition, zerosOf } from './functionDefinition.ts';
import { type Custom, GradFn } from './graph.ts';
import { isGradEnabled, noGrad } from './mode.ts';
import { freed } from './residuals.ts';
import { applyUnderTransform } from './transformedFunction.ts';

type ArgsOf<D> = D extends { forward: infer F; setupContext: unknown }
  ? F extends (...args: infer A) => unknown
    ? A
    : never
  : D extends { forward: (ctx: Context, ...args: infer A) => unknown }
    ? A
    : never;
type ResultOf<D> = D extends { forward: (...args: never[]) => infer R } ? R : never;

/**
 * Subclass it with static methods and call `apply`:
 *
 *     class Square extends Function {
 *       static forward(ctx: Context, x: Tensor) { ctx.saveForBackward(x); return x.mul(x); }
 *       static backward(ctx: Context, g: Tensor) { return g.mul(2).mul(ctx.savedTensors[0]); }
 *     }
 *     Square.apply(x);
 *
 * Or with `forward(x)` and `setupContext(ctx, inputs, output)`. Backward gives a gradient, or null, for each argument.
 */
// biome-ignore lint/complexity/noStaticOnlyClass: users subclass it, as in PyTorch
// biome-ignore lint/suspicious/noShadowRestrictedNames: PyTorch's name
export class Function {
  /** Runs forward, and records the function for backward if an argument requires gradients. */
  static apply<D extends Definition>(this: D, ...args: ArgsOf<D>): ResultOf<D> {
    // biome-ignore lint/complexity/noThisInStatic: the subclass that it was called on
    return applyFunction(this, args as readonly unknown[]) as ResultOf<D>;
  }
}

function applyFunction(definition: Definition, args: readonly unknown[]): unknown {
  const name = `${definition.name}Backward`;
  beginOp();
  if (typeof definition.forward !== 'function') throw new AutogradError('you must implement the forward function', { op: definition.name });
  if (currentTrace() !== undefined) return applyUnderTransform(definition, args);
  const edges = args.map((a) => (isTensor(a) ? edgeOf(a) : null));
  const wanted = args.map((a) => isTensor(a) && requiresGradOf(a));
  const records = isGradEnabled() && wanted.includes(true);
  const ctx = new FunctionContext(name, wanted);
  const context = ctx as unknown as Context;
  const output = noGrad(() => {
    if (definition.setupContext === undefined) return definition.forward(...([context, ...args] as never[])) as object;
    const made = definition.forward(...(args as never[])) as object;
    definition.setupContext(context, args as never, made as never);
    return made;
  }) as unknown;
  const several = Array.isArray(output);
  const outputs = several ? (output as unknown[]) : [output];
  const { dirty, constant, materialize } = FunctionContext.facts(ctx);
  demandDirty(name, dirty);
  if (!records) {
    FunctionContext.seal(ctx);
    return output;
  }
  const fn = new GradFn(
    name,
    args.flatMap((a, i) => (isTensor(a) ? [edges[i]!] : [])),
    undefined,
  );
  fn.site = siteNow();
  const results = outputs.map((t, index) => {
    if (!isTensor(t) || !isFloat(t.element) || constant.has(t)) return t;
    const edge = { fn, index };
    if (dirty.has(t)) {
      rebase(t, edge);
      return t;
    }
    // An operand that comes back as it is becomes another tensor, so that its own history stays.
    const own = args.includes(t) ? t.detach() : t;
    own.edge = edge;
    own.edgeAt = own.via?.base.edgeSerial ?? 0;
    return own;
  });
  // What was saved may be a result: it is saved with the history that it has now.
  FunctionContext.seal(ctx);
  fn.custom = customOf(
    definition,
    ctx,
    fn,
    args,
    outputs.map((t) => (isTensor(t) ? { dtype: t.element, shape: t.shape } : undefined)),
    materialize,
  );
  return several ? results : results[0];
}

function demandDirty(name: string, dirty: ReadonlySet<Tensor>): void {
  for (const t of dirty) {
    if (!isTensor(t)) throw new ArgumentError('markDirty takes tensors', { op: name });
    const base = t.via?.base ?? t;
    if (isGradEnabled() && base.wantsGrad && base.edge === undefined)
      throw new AutogradError('a leaf tensor that requires grad has been used in an in-place operation', { op: name });
  }
}

function customOf(
  definition: Definition,
  ctx: FunctionContext,
  fn: GradFn,
  args: readonly unknown[],
  outputs: readonly (Aval | undefined)[],
  materialize: boolean,
): Custom {
  return {
    run(gradOutputs) {
      if (FunctionContext.isFreed(ctx)) throw freed(fn.name);
      const backward = definition.backward ?? definition.vjp;
      if (typeof backward !== 'function')
        throw new AutogradError('you must implement the backward (or vjp) method for your Function to use it with backward()', {
          op: fn.name,
        });
      const given = outputs.map((aval, i) => gradOutputs[i] ?? (materialize && aval !== undefined ? zerosOf(aval) : null));
      const returned = backward.call(definition, ctx as unknown as Context, ...(given as never[]));
      return checked(fn.name, args, Array.isArray(returned) ? returned : [returned]);
    },
    release: () => FunctionContext.release(ctx),
    saved: () => ctx.savedTensors,
  };
}

/**
 * Wraps a backward that is not itself differentiable: differentiating its result throws AutogradError.
 * `static backward = onceDifferentiable((ctx, g) => ...)`.
 */
export function onceDifferentiable<A extends readonly unknown[], R>(backward: (ctx: Context, ...gradOutputs: A) => R): typeof backward {
  return (ctx, ...gradOutputs) => {
    if (currentTrace() !== undefined) return blockedInTrace(backward(ctx, ...gradOutputs));
    const outer = isGradEnabled();
    const returned = noGrad(() => backward(ctx, ...gradOutputs) as object) as unknown;
    if (!outer) return returned as R;
    const operands = [...gradOutputs, ...ctx.savedTensors].filter(isTensor).map(edgeOf);
    if (operands.every((e) => e === null)) return returned as R;
    const list = Array.isArray(returned) ? returned : [returned];
    const fn = new GradFn('OnceDifferentiableBackward', operands, undefined);
    fn.custom = {
      run: () => {
        throw twice();
      },
      release: () => {},
      saved: () => [],
    };
    const blocked = list.map((t, index) => {
      if (!isTensor(t)) return t;
      const own = snapshot(t);
      own.edge = { fn, index };
      return own;
    });
    return (Array.isArray(returned) ? blocked : blocked[0]) as R;
  };
}

const twice = (): AutogradError =>
  new AutogradError('trying to differentiate twice a function that was marked with onceDifferentiable', { op: 'backward' });

/** Under a transform the results are nodes that refuse to be differentiated. */
function blockedInTrace<R>(returned: R): R {
  const several = Array.isArray(returned);
  const list = several ? (returned as unknown[]) : [returned];
  const refuse = (): never => {
    throw twice();
  };
  const rule = { vjp: refuse, jvp: refuse, batch: batchCustom };
  const own = list.map((t) =>
    isTensor(t) ? applyMany('onceDifferentiable', [t], (v) => applyCustom('onceDifferentiable', [v!], (x) => x, rule))[0] : t,
  );
  return (several ? own : own[0]) as R;
}
