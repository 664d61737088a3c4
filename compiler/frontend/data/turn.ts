// Turns of the event loop: code that only awaits settled promises keeps signals, timers and messages waiting.

/** Lets timers, signals and messages in. */
export const turn = (): Promise<void> =>
  new Promise((resolve) => void (typeof setImmediate === 'function' ? setImmediate(resolve) : setTimeout(resolve, 0)));

/** Longest time in milliseconds without a turn. */
const breathAfter = 40;

/** The same batches, with a turn of the event loop in between at least every 40 ms. */
export async function* breathing<B>(batches: AsyncGenerator<B, void, undefined>): AsyncGenerator<B, void, undefined> {
  let last = performance.now();
  for await (const batch of batches) {
    if (performance.now() - last > breathAfter) {
      await turn();
      last = performance.now();
    }
    yield batch;
  }
}
