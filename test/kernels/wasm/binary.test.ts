// Modules as binaries: they validate, run, call each other and the host, and can be patched for another kind of memory.
import { expect, test } from 'vitest';
import { buildModule, type FinishedModule, type ModuleBuilder, memoryFlag } from '../../../kernels/wasm/binary.ts';

type Exports = Readonly<Record<string, (...args: number[]) => number>>;
function instantiate({ binary }: FinishedModule, imports: WebAssembly.Imports = {}): Exports {
  return new WebAssembly.Instance(new WebAssembly.Module(binary), imports).exports as Exports;
}

function withMemory(shared: boolean): ModuleBuilder {
  const m = buildModule();
  m.importMemory('env', 'memory', { min: 1, max: 4, shared });
  const load = m.function('load', ['i32'], ['i32'], (f) => f.return_(f.load('i32.load', f.param(0), 8)));
  m.exportFunction('load', load);
  return m;
}

test('a function calls one that is defined later, and imports may come last', () => {
  const m = buildModule();
  const later = m.declare('later', ['i32'], ['i32']);
  const first = m.function('first', ['i32'], ['i32'], (f) => f.return_(f.callValue(later, [f.op('i32.add', f.param(0), f.i32(1))])));
  const twice = m.addImport('env', 'twice', ['i32'], ['i32']);
  m.define(later, (f) => f.return_(f.callValue(twice, [f.param(0)])));
  m.exportFunction('first', first);
  expect(instantiate(m.finish(), { env: { twice: (x: number) => 2 * x } }).first!(20)).toBe(42);
});

test('a function that is declared must be defined, once', () => {
  const m = buildModule();
  const fn = m.declare('lost', [], []);
  expect(() => m.finish()).toThrow('lost is declared and not defined');
  m.define(fn, () => {});
  expect(() => m.define(fn, () => {})).toThrow('lost is defined twice');
});

test('the flag of the memory can be patched to take a plain memory for a shared one', () => {
  const finished = withMemory(true).finish();
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 4 });
  new Int32Array(memory.buffer)[3] = 7;
  expect(finished.binary[finished.memoryFlagAt]).toBe(memoryFlag.shared);
  expect(() => instantiate(finished, { env: { memory } })).toThrow(WebAssembly.LinkError);
  finished.binary[finished.memoryFlagAt] = memoryFlag.plain;
  expect(instantiate(finished, { env: { memory } }).load!(4)).toBe(7);
});

test('a module with many functions and long names validates', () => {
  const m = buildModule();
  for (let k = 0; k < 300; k++) {
    const fn = m.function(`f${k}_${'ä'.repeat(100)}`, ['i32'], ['i32'], (f) => f.return_(f.op('i32.add', f.param(0), f.i32(k * 1000))));
    m.exportFunction(`f${k}`, fn);
  }
  const exports = instantiate(m.finish());
  expect(exports.f299!(1)).toBe(299_001);
  expect(exports.f0!.name).toBe('0');
});
