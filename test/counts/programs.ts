// What tests of costs count on the Programs of real user code: kernels launched, and elements that they read and write.
import { compile, type Tensor } from '../../compiler/index.ts';
import { type ProgramReport, reportOf, watch } from '../../compiler/inspect/index.ts';
import { forgetStructures } from '../../compiler/jit/structure.ts';

/** The Programs that `f` compiles, none being known before. */
export function programsOf(f: () => void): ProgramReport[] {
  forgetStructures();
  const { programs, stop } = watch();
  try {
    f();
  } finally {
    stop();
  }
  return programs().map(({ name, program }) => reportOf(program(), name));
}

/** The one Program that computes all that `f` gives of `xs`. */
export function programOf(xs: readonly Tensor[], f: (...xs: Tensor[]) => Tensor | readonly Tensor[]): ProgramReport {
  const reports = programsOf(() => void compile((...args: Tensor[]) => f(...args))(...xs));
  if (reports.length !== 1) throw new Error(`${reports.length} Programs were compiled`);
  return reports[0]!;
}

export const namesOf = (report: ProgramReport): string[] => report.kernels.map((k) => k.name);

/** Where all tensors hold 4-byte elements. */
export const elementsMoved = (report: ProgramReport): number => report.bytesMoved / 4;
