// The WebAssembly of a Program: places of buffers as the argument block has them, and the module that the emitter makes of the kernels.
import type { Kernel } from '../../kernels/loop.ts';
import { emitModule, type Place } from '../../kernels/wasm/module.ts';
import { bytesPerElement, type DType } from '../../runtime/dtype.ts';
import { argumentBlock, type BufferRef, mapSteps, type Program, slotsAt, type WasmModule } from '../../runtime/program.ts';
import type { Target } from '../../runtime/target.ts';

export function wasmModule(
  program: Pick<Program, 'inputs' | 'outputs' | 'constants' | 'steps'>,
  kernels: readonly Kernel[],
  target: Target,
  marks = false,
): WasmModule {
  const steps = mapSteps(program.steps, (ref) => placeOf(program, ref));
  const { binary, ...module } = emitModule(kernels, steps, slotsAt(program), target.numerics === 'madd', marks);
  return { ...module, base64: base64Of(binary) };
}

type Ports = Pick<Program, 'inputs' | 'outputs' | 'constants'>;

function placeOf(ports: Ports, ref: BufferRef): Place {
  const { inputs, outputs } = ports;
  const size = bytesPerElement[dtypeOf(ports, ref)];
  const rows = (ref.rows ?? []).map(({ loop, length }) => ({ loop, bytes: length * size }));
  const pointer = (index: number): Place => ({ pointerAt: argumentBlock.pointers + 4 * index, rows });
  switch (ref.space) {
    case 'input':
      return pointer(ref.index);
    case 'output':
      return pointer(inputs.length + ref.index);
    case 'constant':
      return pointer(inputs.length + outputs.length + ref.index);
    case 'arena':
      return { arenaOffset: ref.offset, rows };
    default:
      return ref satisfies never;
  }
}

function dtypeOf({ inputs, outputs, constants }: Ports, ref: BufferRef): DType {
  switch (ref.space) {
    case 'input':
      return inputs[ref.index]!.dtype;
    case 'output':
      return outputs[ref.index]!.dtype;
    case 'constant':
      return constants[ref.index]!.dtype;
    case 'arena':
      return ref.dtype;
    default:
      return ref satisfies never;
  }
}

/** In pieces, since the arguments of a call must fit the stack; applied, since a spread would go by an iterator. */
function base64Of(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192)
    pieces.push(String.fromCharCode.apply(null, bytes.subarray(at, at + 8192) as unknown as number[]));
  return btoa(pieces.join(''));
}
