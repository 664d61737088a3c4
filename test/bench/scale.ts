// `npm run bench -- --scale`: exported steps on XLA beside the same steps written in JAX by hand, in the Python of FLUXION_SCALE_PYTHON.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromTypedArray } from '../../compiler/index.ts';
import { exportedStep } from '../../compiler/scale/export.ts';
import { dataOf } from './data.ts';
import { figures } from './report.ts';
import { steps } from './rows/step.ts';

type Timed = {
  readonly work: string;
  readonly ms: Readonly<Record<'exported' | 'by hand', number>>;
  readonly compile_ms: Readonly<Record<'exported' | 'by hand', number>>;
  readonly losses: Readonly<Record<'exported' | 'by hand', number>>;
};

/** Prints a line for each step; gives how many computed something else than their peer. */
export function benchScale(python: string, rounds: number): number {
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-scale-'));
  try {
    for (const [name, row] of Object.entries(steps)) {
      const data = row.inputs.map((input, i) => dataOf(input, i));
      const step = row.fluxion(...row.inputs.map(({ shape }, i) => fromTypedArray(data[i]!, [...shape])));
      const files = exportedStep(step, { example: {} });
      writeFileSync(join(folder, `${name}.mlir`), files.get('step.mlir')!);
      writeFileSync(join(folder, `${name}.safetensors`), files.get('init.safetensors')!);
      const inputs = row.inputs.map(({ shape }, i) => {
        const file = join(folder, `${name}.${i}.bin`);
        writeFileSync(file, data[i]!);
        return { file, shape, dtype: data[i] instanceof Int32Array ? 'int32' : 'float32' };
      });
      writeFileSync(join(folder, `${name}.json`), JSON.stringify({ work: row.work, xla: row.xla, state: row.state, inputs, rounds }));
    }
    const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
    const args = [path('./scale.py'), path('../../compiler/scale/run.py'), folder];
    const env = { JAX_PLATFORMS: 'cpu', ...process.env };
    const timed = execFileSync(python, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    return report(
      timed
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Timed),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function report(rows: readonly Timed[]): number {
  const width = Math.max(...rows.map((r) => r.work.length));
  console.log(`${''.padEnd(width)}  exported    by hand  ratio   compile`);
  let different = 0;
  for (const { work, ms, compile_ms: compile, losses } of rows) {
    const ratio = ms.exported / ms['by hand'];
    const apart = Math.abs(losses.exported - losses['by hand']) / Math.abs(losses['by hand']);
    if (!(apart < 1e-3)) different++;
    const cells = [ms.exported, ms['by hand']].map((t) => `${figures(t)} ms`.padStart(9));
    console.log(
      `${work.padEnd(width)}  ${cells.join('  ')}  ${ratio.toFixed(2).padStart(5)}  ${(compile.exported / 1000).toFixed(2)} s${apart < 1e-3 ? '' : ` computed ${losses.exported}, not ${losses['by hand']}`}`,
    );
  }
  return different;
}
