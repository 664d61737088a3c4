// Runs scripts of autograd steps in Fluxion. The language is described in script.py, which runs them in PyTorch.
import * as fx from '../../compiler/index.ts';

type T = fx.Tensor;
/** What a script wrote down: tensors as nested lists, the rest as it is. */
export type Seen = readonly unknown[];
type Names = Record<string, unknown>;
type Step = (args: never, options: never, run: Run) => unknown;
/** What a step may ask beside its operands. */
type Run = {
  readonly see: (what: unknown) => void;
  /** Runs the block behind the step, with these values for the names of its operands. */
  readonly block: (...values: unknown[]) => unknown;
};

const tokens = (text: string): string[] => text.replace(/[;{}]/g, ' $& ').trim().split(/\s+/);

/** Runs a script; what it sees goes to `see` as it comes, so that it is there when a step throws. */
export function runScript(text: string, see: (what: unknown) => void): void {
  const words = tokens(text);
  steps(words, 0, words.length, {}, see);
}

/** Runs `words[from..to)`; gives what `give` was told. */
function steps(words: readonly string[], from: number, to: number, names: Names, see: Run['see']): unknown {
  let given: unknown;
  for (let at = from; at < to; ) {
    let end = at;
    while (end < to && words[end] !== ';' && words[end] !== '{') end++;
    const after = words[end] === '{' ? closing(words, end) : end;
    if (end > at) {
      const hasTarget = words[at + 1] === '=';
      const [verb = '', ...rest] = words.slice(hasTarget ? at + 2 : at, end);
      if (verb === 'give') given = operandOf(rest[0]!, names);
      else {
        const block = (...values: unknown[]): unknown => {
          const inner = values.length === 0 ? names : { ...names, ...Object.fromEntries(values.map((v, i) => [rest[i]!, v])) };
          return steps(words, end + 1, after, inner, see);
        };
        const result = step(verb, rest, names, { see, block });
        if (hasTarget) names[words[at]!] = result;
      }
    }
    at = after + 1;
  }
  return given;
}

function closing(words: readonly string[], open: number): number {
  let depth = 0;
  for (let at = open; ; at++) {
    if (words[at] === '{') depth++;
    if (words[at] === '}' && --depth === 0) return at;
  }
}

function step(verb: string, rest: readonly string[], names: Names, run: Run): unknown {
  const options: Record<string, unknown> = {};
  const args: unknown[] = [];
  for (const word of rest) {
    const [, key, value] = /^(\w+)=(.*)$/.exec(word) ?? [];
    if (key === undefined) args.push(operandOf(word, names));
    else options[key] = operandOf(value!, names);
  }
  if (Object.hasOwn(verbs, verb)) return verbs[verb]!(args as never, options as never, run);
  const more = Object.keys(options).length === 0 ? args : [...args, options];
  return called(verb, more);
}

type Callable = (...args: readonly unknown[]) => unknown;
/** A method of the first operand, or a function. */
function called(verb: string, args: readonly unknown[]): unknown {
  const [self, ...others] = args;
  const method = self instanceof fx.Tensor ? (self as unknown as Record<string, unknown>)[verb] : undefined;
  if (typeof method === 'function') return listed((method as Callable).call(self, ...others));
  const space = [fx, fx.F, fx.linalg].find((s) => verb in s) as Record<string, Callable> | undefined;
  if (space === undefined) throw new TypeError(`there is no function ${verb}`);
  return listed(space[verb]!(...args));
}
/** Values and their indices are a pair in PyTorch. */
const listed = (result: unknown): unknown =>
  typeof result === 'object' && result !== null && 'indices' in result && 'values' in result && !(result instanceof fx.Tensor)
    ? [result.values, result.indices]
    : result;

