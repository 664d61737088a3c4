// The three ways in which an op makes a tensor: a new value, a view, or a write in place. Everything that users call ends in one of them.

import type { Place } from '../../runtime/buffer.ts';
import { type DType, isFloat } from '../../runtime/dtype.ts';
import { AutogradError, DeviceError, DTypeError, IRError, ShapeError } from '../../runtime/errors.ts';
import { b, usable } from '../ir/builder.ts';
import { sameShape, shapeText } from '../ir/dim.ts';
import { avalOf, dtypeOf, type Value } from '../ir/node.ts';
import { composite } from '../ops/composite/table.ts';
import { isAnomalyEnabled, siteNow } from './autograd/anomaly.ts';
import { type Edge, GradFn } from './autograd/graph.ts';
import { demandNoInference, demandSavable } from './autograd/inference.ts';
import { isGradEnabled, mayMeetInference } from './autograd/mode.ts';
import { packSaved, savedHooks } from './autograd/savedHooks.ts';
import { flushBefore, settle } from './boundary.ts';
import { at, placeNow } from './device.ts';
import { dtypeName } from './dtypes.ts';
import { edgeOf, requiresGradOf, stopped, type View } from './handle.ts';
import { beginOp, currentInterval, currentTrace, placeOfValue, recording } from './record.ts';
import { read, type Storage, storageOf, write } from './storage.ts';
import type { Tensor } from './tensor.ts';
import { applyChain, applyStep, crossesCopies, type Layout, layoutAfter, overlaps, type ViewStep, writeThrough } from './view.ts';

type MakeTensor = (storage: Storage, view?: View, layout?: Layout) => Tensor;
let make: MakeTensor;
/** tensor.ts tells here how to construct one: ops stand below the class whose methods call them. */
export function makeTensorsWith(maker: MakeTensor): void {
  make = maker;
}
export const newTensor: MakeTensor = (storage, view, layout) => make(storage, view, layout);

/** Builds the values of an op; operands that are one value are told apart, so that each gets the gradient of its own. */
function record(
  op: string,
  inputs: readonly Tensor[],
  build: (values: readonly Value[]) => readonly Value[],
): { operands: readonly Value[]; results: readonly Value[] } {
  beginOp();
  flushBefore(op);
  const place = enter(op, inputs);
  const recorded = (): { operands: readonly Value[]; results: readonly Value[] } =>
    recording(() => {
      const operands = distinct(usable(inputs.map((t) => t.value())));
      try {
        const results = build(operands);
        if (place === 'webgpu') for (const v of results) demandOnDevice(op, dtypeOf(v));
        return { operands, results: isCutOff() ? results.map((v) => stopped(v, 'noGrad')) : results };
      } catch (error) {
        if (error instanceof IRError) throw new ShapeError(error.message.replace(/ at \S+$/, ''), { op, cause: error });
        throw error;
      }
    });
  return place === undefined ? recorded() : at(place, recorded);
}

/** Where the operands of an op belong, which is where it runs. Undefined inside of a transform, whose arguments may belong anywhere. */
export function enter(op: string, inputs: readonly Tensor[]): Place | undefined {
  let place: Place | undefined;
  for (const { storage } of inputs) {
    const own = placeOfValue(storage.value);
    if (own === undefined || own === place) continue;
    if (place !== undefined)
      throw new DeviceError(`expected all tensors to be on the same device, but found them on ${place} and on ${own}`, {
        op,
        fix: `move one with to('${place}')`,
      });
    place = own;
  }
  if (place === undefined && currentTrace() !== undefined) return undefined;
  place ??= placeNow();
  settle(op, place);
  return place;
}

/** Throws DTypeError for what a GPU does not compute with. */
function demandOnDevice(op: string, dtype: DType): void {
  if (dtype === 'f64' || dtype === 'f16')
    throw new DTypeError(`the device webgpu has no ${dtypeName(dtype)}`, { op, fix: "convert with to('float32'), or move with to('cpu')" });
}

/** A reshape to its own shape is a new name for a value; simplification takes it out again. */
export function distinct(values: readonly Value[]): readonly Value[] {
  if (values.length < 2 || (values.length === 2 && values[0] !== values[1])) return values;
  const seen = new Set<Value>();
  return values.map((v) => {
    const own = seen.has(v) ? b.reshape(v, { shape: avalOf(v).shape }) : v;
    seen.add(own);
    return own;
  });
}

/** Functions under a transform are differentiated as graphs: there nothing is recorded for backward(). */
const recordsHistory = (): boolean => isGradEnabled() && currentTrace() === undefined;
/** Whether such a function has entered `noGrad`: its graph must say so. */
const isCutOff = (): boolean => !isGradEnabled() && (currentTrace()?.grad ?? false);

