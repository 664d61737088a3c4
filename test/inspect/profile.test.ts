// Profiles: each launch is timed within its run, on every device, and traces nest.
import { afterEach, describe, expect, test } from 'vitest';
import { getDefaultDevice, setDefaultDevice, tensor } from '../../compiler/index.ts';
import { describeTiming, inspectedGraph, type Profiler, startProfile, timingOf, traceOf, watch } from '../../compiler/inspect/index.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { jsTarget, wasmTarget } from '../../runtime/target.ts';
import { wasmNumerics } from '../../runtime/wasm/features.ts';

let profiler: Profiler | undefined;
const device = getDefaultDevice();
afterEach(() => {
  profiler?.stop();
  setDefaultDevice(device);
});

/** The loop's kernel runs five times. */
const repeated = `graph @r(%x: f32[3]) -> (%y: f32[3]) {
  %a: f32[3] = exp(%x)
  %s: f32[] = sum(%a) {axes: [0]}
  %e: f32[3] = expand(%s) {shape: [3], at: [0]}
  %b: f32[3,3] = expand(%e) {shape: [3,3], at: [0]}
  %y: f32[3] = sum(%b) {axes: [1]}
}`;

describe.each(['js', 'wasm'] as const)('on %s', (name) => {
  test('every run of a program is timed, launch by launch, and gives the same values', () => {
    setDefaultDevice(name);
    profiler = startProfile();
    const watched = watch();
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    for (let i = 0; i < 3; i++) expect(x.matmul(x).sum(0).dataSync()).toEqual(Float32Array.of(22, 32));
    watched.stop();
    const runs = profiler.runs();
    expect(runs).toHaveLength(3);
    const count = watched.programs()[0]!.program().steps.length;
    for (const { start, end, launches } of runs) {
      expect(launches.map((l) => l.launch)).toEqual(Array.from({ length: count }, (_, i) => i));
      let at = start;
      for (const l of launches) {
        expect(l.start).toBeGreaterThanOrEqual(at);
        expect(l.end).toBeGreaterThanOrEqual(l.start);
        at = l.end;
      }
      expect(end).toBeGreaterThanOrEqual(at);
    }
  });

  test('a graph that came as text can be timed too', () => {
    profiler = startProfile();
    const inspected = inspectedGraph('r', parse(repeated), name === 'js' ? jsTarget : wasmTarget(wasmNumerics()));
    const [y] = profiler.executableOf(inspected).run([new Float32Array(3)], new Float64Array(0));
    expect([...y!]).toEqual([9, 9, 9]);
    const timing = timingOf([inspected], profiler.runs(), { flopsPerMs: 1e6, bytesPerMs: 1e6 });
    expect(timing.programs[0]!.runs).toBe(1);
    expect(timing.programs[0]!.kernels.map((k) => k.launches)).toEqual(inspected.program().kernels.map(() => 1));
    expect(describeTiming(timing)).toContain(inspected.program().kernels[0]!.name);
  });
});

test('when it ends, what is compiled is not timed any more', () => {
  const ended = startProfile();
  ended.stop();
  tensor([1, 2])
    .mul(tensor([3, 4]))
    .exp()
    .sum()
    .itemSync();
  expect(ended.runs()).toEqual([]);
});

test('shares are those of the nearer limit, by the launch in the middle', () => {
  const inspected = inspectedGraph('r', parse('graph @r(%x: f32[1000]) -> (%y: f32[1000]) { %y: f32[1000] = neg(%x) }'), jsTarget);
  const run = (ms: number) => ({ graph: inspected.graph, start: 0, end: ms, launches: [{ launch: 0, start: 0, end: ms }] });
  const { programs, ms } = timingOf([inspected], [run(90), run(4), run(2)], { flopsPerMs: 1e6, bytesPerMs: 8000 });
  expect(ms).toBe(96);
  expect(programs[0]!.kernels[0]).toMatchObject({ launches: 3, ms: 96, medianMs: 4, bytesPerMs: 2000, share: 0.25, bound: 'memory' });
});

test('a trace nests launches in runs on one track, and counts the arena', () => {
  const graph = parse(`graph @t(%x: f32[8,8]) -> (%b: f32[8,8]) {
    %a: f32[8,8] = dot(%x, %x) {batch: []x[], contract: [1]x[0]}
    %b: f32[8,8] = dot(%a, %x) {batch: []x[], contract: [1]x[0]}
  }`);
  const inspected = inspectedGraph('t', graph, jsTarget);
  profiler = startProfile();
  const executable = profiler.executableOf(inspected);
  for (let i = 0; i < 2; i++) executable.run([new Float32Array(64)], new Float64Array(0));
  const { traceEvents } = traceOf([inspected], profiler.runs());
  const spans = traceEvents.filter((e) => e.ph === 'X');
  expect(spans.map((e) => e.cat)).toEqual(['program', 'kernel', 'kernel', 'program', 'kernel', 'kernel']);
  const open: { ts: number; end: number }[] = [];
  for (const { ts, dur } of spans) {
    while (open.length > 0 && open.at(-1)!.end <= ts) open.pop();
    expect(ts + dur).toBeLessThanOrEqual((open.at(-1)?.end ?? Number.POSITIVE_INFINITY) + 1e-3);
    open.push({ ts, end: ts + dur });
  }
  const counters = traceEvents.filter((e) => e.ph === 'C').map((e) => e.args.bytes);
  expect(counters).toEqual([256, 256, 0, 256, 256, 0]);
});
