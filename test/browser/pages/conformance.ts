// The conformance suite in a page: all ops on a target, each with what is wrong about it.
import type { OpName } from '../../../compiler/ir/opset.ts';
import { hostRoutine } from '../../../compiler/jit/routines.ts';
import { FluxionError } from '../../../runtime/errors.ts';
import { jsTarget, wasmTarget } from '../../../runtime/target.ts';
import { wasmNumerics } from '../../../runtime/wasm/features.ts';
import { openMachine } from '../../../runtime/webgpu/machine.ts';
import { compiledOps, type Verdict, verdictOn } from '../../conformance/suite.ts';
import { verdictOnWebGpu } from '../../conformance/webgpu.ts';

export type TargetName = 'js' | 'mul+add' | 'madd' | 'webgpu';

/** An op that throws is wrong, and no reason to leave the others out. */
async function allOps(verdict: (op: OpName) => Verdict | Promise<Verdict>): Promise<Record<string, Verdict>> {
  const told: Record<string, Verdict> = {};
  for (const op of compiledOps) {
    try {
      told[op] = await verdict(op);
    } catch (error) {
      told[op] = { samples: 1, wrong: [`${op}: ${error instanceof FluxionError ? error.message : (error as Error).stack}`] };
    }
  }
  return told;
}

export async function conformance(name: TargetName): Promise<Record<string, Verdict>> {
  switch (name) {
    case 'js':
      return allOps((op) => verdictOn(jsTarget, op));
    case 'mul+add':
    case 'madd':
      return allOps((op) => verdictOn(wasmTarget(name), op));
    case 'webgpu': {
      const machine = await openMachine(navigator.gpu, hostRoutine);
      return allOps((op) => verdictOnWebGpu(machine, op));
    }
    default:
      return name satisfies never;
  }
}

export const numerics = (): string => wasmNumerics();
