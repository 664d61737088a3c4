// Takes what the runner trained back into a model and its optimiser.
import { FormatError, KeyError } from '../../runtime/errors.ts';
import { elementsOf, readSafetensors, type StoredTensor } from '../../runtime/safetensors.ts';
import { fromTypedArray } from '../frontend/creation.ts';
import { dtypeName } from '../frontend/dtypes.ts';
import type { Module } from '../frontend/nn/module.ts';
import type { OptimizerStateDict } from '../frontend/optim/optimizer.ts';
import type { Tensor } from '../frontend/tensor.ts';

/** State as the runner writes it: tensors by what they are and by name, and how far training came. */
export type TrainedState = {
  readonly step: number;
  /** Parameters and buffers, as a state dict has them. */
  readonly weights: ReadonlyMap<string, StoredTensor>;
  /** By parameter: what the optimiser remembers. */
  readonly moments: ReadonlyMap<string, ReadonlyMap<string, StoredTensor>>;
  /** By parameter: how many updates it has had. */
  readonly updates: ReadonlyMap<string, number>;
};

/** Reads `final.safetensors` or a checkpoint. Throws FormatError for what is none. */
export function readTrained(file: Uint8Array): TrainedState {
  const { tensors, metadata } = readSafetensors(file);
  const weights = new Map<string, StoredTensor>();
  const moments = new Map<string, Map<string, StoredTensor>>();
  for (const [role, tensor] of tensors) {
    const [, kind, name] = /^(\w+):(.*)$/s.exec(role) ?? [];
    if (kind === undefined || name === undefined)
      throw new FormatError(`the tensor '${role}' has no role`, { op: 'importStep', fix: 'give a file that run.py wrote' });
    if (kind === 'const') continue;
    if (kind === 'param' || kind === 'buffer') weights.set(name, tensor);
    else {
      const of = moments.get(name) ?? new Map<string, StoredTensor>();
      moments.set(name, of.set(kind, tensor));
    }
  }
  const step = Number(metadata.get('step') ?? '0');
  return { step, weights, moments, updates: updatesOf(metadata.get('updates') ?? '{}', step) };
}

function updatesOf(text: string, step: number): ReadonlyMap<string, number> {
  try {
    const entries = Object.entries(JSON.parse(text) as Record<string, readonly [number, number]>);
    return new Map(entries.map(([name, [before, each]]) => [name, before + each * step]));
  } catch (cause) {
    throw new FormatError('the counts of updates are damaged', { op: 'importStep', cause });
  }
}

function tensorOf(name: string, stored: StoredTensor): Tensor {
  const found = elementsOf(stored);
  if (found === undefined) throw new FormatError(`${name} is ${stored.dtype}, which is no dtype here`, { op: 'importStep' });
  return fromTypedArray(found.elements, [...stored.shape], { dtype: dtypeName(found.dtype) });
}

/** What an optimiser must do to go on where the runner stopped. */
type Resumable = {
  readonly paramGroups: readonly { readonly params: readonly Tensor[] }[];
  stateDict(): OptimizerStateDict;
  loadStateDict(dict: OptimizerStateDict): void;
};

/**
 * Loads what run.py trained, `final.safetensors` or a checkpoint, into a model and, if given, its optimiser; gives the number of steps that
 * were made. Throws FormatError for a damaged file and KeyError where names do not fit; nothing has changed then.
 */
export function importStep(file: Uint8Array, { model, optimizer }: { readonly model: Module; readonly optimizer?: Resumable }): number {
  const trained = readTrained(file);
  const weights = new Map([...trained.weights].map(([name, stored]) => [name, tensorOf(name, stored)]));
  const known = Object.keys(model.stateDict());
  // Counts of batches are numbers of the host, which the step does not carry.
  const missing = known.filter((name) => !weights.has(name) && !name.endsWith('numBatchesTracked'));
  const extra = [...weights.keys()].filter((name) => !known.includes(name));
  if (missing.length + extra.length > 0)
    throw new KeyError(`the file lacks ${missing.join(', ') || 'nothing'} and has ${extra.join(', ') || 'nothing'} beside`, {
      op: 'importStep',
      fix: 'give the model that was exported',
    });
  const resumed = optimizer && optimizerState(trained, model, optimizer);
  model.loadStateDict(weights, { strict: false });
  if (resumed !== undefined) optimizer!.loadStateDict(resumed);
  return trained.step;
}

function optimizerState({ moments, updates }: TrainedState, model: Module, optimizer: Resumable): OptimizerStateDict {
  const names = new Map(model.namedParameters().map(([name, p]) => [p as Tensor, name]));
  const state: Record<number, Record<string, Tensor | number>> = {};
  optimizer.paramGroups
    .flatMap((g) => g.params)
    .forEach((p, i) => {
      const name = names.get(p);
      const own = name === undefined ? undefined : moments.get(name);
      if (name === undefined || own === undefined) return;
      state[i] = {
        step: updates.get(name) ?? 0,
        ...Object.fromEntries([...own].map(([slot, t]) => [slot, tensorOf(`${slot}:${name}`, t)])),
      };
    });
  return { state, paramGroups: optimizer.stateDict().paramGroups };
}
