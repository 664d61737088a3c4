// Measures what 128-bit WebAssembly can do on this machine: multiply-adds, division, and memory traffic, for any number of threads at once.
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { buildModule, type ModuleBuilder } from '../../kernels/wasm/binary.ts';
import type { FunctionBuilder, Node } from '../../kernels/wasm/function.ts';

/** Rates of all threads together: GF/s; ns a float for a square root and a division; GB/s by where the data lies. */
export type Limits = {
  readonly threads: number;
  /** Of fused multiply-adds, if the engine has them, else of multiplications and additions. */
  readonly peak: number;
  readonly fused: number | undefined;
  readonly unfused: number;
  readonly divide: number;
  readonly read: Traffic;
  readonly write: Traffic;
};
type Traffic = { readonly near: number; readonly shared: number; readonly far: number };

const KiB = 1024;
const MiB = 1024 * KiB;
/** Footprints that stand for the first levels of cache, for the last one, and for main memory. */
const footprints = { near: 16 * KiB, shared: 8 * MiB, far: 96 * MiB } as const satisfies Record<keyof Traffic, number>;
/** Fewer than 10 independent chains do not fill the units of some processors: latency times width. */
const chains = 12;
const perLoop = 2 * chains;

/** Node 20 has relaxed SIMD behind a flag. */
export function enableRelaxedSimd(): boolean {
  const module = buildModule();
  module.function('probe', ['v128'], ['v128'], (f) => f.return_(f.op('f32x4.relaxed_madd', f.param(0), f.param(0), f.param(0))));
  const { binary } = module.finish();
  if (!WebAssembly.validate(binary)) {
    try {
      setFlagsFromString('--experimental-wasm-relaxed-simd');
    } catch {
      return false;
    }
  }
  return WebAssembly.validate(binary);
}

type Arithmetic = (f: FunctionBuilder, x: Node, y: Node, sum: Node) => Node;
/** `name(turns, address)`: `turns` rounds of `perLoop` vector operations on independent chains. */
function arithmetic(module: ModuleBuilder, name: string, operation: Arithmetic): void {
  const fn = module.function(name, ['i32', 'i32'], [], (f) => {
    const x = f.bind(f.load('v128.load', f.param(1)));
    const y = f.bind(f.load('v128.load', f.param(1), 16));
    const sums = Array.from({ length: chains }, () => f.local('v128'));
    const left = f.local('i32');
    f.set(left, f.param(0));
    f.loop((again) => {
      for (let i = 0; i < perLoop; i++) {
        const sum = sums[i % chains]!;
        f.set(sum, operation(f, x, y, f.get(sum)));
      }
      f.set(left, f.op('i32.sub', f.get(left), f.i32(1)));
      f.brIf(again, f.get(left));
    });
    sums.forEach((sum, i) => void f.store('v128.store', f.param(1), f.get(sum), 32 + 16 * i));
  });
  module.exportFunction(name, fn);
}

/** With 8, their loads and sums are one register more than Node 20 has, and half the rate. */
const vectorsPerTurn = 4;
/** `name(bytes, address)`: one pass over the bytes; `visit` handles the vector at `address + offset`. */
function traffic(
  module: ModuleBuilder,
  name: string,
  visit: (f: FunctionBuilder, address: Node, sum: Node, offset: number) => Node | undefined,
): void {
  const fn = module.function(name, ['i32', 'i32'], [], (f) => {
    const sums = Array.from({ length: vectorsPerTurn }, () => f.local('v128'));
    const at = f.local('i32');
    const end = f.bind(f.op('i32.add', f.param(0), f.param(1)));
    f.set(at, f.param(1));
    f.loop((again) => {
      for (const [i, sum] of sums.entries()) {
        const next = visit(f, f.get(at), f.get(sum), 16 * i);
        if (next !== undefined) f.set(sum, next);
      }
      f.set(at, f.op('i32.add', f.get(at), f.i32(16 * vectorsPerTurn)));
      f.brIf(again, f.op('i32.lt_u', f.get(at), end));
    });
    for (const [i, sum] of sums.entries()) f.store('v128.store', f.param(1), f.get(sum), 16 * i);
  });
  module.exportFunction(name, fn);
}

function probes(relaxed: boolean): Uint8Array<ArrayBuffer> {
  const module = buildModule();
  module.importMemory('env', 'memory', { min: 1, max: 65536, shared: true });
  if (relaxed) arithmetic(module, 'fused', (f, x, y, sum) => f.op('f32x4.relaxed_madd', x, y, sum));
  arithmetic(module, 'unfused', (f, x, y, sum) => f.op('f32x4.add', f.op('f32x4.mul', x, y), sum));
  arithmetic(module, 'divide', (f, _x, y, sum) => f.op('f32x4.div', y, f.op('f32x4.sqrt', sum)));
  traffic(module, 'read', (f, address, sum, offset) => f.op('v128.xor', sum, f.load('v128.load', address, offset)));
  traffic(module, 'write', (f, address, sum, offset) => void f.store('v128.store', address, sum, offset));
  return module.finish().binary;
}

