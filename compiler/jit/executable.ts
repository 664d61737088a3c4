// Makes a Program ready to run on the device that it was compiled for.
import { ProgramError } from '../../runtime/errors.ts';
import type { Executable } from '../../runtime/executable.ts';
import { bind, type KernelFunction } from '../../runtime/execute.ts';
import { faults } from '../../runtime/faults.ts';
import type { KernelCode, Program } from '../../runtime/program.ts';
import { bindWasm } from '../../runtime/wasm/execute.ts';
import { bindWebGpu } from '../../runtime/webgpu/execute.ts';
import { evaluated } from './evaluate.ts';
import { webgpuMachine } from './gpu.ts';
import { wasmMachine } from './machine.ts';

export type { Executable } from '../../runtime/executable.ts';

/** Functions by parameters and source, the oldest first. Equal kernels of different Programs share one, and what the engine learned of it. */
const functions = new Map<string, KernelFunction>();
const capacity = 4096;

/** A Program ready to run. */
export function load(program: Program): Executable {
  switch (program.target) {
    case 'js':
      return bind(program, functionsOf(program), faults);
    case 'wasm':
      return bindWasm(program, wasmMachine(), faults);
    case 'webgpu':
      return bindWebGpu(program, webgpuMachine(), faults);
  }
}

/** The functions of a Program of JavaScript, in the order of its kernels. */
export const functionsOf = ({ kernels }: Program): KernelFunction[] => kernels.map(functionOf);

function functionOf(kernel: KernelCode): KernelFunction {
  const key = `${kernel.params.join()}\n${kernel.source}`;
  const known = functions.get(key);
  if (known !== undefined) return known;
  const made = generate(kernel);
  if (functions.size >= capacity) functions.delete(functions.keys().next().value!);
  functions.set(key, made);
  return made;
}

function generate({ name, params, source }: KernelCode): KernelFunction {
  // A named function expression, so that profiles and stacks show the kernel.
  if (!/^[A-Za-z_$][\w$]*$/.test(name)) throw new ProgramError(`'${name}' is no name for a kernel`, { op: 'load' });
  return evaluated(`kernel ${name}`, `return function ${name}(${params.join(', ')}) {\n${source}};`) as KernelFunction;
}