/** The function to differentiate a recorded op by, if anything asks for gradients. */
function gradFn(op: string, inputs: readonly Tensor[], operands: readonly Value[], results: readonly Value[]): GradFn | undefined {
  if (!recordsHistory()) return undefined;
  if (!inputs.some(requiresGradOf) || !results.some((v) => isFloat(dtypeOf(v)))) return undefined;
  return functionOf(op, inputs.map(edgeOf), operands, results, inputs);
}

function functionOf(
  op: string,
  next: readonly (Edge | null)[],
  operands: readonly Value[],
  results: readonly Value[],
  inputs: readonly Tensor[],
): GradFn {
  const fn = new GradFn(op, next, { inputs: operands, outputs: results });
  if (mayMeetInference()) demandSavable(fn, inputs);
  if (isAnomalyEnabled()) fn.site = siteNow();
  const hooks = savedHooks();
  if (hooks !== undefined) packSaved(fn, hooks, (v) => make(storageOf(v)));
  return fn;
}

const edge = (fn: GradFn | undefined, v: Value, index: number): Edge | undefined =>
  fn !== undefined && isFloat(dtypeOf(v)) ? { fn, index } : undefined;

/**
 * An op with several results. `op` is the user's name of it (camelCase): errors, `gradFn` and flushes use it.
 * `build` records primitives through the builder; it may use no value but its operands, slots and literals.
 */
export function applyMany(op: string, inputs: readonly Tensor[], build: (...values: Value[]) => readonly Value[]): Tensor[] {
  return applyToList(op, inputs, (values) => build(...values));
}

/** The same for an op of any number of operands, which come as a list: spread over parameters they would fill the stack. */
export function applyToList(op: string, inputs: readonly Tensor[], build: (values: readonly Value[]) => readonly Value[]): Tensor[] {
  const { operands, results } = record(op, inputs, build);
  const fn = gradFn(op, inputs, operands, results);
  return results.map((v, i) => {
    const t = make(storageOf(v));
    t.edge = edge(fn, v, i);
    return t;
  });
}

/** An op with one result. */
export function apply(op: string, inputs: readonly Tensor[], build: (...values: Value[]) => Value): Tensor {
  const { operands, results } = record(op, inputs, (values) => [build(...values)]);
  const v = results[0]!;
  const t = make(storageOf(v));
  t.edge = edge(gradFn(op, inputs, operands, results), v, 0);
  return t;
}

/** A view of `x` through one movement op, sharing its storage. Undefined where no strides describe it: then only a copy will do. */
export function applyView(
  op: string,
  x: Tensor,
  step: ViewStep,
  origin: View['origin'] = isGradEnabled() ? 'plain' : 'noGrad',
): Tensor | undefined {
  const layout = layoutAfter(x.layout, step);
  if (layout === undefined) return undefined;
  beginOp();
  flushBefore(op);
  enter(op, [x]);
  const via = x.via;
  const base = via?.base ?? x;
  const tracked = recordsHistory() && requiresGradOf(x);
  const from = tracked ? edgeOf(x) : null;
  const t = make(
    x.storage,
    {
      base,
      chain: via === undefined ? [step] : [...via.chain, step],
      // A view of a view is restricted as that one is.
      origin: via === undefined || origin !== 'plain' ? origin : via.origin,
      op,
      version: x.storage.version,
    },
    layout,
  );
  t.edgeAt = base.edgeSerial;
  t.stop = x.stop ?? (isCutOff() ? 'noGrad' : undefined);
  const input = x.value();
  const output = recording(() => applyStep(input, step));
  t.sawValue(output);
  if (tracked) t.edge = { fn: functionOf(op, [from], [input], [output], [x]), index: 0 };
  return t;
}

export type InPlaceOptions = {
  /** All elements become the same, so that it does not matter if several lie in one place. */
  readonly uniform?: boolean;
};

/** Gives several views of `x`, which one op made, one function in the graph of gradients. */
export function asOneFunction(op: string, x: Tensor, views: Tensor[]): Tensor[] {
  const from = recordsHistory() ? edgeOf(x) : null;
  if (from === null || views.length === 0) return views;
  const fn = functionOf(
    op,
    [from],
    [x.value()],
    views.map((t) => t.value()),
    [x],
  );
  for (const [index, t] of views.entries()) t.edge = { fn, index };
  return views;
}

/**
 * Replaces the value of `self` by what `build` makes of it and of `others`, as PyTorch's `op_` methods do; views and detached tensors see it.
 * Throws AutogradError for a leaf that requires grad, ShapeError where the result would not fit, DTypeError where its dtype does not cast.
 */
