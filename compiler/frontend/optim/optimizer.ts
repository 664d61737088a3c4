// The base of optimisers: parameter groups, state per parameter, and the step, which is recorded and then run.
import { ArgumentError, AutogradError, KeyError, ShapeError } from '../../../runtime/errors.ts';
import { b } from '../../ir/builder.ts';
import type { Value } from '../../ir/node.ts';
import { enableGrad, noGrad, type Sync } from '../autograd/mode.ts';
import { deferSteps, stepBoundary } from '../boundary.ts';
import { at } from '../device.ts';
import { zero_ } from '../functional/indexing.ts';
import { axpy, type Expr, hostScalars, type Scalars, type Steps } from '../hostScalars.ts';
import { apply } from '../op.ts';
import { isTensor } from '../pytree.ts';
import { guarded, rateOf } from '../record.ts';
import { kept, stateCopy } from '../state.ts';
import type { Tensor } from '../tensor.ts';
import { placeOfTensor } from '../transfer.ts';

/** Parameters that share options. Assign to an option (`group.lr = 0.1`) and the next step uses it. */
export type ParamGroup<O> = { params: Tensor[]; initialLr?: number } & O;
/** Tensors, or groups of tensors with options of their own, which override the optimiser's. */
export type Params<O> = Iterable<Tensor> | Iterable<{ readonly params: Iterable<Tensor> | Tensor } & Partial<Readonly<O>>>;

/** What an optimiser remembers of a parameter: how many updates it made, and tensors by name. */
export type ParamState = { step: number } & { [name: string]: Tensor | number | undefined };
/** A parameter of this step with its gradient; without state where the method needs none. */
export type Member<S> = { readonly param: Tensor; readonly grad: Tensor; readonly state: S | undefined };

type Entry = { readonly [name: string]: Tensor | number };
/** Parameters are numbered through all groups. Tensors are the live ones, as in PyTorch: clone them to keep them. */
export type OptimizerStateDict = {
  readonly state: { readonly [index: number]: Entry };
  readonly paramGroups: readonly { readonly params: readonly number[]; readonly [option: string]: unknown }[];
};

/** The numbers of an update, by name. */
export type NumbersOf<N extends string> = { readonly [K in N]: Expr };

export type StepHook = (optimizer: unknown) => void;

/**
 * O: options of a group. S: state of a parameter. N: the numbers that an update reads from slots.
 * A method is three functions: state for a new parameter, numbers for a step, and the update of one parameter.
 */
export abstract class Optimizer<O extends { lr: number }, S extends ParamState, N extends string> {
  readonly paramGroups: ParamGroup<O>[] = [];
  readonly defaults: Readonly<O>;
  readonly state = new Map<Tensor, S>();
  readonly #before: StepHook[] = [];
  readonly #after: StepHook[] = [];
  /** Counts what replaces parameters or state as a whole. */
  #version = 0;

  /** `defaults` has every option, so its keys are the names that `options` and groups may use. */
  constructor(params: Params<O>, defaults: O, options: Partial<Readonly<O>>) {
    demandOptions(this.name, options, defaults);
    this.defaults = { ...defaults, ...options };
    if (isTensor(params) || typeof (params as Iterable<unknown> | null)?.[Symbol.iterator] !== 'function')
      throw new ArgumentError('params must be an iterable of tensors or of groups', {
        op: this.name,
        fix: 'pass model.parameters(), or [tensor]',
      });
    const list = [...(params as Iterable<unknown>)];
    if (list.length === 0) throw new ArgumentError('got an empty parameter list', { op: this.name });
    const groups = list.every(isTensor) ? [{ params: list as Tensor[] }] : list;
    for (const group of groups) this.addParamGroup(group as { params: Iterable<Tensor> } & Partial<O>);
  }

  /** As errors call it. */
  protected get name(): string {
    return 'Optimizer';
  }
  /** Throws ArgumentError for options that make no sense. */
  protected abstract validate(options: O): void;
  /** State before the first update; its tensors hold zeros, so that the first step is recorded like all others. */
  protected abstract newState(param: Tensor, group: ParamGroup<O>): S | undefined;
  /** Numbers of the update that makes `step` updates, at the learning rate `lr`. */
  protected abstract numbers(group: ParamGroup<O>, step: Expr, lr: Expr): NumbersOf<N>;
  /** Records the update of one parameter. */
  protected abstract update(member: Member<S>, numbers: Scalars<N>, group: ParamGroup<O>): void;

