// Patterns over values: what a rewrite rule looks for, with the names and types of what it finds.
import { literalNumber } from '../ir/literal.ts';
import { avalOf, codecsOf, type Node, type Value } from '../ir/node.ts';
import { type AttrsOf, type OpName, type OpSet, opset, type Tuple } from '../ir/opset.ts';

declare const binds: unique symbol;
/** A pattern whose match gives the bindings `B`. */
export type Pattern<B = unknown> = Shape & { readonly [binds]?: B };
type Shape =
  | { readonly kind: 'value'; readonly name: string }
  | {
      readonly kind: 'node';
      readonly op: OpName;
      readonly inputs: readonly Shape[];
      readonly attrs: Readonly<Record<string, AttrPattern<unknown>>>;
    }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'splat'; readonly name: string }
  | { readonly kind: 'once'; readonly of: Shape };

/** Every attribute is bound to a name, held to a value, or openly ignored. */
export type AttrPattern<T> = Bind<string> | Ignore | Exactly<T>;
type Bind<N extends string> = { readonly bind: N };
type Ignore = { readonly ignore: true };
type Exactly<T> = { readonly exactly: T };
export const bind = <const N extends string>(name: N): Bind<N> => ({ bind: name });
export const ignore: Ignore = { ignore: true };
export const exactly = <T>(value: T): Exactly<T> => ({ exactly: value });

type AttrPatterns<K extends OpName> = { readonly [N in keyof AttrsOf<K>]: AttrPattern<AttrsOf<K>[N]> };
type BindingsOf<P> = P extends { readonly [binds]?: infer B } ? B : unknown;
/** The intersection of types that stand as parameters of a union of functions. */
type Both<F> = [F] extends [never] ? unknown : (F extends unknown ? F : never) extends (all: infer B) => void ? B : unknown;
type InputBindings<I extends readonly unknown[]> = Both<{ [N in keyof I]: (bindings: BindingsOf<I[N]>) => void }[number]>;
type AttrBindings<K extends OpName, A> = Both<
  {
    [N in keyof A & keyof AttrsOf<K>]: (
      bindings: A[N] extends Bind<infer Name> ? { readonly [P in Name]: AttrsOf<K>[N] } : unknown,
    ) => void;
  }[keyof A & keyof AttrsOf<K>]
>;
type NodeBindings<K extends OpName, I extends readonly unknown[], A> = InputBindings<I> & AttrBindings<K, A>;

/** Ops with a fixed number of operands and no regions. */
type PatternOp = { [K in OpName]: OpSet[K]['operands'] extends 'many' ? never : K }[OpName];
type Operands<K extends OpName> = Tuple<OpSet[K]['operands'], Pattern> extends infer T extends readonly Pattern[] ? T : never;
type Constructor<K extends OpName> = keyof AttrsOf<K> extends never
  ? <const I extends Operands<K>>(...inputs: I) => Pattern<NodeBindings<K, I, unknown>>
  : <const I extends Operands<K>, const A extends AttrPatterns<K>>(
      ...args: readonly [...inputs: I, attrs: A]
    ) => Pattern<NodeBindings<K, I, A>>;
export type Patterns = { readonly [K in PatternOp]: Constructor<K> };

/** One constructor an op: `p.log(p.sum(value('x'), { axes: bind('a') }))`. */
export const p: Patterns = Object.fromEntries(
  Object.entries(opset).map(([op, { operands }]) => [
    op,
    (...args: unknown[]): Shape => ({
      kind: 'node',
      op: op as OpName,
      inputs: args.slice(0, operands.length) as Shape[],
      attrs: (args[operands.length] ?? {}) as Record<string, AttrPattern<unknown>>,
    }),
  ]),
) as unknown as Patterns;

/** Any value; the same name twice means the same value. */
export const value = <const N extends string>(name: N): Pattern<{ readonly [P in N]: Value }> => ({ kind: 'value', name });
/** A literal of this number in whatever dtype, or one expanded to a shape. 0 and -0 are different numbers. */
export const number = (n: number): Pattern<unknown> => ({ kind: 'number', value: n });
/** A 0-d value expanded to a shape, bound as the 0-d value. */
export const splat = <const N extends string>(name: N): Pattern<{ readonly [P in N]: Value }> => ({ kind: 'splat', name });
/** A value that nothing else uses, so that rewriting it leaves no second copy of the work. */
export const once = <B>(of: Pattern<B>): Pattern<B> => ({ kind: 'once', of }) as Pattern<B>;

/** The 0-d value that is the same at every element of `v`, if it is so made. */
export function splatOf(v: Value): Value | undefined {
  const { node } = v;
  if (avalOf(v).shape.length === 0) return v;
  return node.op === 'expand' && avalOf(node.inputs[0]).shape.length === 0 ? node.inputs[0] : undefined;
}

/** The literal that fills `v`, if one does. */
export function literalIn(v: Value): Extract<Node, { op: 'literal' }> | undefined {
  const scalar = splatOf(v);
  return scalar?.node.op === 'literal' ? scalar.node : undefined;
}

export type Bindings = Record<string, unknown>;

/** Matches a value, filling `found`; recursion is as deep as the pattern that someone wrote. */
export function matches(pattern: Shape, v: Value, found: Bindings, isOnce: (v: Value) => boolean): boolean {
  switch (pattern.kind) {
    case 'value':
      return bound(found, pattern.name, v);
    case 'number': {
      const literal = literalIn(v);
      return literal !== undefined && Object.is(literalNumber(literal.attrs.value), pattern.value);
    }
    case 'splat': {
      const scalar = splatOf(v);
      return scalar !== undefined && bound(found, pattern.name, scalar);
    }
    case 'once':
      return isOnce(v) && matches(pattern.of, v, found, isOnce);
    case 'node': {
      const { node } = v;
      if (node.op !== pattern.op) return false;
      for (const name in pattern.attrs) if (!matchesAttr(node, name, pattern.attrs[name]!, found)) return false;
      return pattern.inputs.every((inner, i) => matches(inner, node.inputs[i]!, found, isOnce));
    }
    default:
      return pattern satisfies never;
  }
}

function matchesAttr(node: Node, name: string, pattern: AttrPattern<unknown>, found: Bindings): boolean {
  const attr = (node.attrs as Bindings)[name];
  if ('ignore' in pattern) return true;
  const { equal } = codecsOf(node.op)[name]!;
  if ('exactly' in pattern) return equal(attr, pattern.exactly);
  if (!(pattern.bind in found)) found[pattern.bind] = attr;
  else return equal(attr, found[pattern.bind]);
  return true;
}

function bound(found: Bindings, name: string, v: Value): boolean {
  if (!(name in found)) found[name] = v;
  return found[name] === v;
}
