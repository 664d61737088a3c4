// Calls back when a value is collected, where the host tells: some edge runtimes do not, and what would be given back then waits for its room to be needed.

export type Registry<T> = Pick<FinalizationRegistry<T>, 'register' | 'unregister'>;

export const registryOf = <T>(collected: (held: T) => void): Registry<T> =>
  typeof FinalizationRegistry === 'function' ? new FinalizationRegistry(collected) : { register: () => {}, unregister: () => false };
