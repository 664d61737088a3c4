// What this process's WebAssembly can do, found by trying.

/** A module whose `fused` gives 2^-24 where `f32x4.relaxed_madd` rounds once, and 0 where it rounds twice. Both are allowed. */
const probe = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7d], // type: () -> f32
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x07, 0x09, 0x01, 0x05, 0x66, 0x75, 0x73, 0x65, 0x64, 0x00, 0x00], // export "fused"
  ...[0x0a, 0x1f, 0x01, 0x1d, 0x00],
  ...[0x43, 0x00, 0x08, 0x80, 0x3f, 0xfd, 0x13], // splat(1 + 2^-12)
  ...[0x43, 0x00, 0x08, 0x80, 0x3f, 0xfd, 0x13],
  ...[0x43, 0x00, 0x10, 0x80, 0xbf, 0xfd, 0x13], // splat(-1 - 2^-11)
  ...[0xfd, 0x85, 0x02], // f32x4.relaxed_madd
  ...[0xfd, 0x1f, 0x00, 0x0b],
);

let numerics: 'madd' | 'mul+add' | undefined;

/** Which numerics class WebAssembly has here. Asked for before the first module is compiled, since it may set a flag of the engine. */
export function wasmNumerics(): 'madd' | 'mul+add' {
  numerics ??= allowsRelaxed() && rounded() === 2 ** -24 ? 'madd' : 'mul+add';
  return numerics;
}

/** Node 20 has relaxed vector instructions behind a flag. */
function allowsRelaxed(): boolean {
  if (WebAssembly.validate(probe)) return true;
  const v8 = globalThis.process?.getBuiltinModule?.('node:v8');
  v8?.setFlagsFromString('--experimental-wasm-relaxed-simd');
  return WebAssembly.validate(probe);
}

const rounded = (): number => (new WebAssembly.Instance(new WebAssembly.Module(probe)).exports.fused as () => number)();

/** Whether there is WebAssembly with vectors at all: all engines of the last years have it, unless a policy forbids compiling. */
export function hasWasm(): boolean {
  try {
    return typeof WebAssembly === 'object' && new WebAssembly.Module(vectors) instanceof WebAssembly.Module;
  } catch {
    return false;
  }
}
/** A module with a vector in it. */
const vectors = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x04, 0x01, 0x60, 0x00, 0x00],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x0a, 0x09, 0x01, 0x07, 0x00, 0x41, 0x00, 0xfd, 0x0f, 0x1a, 0x0b],
);