/** What a thread does, the main one too. Stringified for workers, so it closes over nothing. */
function runJob(run: (size: number, address: number) => void, control: Int32Array, base: number, threads: number): void {
  const [size, times] = [control[2]!, control[3]!];
  Atomics.add(control, 0, 1);
  while (Atomics.load(control, 0) < threads);
  for (let i = 0; i < times; i++) run(size, base);
  Atomics.add(control, 1, 1);
}

type Pool = {
  /** Milliseconds that all threads take, each for `times` calls. */
  time(name: string, size: number, times: number): number;
  /** The same on this thread only. */
  alone(name: string, size: number, times: number): number;
  end(): Promise<unknown>;
};
type Probe = (size: number, address: number) => void;

/** Threads with 128 MiB each over one memory. They spin between jobs: a sleeper would wake up on the core that waits for it. Control words: arrived, finished, size, times, round, probe. */
async function startPool(threads: number, relaxed: boolean): Promise<Pool> {
  const binary = probes(relaxed);
  const module = new WebAssembly.Module(binary);
  const perThread = 128 * MiB;
  const memory = new WebAssembly.Memory({ initial: (threads * perThread) / (64 * KiB), maximum: 65536, shared: true });
  // Pages are touched before anything is timed, and numbers are near 1 so that nothing overflows or becomes subnormal.
  new Float32Array(memory.buffer).fill(1);
  const probesHere = new WebAssembly.Instance(module, { env: { memory } }).exports as Record<string, Probe>;
  const names = Object.keys(probesHere);
  const control = new Int32Array(new SharedArrayBuffer(64));
  const source = `const { workerData: w, parentPort } = process.getBuiltinModule('node:worker_threads');
    const probes = new WebAssembly.Instance(w.module, { env: { memory: w.memory } }).exports;
    const runJob = ${runJob.toString()};
    parentPort.postMessage('ready');
    for (let round = 0; ; round++) {
      while (Atomics.load(w.control, 4) === round);
      if (w.control[5] < 0) break;
      runJob(probes[w.names[w.control[5]]], w.control, w.base, w.threads);
    }`;
  const workers = Array.from({ length: threads - 1 }, (_, i) => {
    const workerData = { module, memory, control, names, threads, base: (i + 1) * perThread };
    return new Worker(source, { eval: true, execArgv: [], workerData });
  });
  await Promise.all(workers.map((worker) => new Promise((ready) => worker.once('message', ready))));
  const announce = (probe: number): void => {
    control[5] = probe;
    Atomics.add(control, 4, 1);
  };
  return {
    time(name, size, times) {
      control.set([0, 0, size, times]);
      announce(names.indexOf(name));
      while (Atomics.load(control, 0) < threads - 1);
      const start = performance.now();
      runJob(probesHere[name]!, control, 0, threads);
      while (Atomics.load(control, 1) < threads);
      return performance.now() - start;
    },
    alone(name, size, times) {
      const probe = probesHere[name]!;
      const start = performance.now();
      for (let i = 0; i < times; i++) probe(size, 0);
      return performance.now() - start;
    },
    end() {
      announce(-1);
      return Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

/** Seconds of the best of many samples, each long enough that waiting for one another does not count; after as many for the engine to optimise. */
function best(pool: Pool, name: string, size: number, budgetMs: number): number {
  let times = 1;
  while (pool.alone(name, size, times) < 2) times *= 2;
  for (const end = performance.now() + budgetMs / 2; performance.now() < end; ) pool.time(name, size, times);
  let least = Infinity;
  for (const end = performance.now() + budgetMs / 2; performance.now() < end; )
    least = Math.min(least, pool.time(name, size, times) / times);
  return least / 1000;
}

export async function measureLimits(threads: number, budgetMs = 200): Promise<Limits> {
  const relaxed = enableRelaxedSimd();
  const pool = await startPool(threads, relaxed);
  const turns = 2000;
  const floats = turns * perLoop * 4 * threads;
  const rate = (name: string): number => (2 * floats) / best(pool, name, turns, budgetMs) / 1e9;
  const bytes = (name: string): Traffic => {
    const at = (size: number): number => (size * threads) / best(pool, name, size, budgetMs) / 1e9;
    // A nearer level is no slower than a farther one, whatever else the machine did meanwhile.
    const far = at(footprints.far);
    const shared = Math.max(far, at(footprints.shared));
    return { near: Math.max(shared, at(footprints.near)), shared, far };
  };
  const fused = relaxed ? rate('fused') : undefined;
  const unfused = rate('unfused');
  const divide = (best(pool, 'divide', turns, budgetMs) * 1e9) / floats;
  const limits = { threads, fused, unfused, peak: Math.max(fused ?? 0, unfused), divide, read: bytes('read'), write: bytes('write') };
  await pool.end();
  return limits;
}
