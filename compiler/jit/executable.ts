// Turns the JavaScript of a Program's kernels into functions. The only place of the package where source becomes code.
import { DeviceError, ProgramError } from '../../runtime/errors.ts';
import { bind, type Executable, type KernelFunction } from '../../runtime/execute.ts';
import { faults } from '../../runtime/faults.ts';
import type { KernelCode, Program } from '../../runtime/program.ts';

export type { Executable } from '../../runtime/execute.ts';

/** Functions by parameters and source, the oldest first. Equal kernels of different Programs share one, and what the engine learned of it. */
const functions = new Map<string, KernelFunction>();
const capacity = 4096;

/** A Program ready to run. */
export function load(program: Program): Executable {
  if (program.target !== 'js')
    throw new DeviceError(`the program '${program.name}' is for ${program.target}, this device runs js`, {
      op: 'load',
      fix: "compile it with the target 'js'",
    });
  return bind(program, program.kernels.map(functionOf), faults);
}

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
  try {
    return new Function(`"use strict"; return function ${name}(${params.join(', ')}) {\n${source}};`)() as KernelFunction;
  } catch (cause) {
    if (cause instanceof EvalError)
      throw new DeviceError('this page or process forbids generating code from strings', {
        op: 'load',
        fix: "build ahead of time with 'fluxion build', or allow it ('unsafe-eval' in the content security policy)",
        cause,
      });
    throw new ProgramError(`kernel ${name} does not compile: ${String(cause)}`, { op: 'load', cause });
  }
}
