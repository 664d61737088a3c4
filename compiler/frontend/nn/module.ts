// Module: the base of layers and models. Parameters, buffers and children are found among a module's own properties, in the order of definition.

import { isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, DeviceError, KeyError } from '../../../runtime/errors.ts';
import type { HookHandle } from '../autograd/graph.ts';
import { noGrad } from '../autograd/mode.ts';
import { type DeviceName, placeNamed } from '../device.ts';
import { type DTypeName, elementOf } from '../dtypes.ts';
import { isTensor } from '../pytree.ts';
import { assigned, guarded } from '../record.ts';
import { kept, retype } from '../state.ts';
import type { Tensor } from '../tensor.ts';
import { rehouse } from '../transfer.ts';
import type { BackwardHook, BackwardPreHook } from './backwardHooks.ts';
import {
  addHook,
  callHooked,
  type ForwardHook,
  type ForwardHookOptions,
  type ForwardPreHook,
  type HookOptions,
  hooksIn,
  hooksOf,
  type LoadStateDictPostHook,
  type LoadStateDictPreHook,
  type ModuleHooks,
  type StateDictPostHook,
  type StateDictPreHook,
} from './hooks.ts';
import { Counter, Parameter } from './parameter.ts';
import { entriesOf, type LoadResult, load, type Slot, type StateDict, type StateDictLike, stateDictOf } from './stateDict.ts';

/** A module that makes a tensor of a tensor: what a Sequential holds. */
export type Layer = Module & { forward(x: Tensor): Tensor };
type Named<T> = readonly [name: string, value: T];

/** Names of buffers, and whether state dicts have them. */
const buffersOf = Symbol('buffers');

export interface Module {
  /** Calling a module is calling its `forward`: `model(x)`. */
  // biome-ignore lint/style/useShorthandFunctionType: only an interface merges with the class
  (...args: Parameters<this['forward']>): ReturnType<this['forward']>;
}

