// Control flow that stays in one graph, so that what depends on data needs no look at it: as `torch.cond` and `jax.lax`.
export { cond } from './cond.ts';
export { foriLoop, map, type ScanOptions, scan, whileLoop } from './loops.ts';
