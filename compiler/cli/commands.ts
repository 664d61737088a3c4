// The commands of `fluxion`: one table, from which parsing and help follow. What a command needs is loaded when it runs.
import type { Commands, Option } from './arguments.ts';

const json: Option = {
  help: 'print data: { programs: [{ graph, kernels: [{ name, flops, bytesRead, bytesWritten }], arenaBytes, liveBytes }] }',
};

export const commands: Commands = {
  ir: {
    summary: 'Prints each distinct graph that FILE compiles, with the source line of each node',
    options: {
      stage: { takes: 'NAME', help: 'the graph after this pass (recorded, simplify, ..., fuse)' },
      json,
    },
    example: 'npx fluxion ir --stage fuse train.ts',
    run: async (invocation) => (await import('./ir.ts')).ir(invocation),
  },
  kernels: {
    summary: 'Prints the code generated for FILE: per kernel its flops and bytes, per Program its kernels, bytes moved and memory',
    options: {
      why: { help: 'tell why neighbours were not fused' },
      json,
    },
    example: 'npx fluxion kernels --why train.ts -- --epochs 1',
    run: async (invocation) => (await import('./kernels.ts')).kernels(invocation),
  },
  explain: {
    summary: 'Tells what became of each compiled function: specialisations, guards, segments, and why it was recorded again',
    options: { json: { help: 'print data: { functions: [{ name, calls, traces, specialisations, retraces }] }' } },
    example: 'npx fluxion explain train.ts',
    run: async (invocation) => (await import('./explain.ts')).explain(invocation),
  },
};