  /** Adds parameters, say of layers that were frozen so far. */
  addParamGroup(given: { readonly params: Iterable<Tensor> | Tensor } & Partial<Readonly<O>>): void {
    const op = this.name;
    if (typeof given !== 'object' || given === null || !('params' in given))
      throw new ArgumentError('a group is an object with params', { op, fix: 'write { params: [...], lr: 0.1 }' });
    const { params, ...options } = given;
    demandOptions(op, options, this.defaults);
    const group = { ...this.defaults, ...options, params: isTensor(params) ? [params] : [...params] } as ParamGroup<O>;
    this.validate(group);
    const seen = new Set(this.paramGroups.flatMap((g) => g.params));
    for (const p of group.params) {
      if (!isTensor(p)) throw new ArgumentError(`optimizer can only optimize tensors, but one of the params is ${typeof p}`, { op });
      if (!p.isLeaf) throw new AutogradError("can't optimize a non-leaf tensor", { op, fix: 'detach() it and requiresGrad_() the result' });
      if (seen.has(p)) throw new ArgumentError('some parameters appear in more than one parameter group', { op });
    }
    const distinct = [...new Set(group.params)];
    if (distinct.length < group.params.length) console.warn(`${op}: a parameter group contains duplicates; each is updated once`);
    group.params = distinct;
    // What is optimised outlives a step, whoever made it: the first step is then recorded as all later ones are.
    for (const p of distinct) kept(p);
    this.paramGroups.push(group);
    this.#version++;
  }

  /** Drops all gradients, so that the next backward() writes fresh ones; with `setToNull: false` fills them with zeros. */
  zeroGrad({ setToNull = true }: { readonly setToNull?: boolean } = {}): void {
    for (const { params } of this.paramGroups) {
      for (const p of params) {
        if (setToNull) p.grad = null;
        else if (p.grad !== null) {
          const { grad } = p;
          noGrad(() => void zero_(grad.detach_()));
        }
      }
    }
  }