function operandOf(word: string, names: Names): unknown {
  if (word.startsWith("'")) return word.slice(1, -1);
  if (word.startsWith('[')) return parts(word).map((part) => operandOf(part, names));
  const constants: Names = {
    true: true,
    false: false,
    null: null,
    inf: Number.POSITIVE_INFINITY,
    '-inf': Number.NEGATIVE_INFINITY,
    nan: Number.NaN,
  };
  if (word in constants) return constants[word];
  if (/^-?[\d.]/.test(word)) return Number(word);
  const [first = '', ...path] = word.split('.');
  if (!(first in names)) throw new TypeError(`nothing is called ${first}`);
  let found = names[first];
  for (const part of path) {
    const owner = found as Record<string, unknown>;
    found = typeof owner[part] === 'function' ? (owner[part] as () => unknown)() : owner[part];
  }
  return found;
}

/** The elements of a list, split at its own commas. */
function parts(list: string): string[] {
  const found: string[] = [];
  let [depth, start] = [0, 1];
  for (let i = 0; i < list.length; i++) {
    if (list[i] === '[') depth++;
    if ((list[i] === ',' && depth === 1) || i === list.length - 1) {
      if (i > start) found.push(list.slice(start, i));
      start = i + 1;
    }
    if (list[i] === ']') depth--;
  }
  return found;
}

type Data = fx.Nested;
type DType = fx.DTypeName;
const tensorOf = (x: T | Data, dtype: DType = 'float32'): T => (x instanceof fx.Tensor ? x : fx.tensor(x as never, { dtype }));

/** A value as it is written down; tensors as copies, which `readTensors` reads. */
function shown(x: unknown): unknown {
  if (x instanceof fx.Tensor) return x.detach().clone();
  if (x instanceof fx.autograd.GradFn) return x.name;
  if (Array.isArray(x) || ArrayBuffer.isView(x)) return Array.from(x as unknown[], shown);
  return x;
}

/** What scripts wrote down, with all tensors as nested lists (under their dtype, where that is not float32), computed by one Program. */
export function readTensors(seen: Seen): Seen {
  const found: T[] = [];
  const collect = (x: unknown): void => {
    if (x instanceof fx.Tensor) found.push(x);
    else if (Array.isArray(x)) x.forEach(collect);
  };
  collect(seen);
  const data = found.length === 0 ? [] : fx.cat(found.map((t) => t.reshape([-1]).to('float64'))).dataSync();
  let at = 0;
  const nested = ([n, ...inner]: readonly number[], isBool: boolean): unknown => {
    if (n === undefined) return isBool ? data[at++] === 1 : data[at++];
    return Array.from({ length: n }, () => nested(inner, isBool));
  };
  const read = (x: unknown): unknown => {
    if (Array.isArray(x)) return x.map(read);
    if (!(x instanceof fx.Tensor)) return x;
    const list = nested(x.shape, x.dtype === 'bool');
    return x.dtype === 'float32' ? list : { [x.dtype]: list };
  };
  return seen.map(read);
}

function changed(how: string, g: T): T | undefined {
  switch (how) {
    case 'keep':
      return undefined;
    case 'double':
      return g.mul(2);
    case 'add':
      return g.add(1);
    case 'zero':
      return fx.zerosLike(g);
    case 'number':
      return 3 as never;
    case 'longer':
      return fx.cat([g, g]);
    default:
      throw new TypeError(`no hook is called ${how}`);
  }
}
const allChanged = (how: string, grads: readonly (T | null)[]): (T | null)[] | undefined =>
  how === 'keep' ? undefined : grads.map((g) => (g === null ? null : (changed(how, g) ?? null)));

