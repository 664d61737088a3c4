// Modules that hold modules: Sequential, ModuleList, ModuleDict.
import { ArgumentError, IndexError, KeyError } from '../../../runtime/errors.ts';
import type { Tensor } from '../tensor.ts';
import { demandName, type Layer, Module } from './module.ts';

/** Children by name, in order of insertion. A Map, so that any name is fine, even those of methods. */
abstract class Container<M extends Module> extends Module {
  protected readonly items = new Map<string, M>();

  constructor() {
    super();
    // Holding is no property: members() tells of what is held.
    Object.defineProperty(this, 'items', { enumerable: false });
  }

  protected override members(): readonly (readonly [string, unknown])[] {
    return [...super.members(), ...this.items];
  }

  protected put(op: string, name: string, module: M): void {
    demandName(op, name);
    if (!(module instanceof Module))
      throw new ArgumentError(`'${name}' is no Module but ${module === null ? 'null' : typeof module}`, { op });
    this.items.set(name, module);
  }

  /** How many modules it holds. */
  override get length(): number {
    return this.items.size;
  }

  protected nth(op: string, index: number): string {
    const n = this.length;
    if (!Number.isInteger(index) || index < -n || index >= n)
      throw new IndexError(`index ${index} is out of range for ${n} modules`, { op });
    return [...this.items.keys()][index < 0 ? index + n : index]!;
  }
}

/** Layers one after another. */
export class Sequential extends Container<Layer> implements Iterable<Layer> {
  /** Layers, named '0', '1', ...; or one record of layers by name. */
  constructor(...layers: readonly Layer[] | readonly [Readonly<Record<string, Layer>>]) {
    super();
    const [first] = layers;
    if (layers.length === 1 && !(first instanceof Module)) {
      if (typeof first !== 'object' || first === null)
        throw new ArgumentError('expected layers, or a record of layers', { op: 'Sequential' });
      for (const [name, layer] of Object.entries(first as Record<string, Layer>)) this.put('Sequential', name, layer);
    } else for (const layer of layers as readonly Layer[]) this.append(layer);
  }

  forward(x: Tensor): Tensor {
    let y = x;
    for (const layer of this.items.values()) y = layer(y);
    return y;
  }

  append(layer: Layer): this {
    this.put('Sequential', String(this.length), layer);
    return this;
  }

  /** The layer at a position; negative ones count from the end. */
  at(index: number): Layer {
    return this.items.get(this.nth('Sequential', index))!;
  }

  [Symbol.iterator](): Iterator<Layer> {
    return this.items.values();
  }
}

/** Modules by position, for a `forward` that walks them as it likes. */
export class ModuleList<M extends Module = Layer> extends Container<M> implements Iterable<M> {
  constructor(modules: Iterable<M> = []) {
    super();
    this.extend(modules);
  }

  forward(): never {
    throw new ArgumentError('a ModuleList has no forward', { op: 'ModuleList', fix: 'call its modules' });
  }

  append(module: M): this {
    this.put('ModuleList', String(this.length), module);
    return this;
  }
  extend(modules: Iterable<M>): this {
    for (const module of modules) this.append(module);
    return this;
  }

  /** The module at a position; negative ones count from the end. */
  at(index: number): M {
    return this.items.get(this.nth('ModuleList', index))!;
  }
  /** Replaces the module at a position. */
  set(index: number, module: M): void {
    this.put('ModuleList', this.nth('ModuleList', index), module);
  }

  [Symbol.iterator](): Iterator<M> {
    return this.items.values();
  }
}

/** Modules by name. */
export class ModuleDict<M extends Module = Layer> extends Container<M> implements Iterable<readonly [string, M]> {
  constructor(modules: Readonly<Record<string, M>> | Iterable<readonly [string, M]> = {}) {
    super();
    this.update(modules);
  }

  forward(): never {
    throw new ArgumentError('a ModuleDict has no forward', { op: 'ModuleDict', fix: 'call its modules' });
  }

  /** Adds all of these, replacing modules of the same name. */
  update(modules: Readonly<Record<string, M>> | Iterable<readonly [string, M]>): this {
    const entries = Symbol.iterator in modules ? (modules as Iterable<readonly [string, M]>) : Object.entries(modules);
    for (const [name, module] of entries) this.set(name, module);
    return this;
  }

  get(name: string): M {
    const found = this.items.get(name);
    if (found === undefined)
      throw new KeyError(`there is no module '${name}'`, {
        op: 'ModuleDict',
        fix: `it has ${[...this.items.keys()].join(', ') || 'none'}`,
      });
    return found;
  }
  set(name: string, module: M): this {
    this.put('ModuleDict', name, module);
    return this;
  }
  has(name: string): boolean {
    return this.items.has(name);
  }
  delete(name: string): boolean {
    return this.items.delete(name);
  }
  keys(): IterableIterator<string> {
    return this.items.keys();
  }
  values(): IterableIterator<M> {
    return this.items.values();
  }

  [Symbol.iterator](): Iterator<readonly [string, M]> {
    return this.items.entries();
  }
}
