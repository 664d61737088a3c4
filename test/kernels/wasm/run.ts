// Runs kernels in tests as WebAssembly: a module of one launch over fresh buffers, on one thread.
import type { Kernel } from '../../../kernels/loop.ts';
import { parseKernel } from '../../../kernels/parse.ts';
import { printKernel } from '../../../kernels/print.ts';
import { verifyKernel } from '../../../kernels/verify.ts';
import { emitModule } from '../../../kernels/wasm/module.ts';
import { bytesPerElement, type TypedArray, viewOf } from '../../../runtime/dtype.ts';
import { argumentBlock } from '../../../runtime/program.ts';
import { type Buffers, Refused } from '../run.ts';

const block = 1024;
const line = 64;
const aligned = (bytes: number): number => (Math.ceil(bytes / line) + 1) * line;

/** Calls the kernel; buffers not given start as zeros. Returns all buffers by name. `fused`: whether madd may be used. */
export function runWasm(kernel: Kernel, given: Buffers = {}, slots: readonly number[] = [], fused = false): Record<string, TypedArray> {
  verifyKernel(kernel);
  const { memory, call, buffers } = prepared(parseKernel(printKernel(kernel)), given, slots, fused);
  call();
  const status = new Int32Array(memory.buffer, block)[argumentBlock.status / 4]!;
  if (status !== 0) throw new Refused(`status ${status}`);
  return buffers;
}

/** The kernel, ready to be called again and again over the same memory. */
export function prepared(kernel: Kernel, given: Buffers, slots: readonly number[], fused: boolean) {
  const slotsAt = argumentBlock.pointers + 8 * Math.ceil(kernel.params.length / 2);
  const places = kernel.params.map((_, i) => ({ pointerAt: argumentBlock.pointers + 4 * i, rows: [] }));
  const launch = { kind: 'launch', kernel: 0, buffers: places } as const;
  const emitted = emitModule([kernel], [launch], slotsAt, fused);
  let top = aligned(block + slotsAt + 8 * slots.length);
  const place = (bytes: number): number => {
    const at = top;
    top = aligned(at + bytes);
    return at;
  };
  const addresses = kernel.params.map((p) => place((p.length as number) * bytesPerElement[p.dtype]));
  const [shared, own] = [place(emitted.sharedScratchBytes), place(emitted.threadScratchBytes)];
  const pages = Math.ceil(top / 65536) + 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const words = new Int32Array(memory.buffer, block);
  words[argumentBlock.sharedScratch / 4] = shared;
  words[argumentBlock.threadScratch / 4] = own;
  addresses.forEach((at, i) => {
    words[argumentBlock.pointers / 4 + i] = at;
  });
  new Float64Array(memory.buffer, block + slotsAt).set(slots);
  const buffers: Record<string, TypedArray> = {};
  kernel.params.forEach((p, i) => {
    const buffer = viewOf(p.dtype, memory.buffer, addresses[i]!, p.length as number);
    const values = given[p.name];
    if (values !== undefined)
      for (let v = 0; v < values.length; v++) buffer[v] = p.dtype === 'i64' ? BigInt(values[v]!) : Number(values[v]);
    buffers[p.name] = buffer;
  });
  const env: Record<string, unknown> = {
    ...Object.fromEntries(Object.getOwnPropertyNames(Math).map((n) => [n, Math[n as 'abs']])),
    memory,
  };
  env.stalled = () => undefined;
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(emitted.binary), { env: env as WebAssembly.ModuleImports }).exports;
  return { memory, buffers, call: (): void => (run as (...args: number[]) => void)(block, 0, 1) };
}
