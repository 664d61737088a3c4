// ARCHITECTURE.md tells the truth: what it shows is what the system prints, and the files that it names are there.
// `UPDATE=1 npx vitest run test/architecture` writes the present texts into it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { getDefaultDevice, setDefaultDevice } from '../../compiler/frontend/device.ts';
import { locateAlways } from '../../compiler/frontend/record.ts';
import { describePrograms, graphAt, watch } from '../../compiler/inspect/index.ts';
import { type Graph, postorder } from '../../compiler/ir/node.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { lowerKernel } from '../../compiler/lower/kernel.ts';
import { printKernel } from '../../kernels/print.ts';
import type { Program } from '../../runtime/program.ts';
import { jsTarget, wasmTarget } from '../../runtime/target.ts';
import { document, generated, namedPaths, root, update } from './document.ts';

/** Big enough that threads share it. */
const summed = `graph @g(%x: f32[1048576]) -> (%sum: f32[]) {
  %two: f32[] = literal() {value: f32 2}
  %twos: f32[1048576] = expand(%two) {shape: [1048576], at: [0]}
  %one: f32[] = literal() {value: f32 1}
  %ones: f32[1048576] = expand(%one) {shape: [1048576], at: [0]}
  %zero: f32[] = literal() {value: f32 0}
  %zeros: f32[1048576] = expand(%zero) {shape: [1048576], at: [0]}
  %a: f32[1048576] = mul(%x, %twos)
  %b: f32[1048576] = add(%a, %ones)
  %c: f32[1048576] = max(%b, %zeros)
  %sum: f32[] = sum(%c) {axes: [0]}
}`;

/** Each generated text, made anew by running the example. */
async function texts(): Promise<ReadonlyMap<string, string>> {
  const device = getDefaultDevice();
  setDefaultDevice('js');
  const watched = watch();
  locateAlways(true);
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 100;
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await import('./example.ts');
  const output = log.mock.calls.map((values) => values.map(String).join(' ')).join('\n');
  log.mockRestore();
  Error.stackTraceLimit = limit;
  locateAlways(false);
  watched.stop();
  setDefaultDevice(device);
  const [only, ...others] = watched.programs();
  expect(others).toEqual([]);
  const { graph, name, program } = only!;
  const stage = (stage: string): string => print(graphAt(graph, jsTarget, stage), { name }).trimEnd();
  return new Map([
    ['example', readFileSync(join(root, 'test/architecture/example.ts'), 'utf8').trim()],
    ['output', output],
    ['recorded', stage('recorded')],
    ['simplified', stage('dce')],
    ['fused', stage('fuse')],
    ['nest', nestsOf(graphAt(graph, jsTarget, 'fuse')).at(-1)!],
    ['code', describePrograms([only!]).trimEnd()],
    ['program', shortened(program())],
    ['lanes', compileGraph(parse(summed), wasmTarget('madd')).kernels[0]!.source.trimEnd()],
  ]);
}

function nestsOf(fused: Graph): string[] {
  const slots = fused.inputs.filter((v) => v.node.op === 'slot');
  return postorder(fused.outputs).flatMap((node) => {
    if (node.op !== 'kernel') return [];
    const indices = node.inputs.map((v) => (slots.includes(v) ? slots.indexOf(v) : undefined));
    const dtypes = slots.map((v) => v.node.outputs[0]!.dtype);
    return [printKernel(lowerKernel(node, indices, dtypes, jsTarget)).trimEnd()];
  });
}

/** A Program as JSON, one line a member, without the kernels' source and the texts of inspection. */
function shortened(program: Program): string {
  const { kernels, notes, ...rest } = program;
  const line = (value: unknown): string => JSON.stringify(value).replaceAll(/([,:{])(?=\S)|(?<=[^{])(?=})/g, '$1 ');
  const members = Object.entries({ ...rest, kernels: kernels.map((k) => k.name) });
  const list = (values: readonly unknown[]): string => `[\n    ${values.map(line).join(',\n    ')}\n  ]`;
  return `{\n${members.map(([k, v]) => `  "${k}": ${k === 'steps' ? list(v as unknown[]) : line(v)}`).join(',\n')}\n}`;
}

test('the way of the example through the system is what the system prints', async () => {
  const fresh = await texts();
  if (process.env.UPDATE === '1') return update(fresh);
  expect([...generated().keys()].sort()).toEqual([...fresh.keys()].sort());
  for (const [name, text] of generated()) expect(text, `generated: ${name}`).toBe(fresh.get(name));
});

test('files and folders that it names exist', () => {
  const paths = namedPaths();
  expect(paths.length).toBeGreaterThan(20);
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('every folder has its line', () => {
  const named = new Set(namedPaths().map((path) => path.replace(/\/$/, '')));
  expect(
    ['ir', 'ops', 'autodiff', 'passes', 'lower', 'jit', 'frontend', 'inspect', 'cli'].filter((f) => !named.has(`compiler/${f}`)),
  ).toEqual([]);
  for (const folder of ['kernels', 'runtime', 'samples', 'test']) expect(document).toContain(`\`${folder}/\``);
});
