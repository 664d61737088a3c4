// How many bytes the heap has in use after so many variants of a compiled function have been called, and after so many more: run by memory.slow.test.ts.
import { compile, randn } from '../../compiler/index.ts';

console.warn = () => {};
const [first, last] = process.argv.slice(2).map(Number) as [number, number];
/** Another graph for each number, and so another variant: the bits of the number choose the ops of a chain. */
const chain = compile(
  (x: ReturnType<typeof randn>, kind: number) => {
    let y = x;
    for (let bit = 0; bit < 12; bit++) y = (kind >> bit) & 1 ? y.exp() : y.tanh();
    return y.sum();
  },
  { maxVariants: 8 },
);
const x = randn([64]);
const inUse = (): number => {
  globalThis.gc!();
  return process.memoryUsage().heapUsed;
};
async function call(from: number, to: number): Promise<void> {
  for (let kind = from; kind < to; kind++) {
    chain(x, kind).itemSync();
    // What is collected gives its memory back in a turn of the event loop.
    if (kind % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
await call(0, first);
const early = inUse();
await call(first, last);
console.log(JSON.stringify([early, inUse(), chain.explain().specialisations.length]));