export function applyInPlace(
  op: string,
  self: Tensor,
  others: readonly Tensor[],
  build: (...values: Value[]) => Value,
  { uniform = false }: InPlaceOptions = {},
): Tensor {
  demandWritable(op, self, others, uniform);
  const inputs = [self, ...others];
  const { operands, results } = record(op, inputs, (values) => {
    const result = build(...values);
    const { dtype, shape } = avalOf(result);
    if (!sameShape(shape, self.layout.shape))
      throw new ShapeError(`output with shape ${shapeText(self.layout.shape)} doesn't match the broadcast shape ${shapeText(shape)}`, {
        op,
      });
    if (dtype === self.element) return [result];
    if ((isFloat(dtype) && !isFloat(self.element)) || self.element === 'bool')
      throw new DTypeError(`result type ${dtype} can't be cast to the output type ${self.element}`, { op });
    return [b.cast(result, { to: self.element })];
  });
  const value = results[0]!;
  const fn = gradFn(op, inputs, operands, results);
  store(self, value, fn === undefined ? undefined : { fn, index: 0 });
  return self;
}

function demandWritable(op: string, self: Tensor, others: readonly Tensor[], uniform: boolean): void {
  const base = self.via?.base ?? self;
  if (mayMeetInference()) demandNoInference(op, self);
  if (isGradEnabled()) {
    if (base.wantsGrad && base.edge === undefined)
      throw new AutogradError(
        `${self.via === undefined ? 'a leaf' : 'a view of a leaf'} tensor that requires grad is being used in an in-place operation`,
        {
          op,
          fix: 'wrap the update in noGrad(() => ...), or use the op without the trailing underscore',
        },
      );
    const tracked = currentTrace() !== undefined || requiresGradOf(self) || others.some(requiresGradOf);
    if (tracked && self.via?.origin === 'noGrad')
      throw new AutogradError('a view was created in noGrad mode and is being modified in place with grad mode enabled', {
        op,
        fix: 'make the view outside of noGrad, or clone() it',
      });
    if (tracked && self.via?.origin === 'several')
      throw new AutogradError(
        `this view is the output of ${self.via.op}, which returns several views; such views must not be modified in place`,
        { op, fix: 'clone() it first' },
      );
  }
  if (self.via === undefined) return;
  if (crossesCopies(base.layout, self.via.chain))
    throw new ShapeError('writing through a diagonal of expanded dimensions is not supported in this version', {
      op,
      fix: 'clone() the tensor first',
    });
  if (overlaps(self.layout) && !uniform)
    throw new ShapeError('more than one element of the written-to tensor refers to a single memory location', {
      op,
      fix: 'clone() the tensor first',
    });
}

/** Puts a value into the storage of `self`: directly, or through its view into the base, whose history is then the write's. */
function store(self: Tensor, written: Value, from: Edge | undefined): void {
  const base = self.via?.base;
  const value = keepsHistory(self, written)
    ? recording(() => withHistory(written, applyChain(read(self.storage), self.via?.chain ?? [])))
    : written;
  if (base === undefined) {
    write(self.storage, value);
    // Without gradients the history stays what it was, whatever the elements are now.
    if (from !== undefined) rebase(self, from);
    return;
  }
  const before = read(self.storage);
  const chain = self.via!.chain;
  const [old, part] = recording(() => distinct([before, value])) as readonly [Value, Value];
  const after = recording(() => writeThrough(old, chain, part));
  const into = recordsHistory() ? edgeOf(base) : null;
  write(self.storage, after);
  self.sawValue(value);
  if (from === undefined && into === null) return;
  rebase(base, { fn: new GradFn('CopySlices', [into, from ?? null], { inputs: [old, part], outputs: [after] }), index: 0 });
}

/** Whether a write leaves the history of the storage as it is: under `noGrad`, and through a detached tensor. */
const keepsHistory = (self: Tensor, written: Value): boolean =>
  isFloat(dtypeOf(written)) &&
  currentTrace() !== undefined &&
  self.storage.born === currentInterval() &&
  (isCutOff() || self.stop !== undefined);
const withHistory = (value: Value, history: Value): Value => composite('withHistory', [value, history], {})[0]!;

/** Gives a tensor another history; a tensor that keeps its gradient keeps that of its new value. */
export function rebase(t: Tensor, edge: Edge): void {
  const before = t.edge;
  if (before?.fn.retained?.get(before.index) === t) {
    before.fn.retained.delete(before.index);
    edge.fn.retained ??= new Map();
    edge.fn.retained.set(edge.index, t);
  }
  t.edge = edge;
  t.edgeSerial++;
  historyChanged(t);
}

/** Where a tensor stands in the graph of gradients has changed: of an older one, replays of compiled code could not repeat that. */
export function historyChanged(t: Tensor): void {
  if (t.storage.born !== currentInterval()) currentInterval().repeatable = false;
}
