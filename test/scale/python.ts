// Runs modules with JAX: in the Python that FLUXION_SCALE_PYTHON names, one process for many modules.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { arrayOf, referenceFrom } from '../../compiler/inspect/data.ts';
import { avalOf, type Graph } from '../../compiler/ir/node.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { elementsOf, readSafetensors, storedOf, writeSafetensors } from '../../runtime/safetensors.ts';
import { moduleOf } from './stablehlo.ts';

/** The interpreter; tests that need it are left out where there is none. */
export const python = process.env.FLUXION_SCALE_PYTHON;
const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
export const runner = path('../../compiler/scale/run.py');

export type Evaluated = { readonly results: readonly Reference[] } | { readonly error: string };

/** Each graph on its data, by XLA on one device of the CPU. */
export function evaluateByXla(cases: readonly { readonly graph: Graph; readonly data: readonly Reference[] }[]): readonly Evaluated[] {
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-xla-'));
  const file = (i: number, suffix: string): string => join(folder, `${String(i).padStart(6, '0')}${suffix}`);
  try {
    for (const [i, { graph, data }] of cases.entries()) {
      writeFileSync(file(i, '.mlir'), moduleOf(graph));
      writeFileSync(
        file(i, '.safetensors'),
        writeSafetensors(data.map((r, k) => [`input:${k}`, storedOf(r.dtype, r.shape, arrayOf(r))] as const)),
      );
    }
    execFileSync(python!, [path('./evaluate.py'), runner, folder], {
      env: { ...process.env, JAX_PLATFORMS: 'cpu' },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return cases.map(({ graph }, i) => {
      if (existsSync(file(i, '.error'))) return { error: readFileSync(file(i, '.error'), 'utf8') };
      const { tensors } = readSafetensors(new Uint8Array(readFileSync(file(i, '.out.safetensors'))));
      return {
        results: graph.outputs.map((v, k) => {
          const { dtype, elements } = elementsOf(tensors.get(`output:${k}`)!)!;
          return referenceFrom(elements, dtype, avalOf(v).shape as readonly number[]);
        }),
      };
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
