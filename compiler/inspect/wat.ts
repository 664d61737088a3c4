// The WebAssembly of a Program as text, function by function, each with the kernel that it belongs to.
import { disassemble } from '../../kernels/wasm/disassemble.ts';
import type { Program } from '../../runtime/program.ts';
import { bytesFor } from '../../runtime/wasm/execute.ts';

export type ModuleText = {
  /** For each kernel its functions: one for each phase. */
  readonly kernels: readonly (readonly string[])[];
  /** What kernels share (transcendental functions, the barrier), and `run`. */
  readonly shared: readonly string[];
};

/** Undefined for a Program that has no WebAssembly. */
export function moduleText({ module, kernels }: Program): ModuleText | undefined {
  if (module === undefined) return undefined;
  const owned = kernels.map((): string[] => []);
  const shared: string[] = [];
  let current = -1;
  // Kernels are emitted in their order: a function of the next one's name begins it, numbered ones follow.
  for (const { name, text } of functionsIn(disassemble(bytesFor(module, false)))) {
    const next = kernels.findIndex((k, i) => i > current && k.name === name);
    if (next >= 0) current = next;
    const owner = current >= 0 && (next >= 0 || isPhaseOf(name, kernels[current]!.name)) ? owned[current] : undefined;
    (owner ?? shared).push(text);
  }
  return { kernels: owned, shared };
}

const isPhaseOf = (name: string, kernel: string): boolean => name.startsWith(`${kernel}_`) && /^\d+$/.test(name.slice(kernel.length + 1));

function functionsIn(text: string): { readonly name: string; readonly text: string }[] {
  const found: { name: string; lines: string[] }[] = [];
  let isInside = false;
  for (const line of text.split('\n')) {
    const head = /^ {2}\(func \$?(\S+?)\)?(?: |$)/.exec(line);
    if (head !== null) {
      found.push({ name: head[1]!, lines: [] });
      isInside = true;
    }
    if (isInside) found.at(-1)!.lines.push(line.slice(2));
    if (line === '  )') isInside = false;
  }
  return found.map(({ name, lines }) => ({ name, text: lines.join('\n') }));
}
