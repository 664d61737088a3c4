// Programs of WebAssembly written by hand, small enough to see through.
import { buildModule, memoryFlag } from '../../../kernels/wasm/binary.ts';
import type { FunctionBuilder, FunctionRef, Node } from '../../../kernels/wasm/function.ts';
import { argumentBlock, type Port, type Program, programVersion, slotsAt, type WasmModule } from '../../../runtime/program.ts';

export const f32 = (name: string, ...shape: number[]): Port => ({ name, dtype: 'f32', shape });

/** What the body of `run` finds its data by. */
export type Frame = {
  readonly f: FunctionBuilder;
  readonly args: Node;
  readonly thread: Node;
  readonly threads: Node;
  readonly input: (i: number) => Node;
  readonly output: (i: number) => Node;
  readonly constant: (i: number) => Node;
  readonly slot: (i: number) => Node;
  readonly imported: (name: string) => FunctionRef;
};

export type Spec = Partial<Pick<Program, 'inputs' | 'slots' | 'outputs' | 'constants' | 'arenaBytes'>> &
  Partial<Pick<WasmModule, 'isParallel' | 'sharedScratchBytes' | 'threadScratchBytes' | 'failures'>> & {
    /** Names and numbers of i32 parameters of what it imports. */
    readonly imports?: Readonly<Record<string, number>>;
    readonly body: (frame: Frame) => void;
  };

export function wasmProgram(spec: Spec): Program {
  const { inputs = [], slots = [], outputs = [], constants = [], arenaBytes = 0, imports = {} } = spec;
  const m = buildModule();
  m.importMemory('env', 'memory', { min: 1, max: 65536, shared: false });
  const refs = new Map(
    Object.entries(imports).map(([name, count]) => [name, m.addImport('env', name, new Array<'i32'>(count).fill('i32'), [])] as const),
  );
  const pointer = (f: FunctionBuilder, i: number): Node => f.load('i32.load', f.param(0), argumentBlock.pointers + 4 * i);
  const run = m.function('run', ['i32', 'i32', 'i32'], [], (f) =>
    spec.body({
      f,
      args: f.param(0),
      thread: f.param(1),
      threads: f.param(2),
      input: (i) => pointer(f, i),
      output: (i) => pointer(f, inputs.length + i),
      constant: (i) => pointer(f, inputs.length + outputs.length + i),
      slot: (i) => f.load('f64.load', f.param(0), slotsAt({ inputs, outputs, constants }) + 8 * i),
      imported: (name) => refs.get(name)!,
    }),
  );
  m.exportFunction('run', run);
  const { binary, memoryFlagAt } = m.finish();
  if (binary[memoryFlagAt] !== memoryFlag.plain) throw new Error('the flag is elsewhere');
  return {
    version: programVersion,
    target: 'wasm',
    name: 'main',
    inputs,
    slots,
    outputs,
    constants,
    arenaBytes,
    liveBytes: arenaBytes,
    kernels: [],
    steps: [],
    module: {
      base64: Buffer.from(binary).toString('base64'),
      memoryFlagAt,
      imports: Object.keys(imports).filter((name) => name !== 'stalled'),
      isParallel: spec.isParallel ?? false,
      sharedScratchBytes: spec.sharedScratchBytes ?? 0,
      threadScratchBytes: spec.threadScratchBytes ?? 0,
      failures: spec.failures ?? [],
    },
    notes: { graph: '', fused: '', unfused: [] },
  };
}

/** For i of [from, to): `body`. */
export function loop(f: FunctionBuilder, from: Node, to: Node, body: (i: Node) => void): void {
  const i = f.local('i32');
  f.set(i, from);
  f.block((exit) =>
    f.loop((again) => {
      f.brIf(exit, f.op('i32.ge_s', f.get(i), to));
      body(f.get(i));
      f.set(i, f.op('i32.add', f.get(i), f.i32(1)));
      f.br(again);
    }),
  );
}

/** The address of element i of 4 bytes. */
export const element = (f: FunctionBuilder, base: Node, i: Node): Node => f.op('i32.add', base, f.op('i32.shl', i, f.i32(2)));

