// The WebAssembly module of a whole Program: functions of its kernels, and `run`, which calls them in order on every thread.
import { argumentBlock } from '../../runtime/program.ts';
import type { Kernel } from '../loop.ts';
import { buildModule } from './binary.ts';
import type { FunctionBuilder, FunctionRef, Node } from './function.ts';
import { type EmittedKernel, emitKernel, type Phase } from './kernel.ts';
import { type Failure, host, newUnit, shared, type Unit } from './unit.ts';

/** Where a kernel's buffer lies: at an address of the argument block, or in the arena. Both in bytes. */
export type Place = { readonly pointerAt: number } | { readonly arenaOffset: number };

export type ModuleLaunch = { readonly kernel: number; readonly buffers: readonly Place[] };

export type EmittedModule = {
  readonly binary: Uint8Array<ArrayBuffer>;
  readonly memoryFlagAt: number;
  readonly imports: readonly string[];
  readonly failures: readonly Failure[];
  readonly isParallel: boolean;
  readonly sharedScratchBytes: number;
  readonly threadScratchBytes: number;
};

const most = (xs: readonly number[]): number => xs.reduce((a, b) => Math.max(a, b), 0);

/** `slotsAt`: where the numbers of the launch stand in the argument block. */
export function emitModule(kernels: readonly Kernel[], launches: readonly ModuleLaunch[], slotsAt: number, fused: boolean): EmittedModule {
  const module = buildModule();
  module.importMemory('env', 'memory', { min: 1, max: 65536, shared: false });
  const unit = newUnit(module, fused);
  const emitted = kernels.map((kernel) => emitKernel(unit, kernel, slotsAt));
  const steps = launches.flatMap((launch) => stepsOf(kernels[launch.kernel]!, emitted[launch.kernel]!, launch));
  const isParallel = steps.some(({ phase }) => phase.group !== undefined);
  const threadScratchBytes = most(emitted.map((e) => e.threadScratchBytes));
  const run = module.function('run', ['i32', 'i32', 'i32'], [], (f) => {
    sequence(unit, f, steps, isParallel, threadScratchBytes);
    f.return_();
  });
  module.exportFunction('run', run);
  return {
    ...module.finish(),
    imports: unit.imports,
    failures: unit.failures,
    isParallel,
    sharedScratchBytes: most(emitted.map((e) => e.sharedScratchBytes)),
    threadScratchBytes,
  };
}

type Step = {
  readonly phase: Phase;
  readonly buffers: readonly Place[] /** Turns of the group before this phase. */;
  readonly start: number;
};

function stepsOf(kernel: Kernel, { phases }: EmittedKernel, launch: ModuleLaunch): Step[] {
  const placeOf = new Map(kernel.params.map((p, i) => [p.name, launch.buffers[i]!]));
  let start = 0;
  return phases.map((phase, i) => {
    if (phase.group === undefined || phase.group !== phases[i - 1]?.group) start = 0;
    const step = { phase, buffers: phase.params.map((name) => placeOf.get(name)!), start };
    start += phase.turns ?? 0;
    return step;
  });
}

/** All phases in order. Between a phase that threads share and any other stands a barrier; what is not shared, thread 0 does. */
function sequence(unit: Unit, f: FunctionBuilder, steps: readonly Step[], isParallel: boolean, threadScratchBytes: number): void {
  const [args, thread, threads] = [f.param(0), f.param(1), f.param(2)];
  const arena = f.bind(f.load('i32.load', args, argumentBlock.arena), 'arena');
  const firstScratch = f.load('i32.load', args, argumentBlock.threadScratch);
  const scratch = f.bind(f.op('i32.add', firstScratch, f.op('i32.mul', thread, f.i32(threadScratchBytes))), 'scratch');
  const addressOf = (place: Place): Node =>
    'pointerAt' in place ? f.load('i32.load', args, place.pointerAt) : f.op('i32.add', arena, f.i32(place.arenaOffset));
  const call = ({ phase, buffers }: Step, ...range: readonly Node[]): void =>
    f.call(phase.fn, [args, scratch, ...buffers.map(addressOf), ...phase.sizes.map((n) => f.i32(n)), ...range]);
  const meet = (): void => {
    const status = f.callValue(barrier(unit), [args, threads]);
    f.if(status, () => f.return_());
  };
  /** Whether other threads must wait for what was done last; which group that was. */
  let last: 'nothing' | 'alone' | NonNullable<Phase['group']> = 'nothing';
  let mayHaveFailed = false;
  for (let i = 0; i < steps.length; ) {
    const { group } = steps[i]!.phase;
    if (group === undefined) {
      let end = i;
      while (end < steps.length && steps[end]!.phase.group === undefined) end++;
      const alone = steps.slice(i, end);
      if (last !== 'nothing') meet();
      const all = (): void =>
        f.block((out) => {
          for (const step of alone) {
            if (mayHaveFailed) f.brIf(out, f.load('i32.load', args, argumentBlock.status));
            if (step.phase.turns === undefined) call(step);
            else inGrains(f, step, f.i32(0), f.i32(step.phase.turns), call);
            mayHaveFailed ||= step.phase.canFail;
          }
        });
      if (isParallel) f.if(f.op('i32.eqz', thread), all);
      else all();
      last = 'alone';
      i = end;
    } else {
      if (last !== 'nothing' && last !== group) meet();
      const step = steps[i]!;
      const [from, to] = shareOf(f, step, thread, threads);
      inGrains(f, step, from, to, call);
      mayHaveFailed ||= step.phase.canFail;
      last = group;
      i++;
    }
  }
  if (isParallel) meet();
}

