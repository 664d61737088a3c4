// The WebAssembly of a Program: places of buffers as the argument block has them, and the module that the emitter makes of the kernels.
import type { Kernel } from '../../kernels/loop.ts';
import { emitModule, type Place } from '../../kernels/wasm/module.ts';
import { argumentBlock, type BufferRef, type Program, slotsAt, type WasmModule } from '../../runtime/program.ts';
import type { Target } from '../../runtime/target.ts';

export function wasmModule(
  program: Pick<Program, 'inputs' | 'outputs' | 'constants' | 'launches'>,
  kernels: readonly Kernel[],
  target: Target,
): WasmModule {
  const launches = program.launches.map(({ kernel, buffers }) => ({ kernel, buffers: buffers.map((ref) => placeOf(program, ref)) }));
  const { binary, ...module } = emitModule(kernels, launches, slotsAt(program), target.numerics === 'madd');
  return { ...module, base64: base64Of(binary) };
}

function placeOf({ inputs, outputs }: Pick<Program, 'inputs' | 'outputs'>, ref: BufferRef): Place {
  const pointer = (index: number): Place => ({ pointerAt: argumentBlock.pointers + 4 * index });
  switch (ref.space) {
    case 'input':
      return pointer(ref.index);
    case 'output':
      return pointer(inputs.length + ref.index);
    case 'constant':
      return pointer(inputs.length + outputs.length + ref.index);
    case 'arena':
      return { arenaOffset: ref.offset };
    default:
      return ref satisfies never;
  }
}

/** In pieces, since the arguments of a call must fit the stack. */
function base64Of(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) pieces.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return btoa(pieces.join(''));
}