/** y = x * slot */
export const scaling = (n: number, extra: Partial<Spec> = {}): Program =>
  wasmProgram({
    inputs: [f32('x', n)],
    slots: [{ name: 'factor', dtype: 'f32' }],
    outputs: [f32('y', n)],
    body: ({ f, input, output, slot }) => {
      const x = f.bind(input(0));
      const y = f.bind(output(0));
      const factor = f.bind(f.op('f32.demote_f64', slot(0)));
      loop(f, f.i32(0), f.i32(n), (i) => {
        f.store('f32.store', element(f, y, i), f.op('f32.mul', f.load('f32.load', element(f, x, i)), factor));
      });
    },
    ...extra,
  });

/** Fails as `failures[at]` says, with the slot's value. */
export const failing = (failures: WasmModule['failures'], at: number): Program =>
  wasmProgram({
    slots: [{ name: 'value', dtype: 'f64' }],
    outputs: [f32('y', 4096)],
    failures,
    body: ({ f, args, slot }) => {
      f.store('f64.store', args, slot(0), argumentBlock.value);
      f.store('i32.store', args, f.i32(1 + at), argumentBlock.status);
    },
  });

/** Waits for all threads, asking the host now and then whether they are alive. */
function meet({ f, args, threads, imported }: Frame): void {
  const { arrived, generation } = argumentBlock;
  const before = f.atomic('i32.atomic.load', [args], generation)!;
  const others = f.atomic('i32.atomic.rmw.add', [args, f.i32(1)], arrived)!;
  f.if(
    f.op('i32.eq', f.op('i32.add', others, f.i32(1)), threads),
    () => {
      f.atomic('i32.atomic.store', [args, f.i32(0)], arrived);
      f.atomic('i32.atomic.rmw.add', [args, f.i32(1)], generation);
    },
    () => {
      const rounds = f.local('i32');
      f.set(rounds, f.i32(1000));
      f.loop((again) => {
        f.if(f.op('i32.eq', f.atomic('i32.atomic.load', [args], generation)!, before), () => {
          f.set(rounds, f.op('i32.sub', f.get(rounds), f.i32(1)));
          f.if(f.op('i32.eqz', f.get(rounds)), () => {
            f.call(imported('stalled'), []);
            f.set(rounds, f.i32(1000));
          });
          f.br(again);
        });
      });
    },
  );
}

export const relayRounds = 5;
/**
 * In each of five rounds every thread adds 1 to its share of y, which has been passed on by n / 4 places since the round before: after
 * them y = x + 5, whoever did what, if the barriers hold. Each thread notes in `marks` how many there are. Thread k calls `disaster` in round j
 * if the slot is 100 k + j.
 */
export const relay = (n: number): Program =>
  wasmProgram({
    inputs: [f32('x', n)],
    slots: [{ name: 'disaster', dtype: 'i32' }],
    outputs: [f32('y', n), { name: 'marks', dtype: 'i32', shape: [16] }],
    arenaBytes: 8 * n,
    imports: { stalled: 0, disaster: 0 },
    isParallel: true,
    body: (frame) => {
      const { f, args, thread, threads, input, output, slot, imported } = frame;
      const arena = f.bind(f.load('i32.load', args, argumentBlock.arena));
      const halves = [arena, f.bind(f.op('i32.add', arena, f.i32(4 * n)))];
      const border = (t: Node): Node => f.bind(f.op('i32.div_u', f.op('i32.mul', t, f.i32(n)), threads));
      const [from, to] = [border(thread), border(f.op('i32.add', thread, f.i32(1)))];
      const disaster = f.bind(f.op('i32.trunc_sat_f64_s', slot(0)));
      f.store('i32.store', element(f, output(1), thread), threads);
      for (let round = 0; round < relayRounds; round++) {
        const source = round === 0 ? input(0) : halves[round % 2]!;
        const target = round === relayRounds - 1 ? output(0) : halves[(round + 1) % 2]!;
        const [base, into] = [f.bind(source), f.bind(target)];
        const code = f.op('i32.add', f.op('i32.mul', thread, f.i32(100)), f.i32(round));
        f.if(f.op('i32.eq', disaster, code), () => f.call(imported('disaster'), []));
        loop(f, from, to, (i) => {
          const passed = round === 0 ? i : f.op('i32.rem_u', f.op('i32.add', i, f.i32(n / 4)), f.i32(n));
          f.store('f32.store', element(f, into, i), f.op('f32.add', f.load('f32.load', element(f, base, passed)), f.f32(1)));
        });
        meet(frame);
      }
    },
  });
