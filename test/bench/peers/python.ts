// PyTorch eager, Inductor and XLA as contenders, in one helper process of the interpreter that FLUXION_BENCH_PYTHON names.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { HostArray } from '../data.ts';
import type { FunctionRow, StepRow } from '../row.ts';
import type { Subject } from './subject.ts';

export type PythonPeer = 'pytorch' | 'inductor' | 'xla';
type Reply = Readonly<Record<string, unknown>>;

export type Python = {
  readonly versions: Readonly<Partial<Record<PythonPeer, string>>>;
  /** Whether PyTorch runs with 512-bit vectors. */
  readonly wide: boolean;
  ask(request: Readonly<Record<string, unknown>>): Promise<Reply>;
  readonly folder: string;
  end(): void;
};

export async function startPython(interpreter: string, threads: number): Promise<Python> {
  const child: ChildProcessWithoutNullStreams = spawn(interpreter, ['-u', fileURLToPath(new URL('serve.py', import.meta.url))], {
    env: { ...process.env, FLUXION_BENCH_THREADS: String(threads), OMP_NUM_THREADS: String(threads) },
  });
  const complaints: string[] = [];
  child.stderr.on('data', (text: Buffer) => {
    complaints.push(text.toString());
    if (complaints.length > 20) complaints.shift();
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const reply = async (): Promise<Reply> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${interpreter} ended: ${complaints.join('').trim()}`);
    const answer = JSON.parse(value) as Reply;
    if (answer.error !== undefined) throw new Error(String(answer.error));
    return answer;
  };
  child.on('error', () => lines.return?.());
  const { versions, wide } = await reply();
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-bench-'));
  return {
    versions: versions as Python['versions'],
    wide: wide as boolean,
    folder,
    ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return reply();
    },
    end() {
      child.stdin.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const sourceOf = (row: FunctionRow | StepRow, peer: PythonPeer): string | undefined => (peer === 'xla' ? row.xla : row.torch);

/** `firstMs`: from nothing to the first result, with the peer's own caches off. */
export async function pythonSubject(
  python: Python,
  peer: PythonPeer,
  row: FunctionRow | StepRow,
  data: readonly HostArray[],
): Promise<(Subject & { readonly firstMs: number }) | undefined> {
  if (python.versions[peer] === undefined || sourceOf(row, peer) === undefined) return undefined;
  const inputs = row.inputs.map(({ shape }, i) => {
    const file = join(python.folder, `${i}.bin`);
    writeFileSync(file, data[i]!);
    return { file, shape, dtype: data[i] instanceof Int32Array ? 'int32' : 'float32' };
  });
  const { kind, torch, xla } = row;
  const rest = kind === 'function' ? { gradients: row.gradients, out: row.out } : { state: row.state };
  const { first_ms: firstMs } = await python.ask({ do: 'prepare', peer, kind, torch, xla, ...rest, inputs });
  return {
    firstMs: firstMs as number,
    sample: async (times) => (await python.ask({ do: 'sample', peer, times })).ms as number,
    results: async () => {
      const { files } = await python.ask({ do: 'results', peer, folder: python.folder });
      return (files as readonly { file: string; integer: boolean }[]).map(({ file, integer }) => {
        const { buffer } = new Uint8Array(readFileSync(file));
        return integer ? new BigInt64Array(buffer) : new Float64Array(buffer);
      });
    },
    close: async () => {
      await python.ask({ do: 'close', peer });
    },
  };
}