const verbs: Readonly<Record<string, Step>> = {
  leaf: ([data, dtype = 'float32']: readonly [Data, DType?]) => fx.tensor(data as never, { dtype, requiresGrad: true }),
  const: ([data, dtype = 'float32']: readonly [Data, DType?]) => fx.tensor(data as never, { dtype }),
  zerosOf: ([shape]: readonly [number[]], options: object) => fx.zeros(shape, options),
  see: (args: readonly unknown[], _: object, { see }) => args.forEach((x) => void see(shown(x))),
  same: ([x, y]: readonly unknown[], _: object, { see }) => see(x === y),
  modes: (_: readonly unknown[], __: object, { see }) => see([fx.isGradEnabled(), fx.isInferenceModeEnabled()]),

  noGrad: (_: readonly unknown[], __: object, { block }) => fx.noGrad(() => block() as object),
  enableGrad: (_: readonly unknown[], __: object, { block }) => fx.enableGrad(() => block() as object),
  inferenceMode: ([on = true]: readonly [boolean?], _: object, { block }) => fx.inferenceMode(() => block() as object, on),
  setGradEnabled: ([on]: readonly [boolean], _: object, { block }) => fx.setGradEnabled(on, () => block() as object),

  backward: ([root, gradient]: readonly [T | T[], (Data | T | (Data | T)[])?], options: fx.BackwardOptions) => {
    if (Array.isArray(root))
      fx.autograd.backward(
        root,
        (gradient as Data[] | undefined)?.map((g) => tensorOf(g)),
        options,
      );
    else root.backward(gradient === undefined ? undefined : tensorOf(gradient as Data), options);
  },
  grad: ([outputs, inputs]: readonly [T[], T[]], { gradOutputs, ...options }: fx.GradOptions) =>
    fx.autograd.grad(outputs, inputs, {
      ...options,
      ...(gradOutputs && { gradOutputs: gradOutputs.map((g) => (g == null ? undefined : tensorOf(g))) }),
    }),
  setGrad: ([x, g, dtype]: readonly [T, Data | T | null, DType?]) => {
    x.grad = g === null ? null : tensorOf(g, dtype);
  },
  setRequiresGrad: ([x, on]: readonly [T, boolean]) => {
    x.requiresGrad = on;
  },
  setAt: ([x, index, value]: readonly [T, number[], Data | T]) =>
    x.indexPut_(index, Array.isArray(value) ? tensorOf(value) : (value as number)),

  hook: ([x, name, how]: readonly [T, string, string], _: object, { see }) =>
    x.registerHook((g) => {
      see(name);
      return changed(how, g);
    }),
  preHook: ([fn, name, how]: readonly [fx.GradFn, string, string], _: object, { see }) =>
    fn.registerPrehook((grads) => {
      see(name);
      return allChanged(how, grads);
    }),
  postHook: ([fn, name, how]: readonly [fx.GradFn, string, string], _: object, { see }) =>
    fn.registerHook((grads) => {
      see(name);
      return allChanged(how, grads);
    }),
  accumulateHook: ([x, name]: readonly [T, string], _: object, { see }) =>
    x.registerPostAccumulateGradHook((leaf) => see([name, shown(leaf.grad)])),
  multiHook: ([xs, name, mode]: readonly [T[], string, 'all'], _: object, { see }) =>
    fx.autograd.registerMultiGradHook(xs, (g) => see([name, shown(g)]), mode),
  is: ([x]: readonly unknown[]) => x,
  vectorNorm: ([x, p]: readonly [T, number]) => x.norm(undefined, { p }),
  where: ([c, x, y]: readonly [T, fx.Operand, fx.Operand]) => fx.where(c, x, y),
  remove: ([handle]: readonly [fx.autograd.HookHandle]) => handle.remove(),

  savedHooks: ([factor]: readonly [number], _: object, { see, block }) =>
    fx.autograd.savedTensorsHooks(
      (t) => {
        see('pack');
        return t.detach().clone();
      },
      (t: T) => {
        see('unpack');
        return t.mul(factor);
      },
      () => block() as object,
    ),
  checkpoint: (xs: readonly T[], _: object, { see, block }) =>
    fx.autograd.checkpoint(
      (...inner: T[]) => {
        see('run');
        return block(...inner);
      },
      ...xs,
    ),
};