  /**
   * Updates every parameter that has a gradient, and runs what was recorded so far. With a closure, which computes the loss and calls
   * backward(), its result is given back.
   */
  step(): undefined;
  step<T>(closure: () => Sync<T>): T;
  step<T>(closure?: () => Sync<T>): T | undefined {
    for (const hook of [...this.#before]) hook(this);
    const loss = closure === undefined ? undefined : enableGrad(closure);
    // One step is one unit: it is not cut by a flush, so a failure leaves all of the state as it was.
    deferSteps(() => noGrad(() => this.paramGroups.forEach((group) => void this.#stepGroup(group))));
    for (const hook of [...this.#after]) hook(this);
    stepBoundary();
    return loss;
  }

  /** What decides which ops an update records; numbers are read anew, but for whether they are there at all. */
  #guard(group: ParamGroup<O>): void {
    guarded(this, 'parameters or state', () => this.#version);
    guarded(group, 'number of parameters', () => group.params.length);
    for (const name of Object.keys(group) as (keyof ParamGroup<O>)[]) {
      if (typeof group[name] === 'boolean') guarded(group, String(name), () => group[name]);
      else if (typeof group[name] === 'number') guarded(group, `${String(name)} other than 0`, () => group[name] !== 0);
    }
  }

  #stepGroup(group: ParamGroup<O>): void {
    this.#guard(group);
    const rate = { owner: group, name: 'lr', value: () => group.lr };
    for (const members of this.#byStep(group)) {
      guardSteps(members);
      const scalars = hostScalars(stepsOf(members, this.name), (step) => this.numbers(group, step, rateOf(rate)));
      for (const member of members) this.update(member, scalars(member.param.element), group);
    }
  }

  /**
   * Parameters that have made equally many updates share their numbers. Once some have made more than others, as where a model uses other parts
   * of itself for other inputs, each has its own: compiled code then serves whatever counts they come to.
   */
  #byStep(group: ParamGroup<O>): readonly Member<S>[][] {
    const members: Member<S>[] = [];
    for (const param of group.params) {
      const { grad } = param;
      if (grad === null) continue;
      const state = this.state.get(param) ?? at(placeOfTensor(param), () => this.newState(param, group));
      if (state !== undefined) this.state.set(param, state);
      members.push({ param, grad, state });
    }
    const [first, ...others] = group.params.map((p) => this.state.get(p)?.step).filter((step) => step !== undefined);
    if (others.every((step) => step === first)) return members.length === 0 ? [] : [members];
    return members.map((member) => [member]);
  }

  /** Calls `hook` before each step; `remove()` of the result undoes it. */
  registerStepPreHook(hook: StepHook): { remove(): void } {
    return registered(this.#before, hook);
  }
  /** Calls `hook` after each step has been recorded. */
  registerStepPostHook(hook: StepHook): { remove(): void } {
    return registered(this.#after, hook);
  }

  /** All that training goes on from, beside the parameters themselves. */
  stateDict(): OptimizerStateDict {
    const state: { [index: number]: Entry } = Object.create(null);
    let index = 0;
    const paramGroups = this.paramGroups.map(({ params, ...options }) => {
      const first = index;
      for (const p of params) {
        const known = this.state.get(p);
        if (known !== undefined) state[index] = { ...known } as Entry;
        index++;
      }
      return { ...options, params: params.map((_, i) => first + i) };
    });
    return { state, paramGroups };
  }

  /** Takes over what `stateDict()` gave, for parameters in the same order. Nothing changes if it does not fit. */
  loadStateDict(dict: OptimizerStateDict): void {
    const op = `${this.name}.loadStateDict`;
    const { paramGroups: saved, state } = dict;
    if (!Array.isArray(saved) || typeof state !== 'object' || state === null)
      throw new ArgumentError('a state dict has state and paramGroups', { op });
    if (saved.length !== this.paramGroups.length)
      throw new ArgumentError(`loaded state dict has ${saved.length} parameter groups, this optimizer ${this.paramGroups.length}`, { op });
    const states = new Map<Tensor, S>();
    const groups = this.paramGroups.map((group, i) => {
      const { params, ...options } = saved[i] as { params: readonly number[] };
      if (params?.length !== group.params.length)
        throw new ArgumentError(
          `group ${i} of the loaded state dict has ${params?.length} parameters, this optimizer's ${group.params.length}`,
          { op },
        );
      group.params.forEach((p, k) => {
        const entry = Object.hasOwn(state, params[k]!) ? state[params[k]!] : undefined;
        if (entry !== undefined) states.set(p, loadedState(op, p, entry) as S);
      });
      return this.#loadedOptions(op, group, options);
    });
    groups.forEach((options, i) => void Object.assign(this.paramGroups[i]!, options));
    this.state.clear();
    for (const [p, s] of states) this.state.set(p, s);
    this.#version++;
  }

  #loadedOptions(op: string, group: ParamGroup<O>, saved: object): Partial<O> {
    demandOptions(op, saved, { ...this.defaults, initialLr: 0 });
    const loaded = { ...saved } as Partial<O>;
    this.validate({ ...group, ...loaded });
    return loaded;
  }
}

function demandOptions(op: string, options: object, known: object): void {
  const unknown = Object.keys(options).find((key) => !Object.hasOwn(known, key));
  if (unknown !== undefined)
    throw new KeyError(`there is no option '${unknown}'`, { op, fix: `choose from ${Object.keys(known).join(', ')}` });
}

/** The count of updates that parameters share; of those without state each is the first. */
function stepsOf<S extends ParamState>(members: readonly Member<S>[], op: string): Steps {
  const { state, param } = members[0]!;
  const value = (): number => state?.step ?? 1;
  return { owner: state ?? param, name: 'step', value, advance: () => advance(members, op), retreat: () => retreat(members) };
}

/** Compiled code that gives parameters one count is for parameters that have one. */
function guardSteps<S extends ParamState>(members: readonly Member<S>[]): void {
  const [first, ...others] = members.map(({ state }) => state).filter((state) => state !== undefined);
  if (others.length > 0)
    guarded(first!, `whether ${members.length} parameters were updated equally often`, () =>
      others.every(({ step }) => step === first!.step),
    );
}

/** Counts one more update of each. They were equal when recorded; a replay must find them so. */
function advance<S extends ParamState>(members: readonly Member<S>[], op: string): void {
  const step = (members[0]!.state?.step ?? 0) + 1;
  for (const { state } of members) {
    if (state === undefined) continue;
    if (state.step !== step - 1)
      throw new ArgumentError('parameters that a compiled step updates together have since made different numbers of updates', {
        op,
        fix: 'call step() outside of compile(), or put the parameters into groups of their own',
      });
    state.step = step;
  }
}

/** Takes the count back. */
function retreat<S extends ParamState>(members: readonly Member<S>[]): void {
  for (const { state } of members) if (state !== undefined) state.step--;
}

function registered(hooks: StepHook[], hook: StepHook): { remove(): void } {
  hooks.push(hook);
  return { remove: () => void (hooks.includes(hook) && hooks.splice(hooks.indexOf(hook), 1)) };
}

/** The gradient to descend along: turned round to climb, with the L2 penalty added. */
export function descentOf(grad: Tensor, param: Tensor, maximize: boolean, penalty: Value | undefined): Tensor {
  const downward = maximize ? apply('neg', [grad], b.neg) : grad;
  return penalty === undefined ? downward : apply('weightDecay', [downward, param], (g, p) => axpy(g, penalty, p));
}

/** A copy of saved state, in buffers of its own and in the dtype of the parameter. */
function loadedState(op: string, param: Tensor, entry: Entry): ParamState {
  const copy: ParamState = { step: 0 };
  for (const [name, value] of Object.entries(entry)) {
    if (name === '__proto__') throw new KeyError("state has an entry '__proto__'", { op });
    if (isTensor(value) && value.shape.join() !== param.shape.join())
      throw new ShapeError(`state '${name}' of shape [${value.shape}] does not fit a parameter of shape [${param.shape}]`, { op });
    copy[name] = isTensor(value) ? stateCopy(value, param.element) : value;
  }
  return copy;
}

/** Throws ArgumentError unless `value` is a number of at least 0. */
export function demandNonNegative(op: string, name: string, value: number): void {
  if (!(typeof value === 'number' && value >= 0))
    throw new ArgumentError(`Invalid ${name}: ${String(value)}`, { op, fix: 'give a number of at least 0' });
}