/** One call for every `grain` turns. */
function inGrains(f: FunctionBuilder, step: Step, from: Node, to: Node, call: (step: Step, from: Node, to: Node) => void): void {
  const { grain, turns } = step.phase;
  if (step.phase.group === undefined && grain >= turns!) {
    call(step, from, to);
    return;
  }
  const at = f.local('i32');
  const end = f.bind(to);
  f.set(at, from);
  f.block((done) =>
    f.loop((again) => {
      f.brIf(done, f.op('i32.ge_s', f.get(at), end));
      const next = f.bind(f.op('i32.add', f.get(at), f.i32(grain)));
      call(step, f.get(at), f.select(f.op('i32.lt_s', next, end), next, end));
      f.set(at, next);
      f.br(again);
    }),
  );
  f.release(at);
}

/**
 * The turns of a thread. A group's turns are dealt out in portions of 64 (of one, where there are few), so that vectors stay whole; phases of a
 * group follow each other in one numbering, of which each has a stretch.
 */
function shareOf(f: FunctionBuilder, { phase, start }: Step, thread: Node, threads: Node): readonly [Node, Node] {
  const turns = phase.turns!;
  const all = phase.group!.turns;
  const unit = phase.grain >= 64 && phase.grain % 64 === 0 ? 64 : 1;
  const portions = Math.ceil(all / unit);
  const border = (t: Node): Node => {
    const inGroup = f.op('i32.mul', f.op('i32.wrap_i64', divided(f, t, portions, threads)), f.i32(unit));
    const x = f.bind(f.op('i32.sub', inGroup, f.i32(start - (start % unit))));
    const low = f.bind(f.select(f.op('i32.gt_s', x, f.i32(0)), x, f.i32(0)));
    return f.bind(f.select(f.op('i32.lt_s', low, f.i32(turns)), low, f.i32(turns)));
  };
  return [border(thread), border(f.op('i32.add', thread, f.i32(1)))];
}

const divided = (f: FunctionBuilder, t: Node, portions: number, threads: Node): Node =>
  f.op('i64.div_u', f.op('i64.mul', f.op('i64.extend_i32_u', t), f.i64(BigInt(portions))), f.op('i64.extend_i32_u', threads));

/** Rounds of waiting after which the host is asked whether the others are still alive: about a millisecond. */
const patience = 1 << 18;

/**
 * Waits for all threads; gives the status word as it was when the last one came, so that all see the same. A thread that waits long asks the
 * host (`stalled`), which throws if another one is gone.
 */
const barrier = (unit: Unit): FunctionRef => {
  const stalled = host(unit, 'stalled', [], []);
  return shared(unit, 'barrier', ['i32', 'i32'], ['i32'], (f) => {
    const [args, threads] = [f.param(0), f.param(1)];
    const { status, latched, arrived, generation } = argumentBlock;
    f.if(f.op('i32.eq', threads, f.i32(1)), () => f.return_(f.load('i32.load', args, status)));
    const before = f.atomic('i32.atomic.load', [args], generation)!;
    const others = f.atomic('i32.atomic.rmw.add', [args, f.i32(1)], arrived)!;
    f.if(
      f.op('i32.eq', f.op('i32.add', others, f.i32(1)), threads),
      () => {
        f.store('i32.store', args, f.load('i32.load', args, status), latched);
        f.atomic('i32.atomic.store', [args, f.i32(0)], arrived);
        f.atomic('i32.atomic.rmw.add', [args, f.i32(1)], generation);
      },
      () => {
        const rounds = f.local('i32', 'rounds');
        f.set(rounds, f.i32(patience));
        f.loop((again) => {
          const now = f.atomic('i32.atomic.load', [args], generation)!;
          f.if(f.op('i32.eq', now, before), () => {
            f.set(rounds, f.op('i32.sub', f.get(rounds), f.i32(1)));
            f.if(f.op('i32.eqz', f.get(rounds)), () => {
              f.call(stalled, []);
              f.set(rounds, f.i32(patience));
            });
            f.br(again);
          });
        });
      },
    );
    f.return_(f.load('i32.load', args, latched));
  });
};
