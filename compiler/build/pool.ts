// What the entries of a model share: captured tensors and counters, each under one key.
import { readSync } from '../../runtime/buffer.ts';
import { type HostExpr, mapCounters } from '../../runtime/host.ts';
import type { HostCounter } from '../frontend/call.ts';
import type { Storage } from '../frontend/storage.ts';
import { avalOf } from '../ir/node.ts';
import type { Recorded } from './entry.ts';
import type { BuiltModel, BuiltWeight } from './model.ts';
import { type Keys, weightOf } from './weights.ts';

/** Gathers what entries share. */
export type Pool = {
  readonly keyOf: (storage: Storage) => string;
  /** For a tensor that the function makes from data, the same in every call. */
  readonly constant: (made: Pick<Recorded, 'call'>, index: number) => string;
  readonly written: (storage: Storage) => string;
  readonly expr: (e: HostExpr<HostCounter>) => HostExpr;
  readonly weights: () => BuiltWeight[];
  readonly counters: () => BuiltModel['counters'];
};

export function weightPool(keys: Keys): Pool {
  const storages = new Map<Storage, boolean>();
  const constants = new Map<string, BuiltWeight>();
  const counters = new Map<string, number>();
  return {
    keyOf: (storage) => {
      storages.set(storage, storages.get(storage) ?? false);
      return keys.of(storage);
    },
    written: (storage) => {
      storages.set(storage, true);
      return keys.of(storage);
    },
    constant: ({ call }, index) => {
      const source = call.sources[index]!;
      const { dtype, shape } = avalOf(call.graph.inputs[index]!);
      const data = readSync((source as Extract<typeof source, { kind: 'constant' }>).buffer());
      const known = [...constants.values()].find(
        (w) =>
          w.dtype === dtype && w.shape.join() === shape.join() && w.data.every((x: number | bigint, i: number) => Object.is(x, data[i])),
      );
      const key = known?.key ?? keys.fresh('constant');
      constants.set(key, known ?? { key, dtype, shape: shape as readonly number[], data, written: false });
      return key;
    },
    expr: (e) =>
      mapCounters(e, (counter) => {
        const key = keys.counter(counter.owner, counter.name);
        counters.set(key, counter.value());
        return { counter: key };
      }),
    weights: () => [...[...storages].map(([storage, written]) => weightOf(storage, keys.of(storage), written)), ...constants.values()],
    counters: () => [...counters].map(([key, value]) => ({ key, value })),
  };
}
