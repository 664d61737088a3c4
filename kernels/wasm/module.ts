// The WebAssembly module of a whole Program: functions of its kernels, and `run`, which goes through the steps on every thread.
import { argumentBlock, type Launch, type Step } from '../../runtime/program.ts';
import type { Extent, Kernel } from '../loop.ts';
import { mostOf } from '../size.ts';
import { buildModule } from './binary.ts';
import { sizeOf } from './expression.ts';
import type { FunctionBuilder, FunctionRef, Label, Local, Node } from './function.ts';
import { type EmittedKernel, emitKernel, type Phase } from './kernel.ts';
import { bindSizes, emptyScope } from './scope.ts';
import { type Failure, host, newUnit, shared, type Unit } from './unit.ts';

/** Where a kernel's buffer lies: at an address of the argument block, or in the arena. Both in bytes, as are the rows that loops go through. */
export type Place = ({ readonly pointerAt: number } | { readonly arenaOffset: number }) & {
  readonly rows: readonly { readonly loop: number; readonly bytes: number }[];
};

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

/**
 * `slotsAt`: where the numbers of the launch stand in the argument block. `marks`: whether thread 0 calls `env.mark`, with -1 before all
 * launches and with its index after each, when it is over on all threads: for profiles.
 */
export function emitModule(
  kernels: readonly Kernel[],
  steps: readonly Step<Place>[],
  slotsAt: number,
  fused: boolean,
  marks = false,
): EmittedModule {
  const module = buildModule();
  module.importMemory('env', 'memory', { min: 1, max: 65536, shared: false });
  const unit = newUnit(module, fused);
  const emitted = kernels.map((kernel) => emitKernel(unit, kernel, slotsAt));
  const mark = (launch: number): Flow[] => (marks ? [{ kind: 'mark', launch }] : []);
  let launches = 0;
  const phases = workOf(steps, (l) => [...turnsOf(kernels[l.kernel]!, emitted[l.kernel]!, l), ...mark(launches++)]);
  const work = [...mark(-1), ...phases];
  const isParallel = work.some(isShared);
  const threadScratchBytes = most(emitted.map((e) => e.threadScratchBytes));
  const run = module.function('run', ['i32', 'i32', 'i32'], [], (f) => {
    sequence(unit, f, work, isParallel, threadScratchBytes, sizesIn(unit, f, kernels[0], slotsAt));
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

/** Reads extents where functions are called; the sizes are the same for all kernels. */
type ReadExtent = (extent: Extent) => Node;

function sizesIn(unit: Unit, f: FunctionBuilder, kernel: Kernel | undefined, slotsAt: number): ReadExtent {
  const noScratch = { place: () => f.i32(0), within: (inner: () => void) => inner() };
  const scope = emptyScope({ unit, f, args: f.param(0) }, noScratch);
  if (kernel !== undefined) bindSizes(scope, kernel, slotsAt);
  return (extent) => sizeOf(scope, extent);
}

/** A phase of a launch, with its buffers. */
type Work = {
  readonly kind: 'phase';
  readonly phase: Phase;
  readonly buffers: readonly Place[];
  /** Turns of the group before this phase. */
  readonly start: number;
};

/** Where a profile looks at the clock. */
type Mark = { readonly kind: 'mark'; readonly launch: number };

/** Phases in order, and control flow over them; `isShared` says whether threads share any of the phases inside. */
type Flow =
  | Work
  | Mark
  | {
      readonly kind: 'branch';
      readonly isShared: boolean;
      readonly test: Place;
      readonly then: readonly Flow[];
      readonly else: readonly Flow[];
    }
  | {
      readonly kind: 'while';
      readonly isShared: boolean;
      readonly test: readonly Flow[];
      readonly holds: Place;
      readonly body: readonly Flow[];
    }
  | {
      readonly kind: 'repeat';
      readonly isShared: boolean;
      readonly times: number;
      readonly reverse: boolean;
      readonly body: readonly Flow[];
    };

const isShared = (flow: Flow): boolean => {
  switch (flow.kind) {
    case 'phase':
      return flow.phase.group !== undefined;
    case 'mark':
      return false;
    default:
      return flow.isShared;
  }
};
const canFail = (flow: Flow): boolean => {
  switch (flow.kind) {
    case 'phase':
      return flow.phase.canFail;
    case 'mark':
      return false;
    case 'branch':
      return [...flow.then, ...flow.else].some(canFail);
    case 'while':
      return [...flow.test, ...flow.body].some(canFail);
    case 'repeat':
      return flow.body.some(canFail);
    default:
      return flow satisfies never;
  }
};

function workOf(steps: readonly Step<Place>[], phasesOf: (launch: Launch<Place>) => readonly Flow[]): Flow[] {
  return steps.flatMap((step): readonly Flow[] => {
    switch (step.kind) {
      case 'launch':
        return phasesOf(step);
      case 'branch': {
        const [then, otherwise] = [workOf(step.then, phasesOf), workOf(step.else, phasesOf)];
        return [{ ...step, isShared: [...then, ...otherwise].some(isShared), then, else: otherwise }];
      }
      case 'while': {
        const [test, body] = [workOf(step.test, phasesOf), workOf(step.body, phasesOf)];
        return [{ ...step, isShared: [...test, ...body].some(isShared), test, body }];
      }
      case 'repeat': {
        const body = workOf(step.body, phasesOf);
        return [{ ...step, isShared: body.some(isShared), body }];
      }
      default:
        return step satisfies never;
    }
  });
}

function turnsOf(kernel: Kernel, { phases }: EmittedKernel, launch: Launch<Place>): Work[] {
  const placeOf = new Map(kernel.params.map((p, i) => [p.name, launch.buffers[i]!]));
  let start = 0;
  return phases.map((phase, i) => {
    if (phase.group === undefined || phase.group !== phases[i - 1]?.group) start = 0;
    const work: Work = { kind: 'phase', phase, buffers: phase.params.map((name) => placeOf.get(name)!), start };
    start += mostOf(phase.turns ?? 0);
    return work;
  });
}

/**
 * All phases in order. Between a phase that threads share and any other stands a barrier; what is not shared, thread 0 does. Control flow
 * over shared phases is gone through by all threads: they meet before they look at a test, and again before anything may overwrite it.
 */
function sequence(
  unit: Unit,
  f: FunctionBuilder,
  flows: readonly Flow[],
  isParallel: boolean,
  threadScratchBytes: number,
  read: ReadExtent,
): void {
  const [args, thread, threads] = [f.param(0), f.param(1), f.param(2)];
  const arena = f.bind(f.load('i32.load', args, argumentBlock.arena), 'arena');
  const firstScratch = f.load('i32.load', args, argumentBlock.threadScratch);
  const scratch = f.bind(f.op('i32.add', firstScratch, f.op('i32.mul', thread, f.i32(threadScratchBytes))), 'scratch');
  /** The index of each loop around, the outermost first. */
  const turns: Local[] = [];
  const addressOf = (place: Place): Node => {
    let address = 'pointerAt' in place ? f.load('i32.load', args, place.pointerAt) : f.op('i32.add', arena, f.i32(place.arenaOffset));
    for (const { loop, bytes } of place.rows) address = f.op('i32.add', address, f.op('i32.mul', f.get(turns[loop]!), f.i32(bytes)));
    return address;
  };
  const call = ({ phase, buffers }: Work, ...range: readonly Node[]): void => {
    for (let i = 0; i < phase.inTable; i++) f.store('i32.store', scratch, addressOf(buffers[i]!), 4 * i);
    const passed = buffers.slice(phase.inTable).map(addressOf);
    f.call(phase.fn, [args, scratch, ...passed, ...phase.sizes.map((n) => f.i32(n)), ...range]);
  };
  const meet = (): void => {
    const status = f.callValue(barrier(unit), [args, threads]);
    f.if(status, () => f.return_());
  };
  const holds = (test: Place): Node => f.bind(f.load('i32.load8_u', addressOf(test)));
  let mayHaveFailed = false;

  /** Loops and branches; `inside` goes through their bodies, `look` gives what stands at a test once it may be looked at. */
  const control = (flow: Exclude<Flow, Work | Mark>, inside: (flows: readonly Flow[]) => void, look: (test: Place) => Node): void => {
    mayHaveFailed ||= canFail(flow);
    switch (flow.kind) {
      case 'branch':
        f.if(
          look(flow.test),
          () => inside(flow.then),
          () => inside(flow.else),
        );
        break;
      case 'while': {
        const turn = f.local('i32');
        turns.push(turn);
        f.block((done) =>
          f.loop((again) => {
            inside(flow.test);
            f.brIf(done, f.op('i32.eqz', look(flow.holds)));
            inside(flow.body);
            f.br(again);
          }),
        );
        turns.pop();
        f.release(turn);
        break;
      }
      case 'repeat': {
        if (flow.times === 0) break;
        const turn = f.local('i32');
        turns.push(turn);
        f.set(turn, f.i32(flow.reverse ? flow.times - 1 : 0));
        f.loop((again) => {
          inside(flow.body);
          f.set(turn, f.op('i32.add', f.get(turn), f.i32(flow.reverse ? -1 : 1)));
          f.brIf(again, flow.reverse ? f.op('i32.ge_s', f.get(turn), f.i32(0)) : f.op('i32.lt_s', f.get(turn), f.i32(flow.times)));
        });
        turns.pop();
        f.release(turn);
        break;
      }
      default:
        flow satisfies never;
    }
  };

  /** What one thread does; it leaves the block `out` once something has failed. */
  const alone = (flows: readonly Flow[], out: Label): void => {
    for (const flow of flows) {
      if (flow.kind === 'mark') {
        f.call(host(unit, 'mark', ['i32'], []), [f.i32(flow.launch)]);
        continue;
      }
      if (flow.kind !== 'phase') {
        control(flow, (inner) => alone(inner, out), holds);
        continue;
      }
      if (mayHaveFailed) f.brIf(out, f.load('i32.load', args, argumentBlock.status));
      if (flow.phase.turns === undefined) call(flow);
      else inGrains(f, flow, f.i32(0), read(flow.phase.turns), call);
      mayHaveFailed ||= flow.phase.canFail;
    }
  };

  /** What all threads go through; at the end they have met. */
  const together = (flows: readonly Flow[]): void => {
    /** Whether other threads must wait for what was done last; which group that was. */
    let last: 'nothing' | 'alone' | NonNullable<Phase['group']> = 'nothing';
    for (let i = 0; i < flows.length; ) {
      const flow = flows[i]!;
      if (flow.kind === 'mark' || !isShared(flow)) {
        let end = i;
        while (end < flows.length && !isShared(flows[end]!)) end++;
        const part = flows.slice(i, end);
        if (last !== 'nothing') meet();
        const all = (): void => f.block((out) => alone(part, out));
        if (isParallel) f.if(f.op('i32.eqz', thread), all);
        else all();
        last = 'alone';
        i = end;
        continue;
      }
      i++;
      if (flow.kind !== 'phase') {
        if (last !== 'nothing') meet();
        control(flow, together, (test) => {
          const found = holds(test);
          meet();
          return found;
        });
        last = 'nothing';
        continue;
      }
      const { group } = flow.phase;
      if (last !== 'nothing' && last !== group) meet();
      const [from, to] = shareOf(f, flow, thread, threads, read);
      inGrains(f, flow, from, to, call);
      mayHaveFailed ||= flow.phase.canFail;
      last = group!;
    }
    if (isParallel && last !== 'nothing') meet();
  };
  together(flows);
}

/** One call for every `grain` turns. */
function inGrains(f: FunctionBuilder, work: Work, from: Node, to: Node, call: (work: Work, from: Node, to: Node) => void): void {
  const { grain, turns } = work.phase;
  if (work.phase.group === undefined && grain >= mostOf(turns!)) {
    call(work, from, to);
    return;
  }
  const at = f.local('i32');
  const end = f.bind(to);
  f.set(at, from);
  f.block((done) =>
    f.loop((again) => {
      f.brIf(done, f.op('i32.ge_s', f.get(at), end));
      const next = f.bind(f.op('i32.add', f.get(at), f.i32(grain)));
      call(work, f.get(at), f.select(f.op('i32.lt_s', next, end), next, end));
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
function shareOf(f: FunctionBuilder, { phase, start }: Work, thread: Node, threads: Node, read: ReadExtent): readonly [Node, Node] {
  const turns = f.bind(read(phase.turns!));
  const all = phase.group!.turns;
  const unit = phase.grain >= 64 && phase.grain % 64 === 0 ? 64 : 1;
  const portions =
    typeof all === 'number'
      ? f.i64(BigInt(Math.ceil(all / unit)))
      : f.bind(f.op('i64.extend_i32_u', f.op('i32.div_u', f.op('i32.add', read(all), f.i32(unit - 1)), f.i32(unit))));
  const border = (t: Node): Node => {
    const inGroup = f.op('i32.mul', f.op('i32.wrap_i64', divided(f, t, portions, threads)), f.i32(unit));
    const x = f.bind(f.op('i32.sub', inGroup, f.i32(start - (start % unit))));
    const low = f.bind(f.select(f.op('i32.gt_s', x, f.i32(0)), x, f.i32(0)));
    return f.bind(f.select(f.op('i32.lt_s', low, turns), low, turns));
  };
  return [border(thread), border(f.op('i32.add', thread, f.i32(1)))];
}

const divided = (f: FunctionBuilder, t: Node, portions: Node, threads: Node): Node =>
  f.op('i64.div_u', f.op('i64.mul', f.op('i64.extend_i32_u', t), portions), f.op('i64.extend_i32_u', threads));

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