/**
 * Subclass it, assign parameters and layers to properties, and define `forward`:
 *
 *     class Net extends Module {
 *       fc = new Linear(784, 10);
 *       forward(x: Tensor): Tensor { return this.fc(x.flatten(1)); }
 *     }
 *
 * Modules in plain arrays are not found, as in PyTorch: use ModuleList or ModuleDict.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface adds what the constructor does
export abstract class Module {
  declare private mode: boolean;
  declare readonly [buffersOf]: Map<string, boolean>;
  declare [hooksOf]: ModuleHooks | undefined;

  constructor() {
    // The instance is a function with the prototype of its class, so that it can be called.
    const self = ((...args: unknown[]) => callHooked(self, args)) as unknown as this & { name?: unknown; length?: unknown };
    Object.setPrototypeOf(self, new.target.prototype);
    delete self.name;
    delete self.length;
    Object.defineProperty(self, buffersOf, { value: new Map() });
    Object.defineProperty(self, 'mode', { value: true, writable: true });
    Object.defineProperty(self, hooksOf, { value: undefined, writable: true });
    // biome-ignore lint/correctness/noConstructorReturn: the point of it
    return self;
  }

  /** Whether layers such as dropout behave as in training. Compiled code that read it is replayed only while it is the same. */
  get training(): boolean {
    return guarded(this, 'training', () => this.mode);
  }
  set training(on: boolean) {
    const before = this.mode;
    const set = (mode: boolean) => () => {
      this.mode = mode;
    };
    assigned(this, 'training', set(on), set(before));
  }

  /** What the module computes. */
  abstract forward(...args: never[]): unknown;

  /** Properties and further members, by name; containers add what they hold. */
  protected members(): readonly Named<unknown>[] {
    return Object.entries(this);
  }

  /**
   * Makes a tensor part of the module's state without being a parameter: it is saved, moved and not trained.
   * Gives the tensor, so that a field can be declared: `mask = this.registerBuffer('mask', ones([3]))`.
   */
  registerBuffer(name: string, value: Tensor, options?: { readonly persistent?: boolean }): Tensor;
  registerBuffer(name: string, value: Tensor | null, options?: { readonly persistent?: boolean }): Tensor | null;
  registerBuffer(name: string, value: Tensor | null, { persistent = true }: { readonly persistent?: boolean } = {}): Tensor | null {
    this.checkName('registerBuffer', name);
    if (value !== null && !isTensor(value))
      throw new ArgumentError(`a buffer is a tensor or null, not ${typeof value}`, { op: 'registerBuffer' });
    this[buffersOf].set(name, persistent);
    return this.define(name, value === null ? null : kept(value));
  }

  /** Adds a parameter under a name that is known only at run time. */
  registerParameter(name: string, value: Parameter | null): void {
    this.checkName('registerParameter', name);
    if (value !== null && !(value instanceof Parameter))
      throw new ArgumentError('a parameter is a Parameter or null', { op: 'registerParameter', fix: 'wrap the tensor in new Parameter()' });
    this.define(name, value);
  }

  /** Adds a child under a name that is known only at run time. */
  addModule(name: string, value: Module): void {
    this.checkName('addModule', name);
    if (!(value instanceof Module)) throw new ArgumentError('a child is a Module', { op: 'addModule' });
    this.define(name, value);
  }

  private checkName(op: string, name: string): void {
    demandName(op, name);
    // A field that is declared and not yet assigned is there, and undefined.
    const taken = (this as unknown as Record<string, unknown>)[name] !== undefined;
    if (taken && !this[buffersOf].has(name)) throw new KeyError(`attribute '${name}' already exists`, { op });
  }

  private define<T>(name: string, value: T): T {
    Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
    return value;
  }

  /** Direct children with their names. */
  namedChildren(): Named<Module>[] {
    return this.members().filter((m): m is Named<Module> => m[1] instanceof Module);
  }
  children(): Module[] {
    return [...new Set(this.namedChildren().map(([, child]) => child))];
  }

  /** This module and all below it, each once, parents first. The root's name is empty. */
  namedModules(): Named<Module>[] {
    const found: Named<Module>[] = [];
    const seen = new Set<Module>();
    const stack: Named<Module>[] = [['', this]];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const [name, module] = top;
      if (seen.has(module)) continue;
      seen.add(module);
      found.push(top);
      for (const [child, below] of module.namedChildren().reverse()) stack.push([join(name, child), below]);
    }
    return found;
  }
  modules(): Module[] {
    return this.namedModules().map(([, module]) => module);
  }

  /** Parameters of this module and, unless `recurse` is false, of all below it, each once. */
  namedParameters({ recurse = true }: { readonly recurse?: boolean } = {}): Named<Parameter>[] {
    return this.tensors(recurse, (module) => module.members().filter((m): m is Named<Parameter> => m[1] instanceof Parameter));
  }
  parameters(options: { readonly recurse?: boolean } = {}): Parameter[] {
    return this.namedParameters(options).map(([, parameter]) => parameter);
  }

  namedBuffers({ recurse = true }: { readonly recurse?: boolean } = {}): Named<Tensor>[] {
    return this.tensors(recurse, (module) =>
      module.members().filter((m): m is Named<Tensor> => module[buffersOf].has(m[0]) && isTensor(m[1])),
    );
  }
  buffers(options: { readonly recurse?: boolean } = {}): Tensor[] {
    return this.namedBuffers(options).map(([, buffer]) => buffer);
  }

  private tensors<T extends Tensor>(recurse: boolean, own: (module: Module) => Named<T>[]): Named<T>[] {
    const seen = new Set<T>();
    const modules: Named<Module>[] = recurse ? this.namedModules() : [['', this]];
    return modules
      .flatMap(([prefix, module]) => own(module).map(([name, tensor]): Named<T> => [join(prefix, name), tensor]))
      .filter(([, tensor]) => !seen.has(tensor) && seen.add(tensor));
  }

  /** Parameters and persistent buffers by name; what is shared stands under each of its names. */
  stateDict(): StateDict {
    const dict = stateDictOf([]);
    this.visitState(
      (module, prefix) => {
        for (const { hook } of [...(module[hooksOf]?.stateDictPre ?? [])]) hook(module, dotted(prefix));
        Object.assign(dict, stateDictOf(module.slots(prefix)));
      },
      (module, prefix) => {
        for (const { hook } of [...(module[hooksOf]?.stateDictPost ?? [])]) hook(module, dict, dotted(prefix));
      },
    );
    return dict;
  }

  /**
   * Takes over a state dict. Throws KeyError if names are missing or unexpected, unless `strict` is false, and ShapeError where shapes
   * differ; then nothing has changed.
   */
  loadStateDict(dict: StateDictLike, { strict = true }: { readonly strict?: boolean } = {}): LoadResult {
    const given = entriesOf(className(this), dict);
    const slots: Slot[] = [];
    const left: Module[] = [];
    this.visitState(
      (module, prefix) => {
        for (const { hook } of [...(module[hooksOf]?.loadPre ?? [])]) hook(module, given, dotted(prefix));
        for (const slot of module.slots(prefix)) slots.push(slot);
      },
      (module) => void left.push(module),
    );
    const after = left.flatMap((module) => (module[hooksOf]?.loadPost ?? []).map(({ hook }) => [module, hook] as const));
    if (after.length === 0) return load(className(this), slots, given, strict);
    return load(className(this), slots, given, strict, (names) => {
      for (const [module, hook] of after) hook(module, names);
    });
  }

  /** Walks over this module and those below it, under each of their names: `enter` before their children, `leave` after. */
  private visitState(enter: (module: Module, prefix: string) => void, leave: (module: Module, prefix: string) => void): void {
    type Visit = { readonly name: string; readonly module: Module; readonly above: Visit | undefined; entered: boolean };
    const stack: Visit[] = [{ name: '', module: this, above: undefined, entered: false }];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const { name: prefix, module } = top;
      if (top.entered) {
        leave(module, prefix);
        continue;
      }
      for (let a = top.above; a !== undefined; a = a.above)
        if (a.module === module)
          throw new ArgumentError(`module '${prefix}' contains itself`, {
            op: 'stateDict',
            fix: 'keep the parent outside of the module, say in a closure',
          });
      enter(module, prefix);
      top.entered = true;
      stack.push(top);
      for (const [child, below] of module.namedChildren().reverse())
        stack.push({ name: join(prefix, child), module: below, above: top, entered: false });
    }
  }

  /** The module's own part of a state dict. */
  private slots(prefix: string): Slot[] {
    const members = this.members();
    const isBuffer = ([name, value]: Named<unknown>): boolean =>
      value instanceof Counter || (isTensor(value) && this[buffersOf].get(name) === true);
    const owned = [...members.filter(([, value]) => value instanceof Parameter), ...members.filter(isBuffer)] as Slot[];
    return owned.map(([name, value]) => [join(prefix, name), value]);
  }

  /** Calls `hook(module, args)` before each call; a list that it returns replaces the arguments, anything else becomes the only one. */
  registerForwardPreHook<M extends Module>(this: M, hook: ForwardPreHook<M, Parameters<M['forward']>>, options?: HookOptions): HookHandle {
    return addHook('registerForwardPreHook', hooksIn(this), 'forwardPre', hook as ForwardPreHook, options);
  }
  /** Calls `hook(module, args, result)` after each call; what it returns replaces the result. */
  registerForwardHook<M extends Module>(
    this: M,
    hook: ForwardHook<M, Parameters<M['forward']>, ReturnType<M['forward']>>,
    { alwaysCall = false, ...options }: ForwardHookOptions = {},
  ): HookHandle {
    return addHook('registerForwardHook', hooksIn(this), 'forward', { call: hook as ForwardHook, always: alwaysCall }, options);
  }
  /** Calls `hook(module, gradOutput)` before backward goes through the module; what it returns replaces the gradients of the results. */
  registerFullBackwardPreHook<M extends Module>(this: M, hook: BackwardPreHook<M>, options?: HookOptions): HookHandle {
    return addHook('registerFullBackwardPreHook', hooksIn(this), 'backwardPre', hook as BackwardPreHook, options);
  }
  /** Calls `hook(module, gradInput, gradOutput)` after backward went through the module; what it returns replaces the gradients of the arguments. */
  registerFullBackwardHook<M extends Module>(this: M, hook: BackwardHook<M>, options?: HookOptions): HookHandle {
    return addHook('registerFullBackwardHook', hooksIn(this), 'backward', hook as BackwardHook, options);
  }
  /** Calls `hook(module, prefix)` before the module's part of a state dict is written. */
  registerStateDictPreHook<M extends Module>(this: M, hook: StateDictPreHook<M>): HookHandle {
    return addHook('registerStateDictPreHook', hooksIn(this), 'stateDictPre', hook as StateDictPreHook);
  }
  /** Calls `hook(module, dict, prefix)`, which may change the dict, once the module's part is in it. */
  registerStateDictPostHook<M extends Module>(this: M, hook: StateDictPostHook<M>): HookHandle {
    return addHook('registerStateDictPostHook', hooksIn(this), 'stateDictPost', hook as StateDictPostHook);
  }
  /** Calls `hook(module, dict, prefix)` with a copy of the dict, which it may change, before the module's part is taken over. */
  registerLoadStateDictPreHook<M extends Module>(this: M, hook: LoadStateDictPreHook<M>): HookHandle {
    return addHook('registerLoadStateDictPreHook', hooksIn(this), 'loadPre', hook as LoadStateDictPreHook);
  }
  /** Calls `hook(module, { missingKeys, unexpectedKeys })`, which may change the lists, once a state dict is taken over. */
  registerLoadStateDictPostHook<M extends Module>(this: M, hook: LoadStateDictPostHook<M>): HookHandle {
    return addHook('registerLoadStateDictPostHook', hooksIn(this), 'loadPost', hook as LoadStateDictPostHook);
  }

  /** Switches to training, or with false to evaluation, here and below. */
  train(mode = true): this {
    for (const module of this.modules()) module.training = mode;
    return this;
  }
  eval(): this {
    return this.train(false);
  }

  /** Whether parameters gather gradients: false freezes them. */
  requiresGrad_(on = true): this {
    for (const p of this.parameters()) p.requiresGrad_(on);
    return this;
  }

  /** Drops the gradients of all parameters; with `setToNull: false` fills them with zeros. */
  zeroGrad({ setToNull = true }: { readonly setToNull?: boolean } = {}): void {
    for (const p of this.parameters()) {
      // A gradient that is dropped is not looked at: compiled code is then the same whether there was one or not.
      const grad = setToNull ? null : p.grad;
      if (setToNull) p.grad = null;
      else if (grad !== null) noGrad(() => void grad.detach_().zero_());
    }
  }

  /** Calls `f` with every module, children before their parent. */
  apply(f: (module: Module) => void): this {
    for (const child of this.children()) child.apply(f);
    f(this);
    return this;
  }

  /** Converts floating parameters and buffers in place, or moves all of them to another device. */
  to(target: DTypeName | DeviceName | 'cpu'): this {
    if (typeof target !== 'string') throw new ArgumentError('expected a dtype or a device', { op: 'to', fix: "write to('float64')" });
    const place = placeNamed('to', target);
    if (place !== undefined) {
      for (const t of [...this.parameters(), ...this.buffers()]) rehouse(t, place);
      return this;
    }
    if (/^(cuda|gpu|mps)/.test(target))
      throw new DeviceError(`there is no device '${target}'`, { op: 'to', fix: "the GPU is called 'webgpu' here" });
    const dtype = elementOf(target as DTypeName, 'to');
    if (!isFloat(dtype)) throw new ArgumentError(`a module converts to floating dtypes only, not to ${target}`, { op: 'to' });
    for (const t of [...this.parameters(), ...this.buffers()]) if (isFloat(t.element)) retype(t, dtype);
    return this;
  }
  float(): this {
    return this.to('float32');
  }
  double(): this {
    return this.to('float64');
  }

  /** What printing shows in the parentheses of a module without children. */
  protected extraRepr(): string {
    return '';
  }

  /** The tree of modules, as PyTorch prints it. */
  toString(): string {
    const lines = this.namedChildren().map(([name, child]) => `(${name}): ${child.toString().replaceAll('\n', '\n  ')}`);
    return lines.length === 0 ? `${className(this)}(${this.extraRepr()})` : `${className(this)}(\n  ${lines.join('\n  ')}\n)`;
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

const join = (prefix: string, name: string): string => (prefix === '' ? name : `${prefix}.${name}`);
/** The prefix that names below a module have. */
const dotted = (name: string): string => (name === '' ? '' : `${name}.`);
/** By the prototype: a module may have a child called `constructor`. */
const className = (module: Module): string => (Object.getPrototypeOf(module) as { constructor: { name: string } }).constructor.name;

/** Names are parts of dotted paths. Throws KeyError for empty ones, dots, and `__proto__`, which no property can be called. */
export function demandName(op: string, name: string): void {
  if (typeof name !== 'string' || name === '') throw new KeyError('a name must be a non-empty string', { op });
  if (name.includes('.')) throw new KeyError(`name '${name}' must not contain "."`, { op });
  if (name === '__proto__') throw new KeyError("nothing can be called '__proto__'", { op });
}
