// Runs run.py for the tests: one process or several, on any number of devices of the processor.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { python, runner } from './python.ts';

export type Ended = { readonly code: number | null; readonly signal: string | null; readonly output: string };

export function start(
  args: readonly string[],
  devices: number,
): { readonly child: ChildProcess; readonly ended: Promise<Ended>; readonly output: () => string } {
  const child = spawn(python!, [runner, ...args], {
    env: { ...process.env, JAX_PLATFORMS: 'cpu', XLA_FLAGS: `--xla_force_host_platform_device_count=${devices}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += String(chunk);
    });
  const ended = new Promise<Ended>((done) => child.on('close', (code, signal) => done({ code, signal, output })));
  return { child, ended, output: () => output };
}

/** One process that ends well; gives what it printed. */
export async function launch(args: readonly string[], devices = 1): Promise<string> {
  const { code, signal, output } = await start(args, devices).ended;
  if (code !== 0) throw new Error(`run.py ended with ${code ?? signal}: ${output.slice(-2000)}`);
  return output;
}

/** A port that was free a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });

/** The arguments that make a process one of several. */
export const member = (port: number, processes: number, process: number): readonly string[] => [
  '--coordinator',
  `127.0.0.1:${port}`,
  '--processes',
  String(processes),
  '--process',
  String(process),
];

export const lossesOf = (output: string): ReadonlyMap<number, number> =>
  new Map([...output.matchAll(/step (\d+) {2}loss (\S+)/g)].map((m) => [Number(m[1]), Number(m[2])]));
