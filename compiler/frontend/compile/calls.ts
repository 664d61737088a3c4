// A call of a compiled function: replayed where a specialisation knows the way, recorded from where none does.
import { readSync } from '../../../runtime/buffer.ts';
import { CompileError, InternalError } from '../../../runtime/errors.ts';
import { logged } from '../../jit/log.ts';
import { isGradEnabled, isInferenceModeEnabled } from '../autograd/mode.ts';
import { defaultTarget } from '../device.ts';
import { flatten } from '../pytree.ts';
import { markStream } from '../random.ts';
import type { Tensor } from '../tensor.ts';
import { maxSegments, maxValues, warner } from './budgets.ts';
import { demandUnchanged } from './check.ts';
import { Refusal } from './describe.ts';
import { admits, forget, guardOf, holds } from './guards.ts';
import { guardMismatch, type Mismatch, mismatch, mismatchText, pathsOf, specialisationText, titleOf } from './reasons.ts';
import { finish, runSegment } from './replay.ts';
import { alike, finishAt, join, type Marks, shareProgram } from './sizes.ts';
import { bufferAt, type Walk, type Walked } from './sources.ts';
import { type Traced, type TraceOptions, trace } from './trace.ts';
import type { Segment, Specialisation } from './tree.ts';

export type Settings = {
  readonly name: string;
  /** The line that called compile(). */
  readonly at: string | undefined;
  readonly maxVariants: number;
  readonly fullgraph: boolean;
  readonly check: boolean;
  /** Dimensions whose size does not decide what fn does; false: every size is a specialisation of its own. */
  readonly dynamic: Marks | false;
};

/** Why fn ran again: for each specialisation the guard that failed, or what was seen for the first time. */
export type Retrace = { readonly call: number; readonly reasons: readonly string[] };

/** A compiled function. */
export type Compilation = {
  readonly fn: (...args: never[]) => unknown;
  readonly settings: Settings;
  readonly specialisations: Specialisation[];
  readonly retraces: Retrace[];
  calls: number;
  /** How often fn was run to record it. */
  traces: number;
  readonly warn: ReturnType<typeof warner>;
};

export const compilationOf = (fn: Compilation['fn'], settings: Settings): Compilation => ({
  fn,
  settings,
  specialisations: [],
  retraces: [],
  calls: 0,
  traces: 0,
  warn: warner(),
});

export function call(c: Compilation, args: readonly unknown[]): unknown {
  c.calls++;
  const { specialisations } = c;
  for (let i = 0; i < specialisations.length; i++) {
    const s = specialisations[i]!;
    if (admits(s, args)) return c.settings.check ? checkedCall(c, s, args) : knownCall(c, s, args);
    forget(s);
  }
  return newCall(c, args);
}

const plainly = (c: Compilation, args: readonly unknown[]): unknown => (c.fn as (...args: readonly unknown[]) => unknown)(...args);

/** Kept retraces; the first say most. */
const maxRetraces = 1000;

/** A call that no specialisation fits: one more, unless there are too many. */
function newCall(c: Compilation, args: readonly unknown[]): unknown {
  const { specialisations, settings } = c;
  if (specialisations.length > 0) {
    const reasons = specialisations.map((s, i) => `${i}: ${mismatchText(mismatch(s, args))}`);
    if (specialisations.length >= settings.maxVariants) {
      const last = mismatch(specialisations[specialisations.length - 1]!, args);
      c.warn('variants', () => tooMany(settings, last));
      return plainly(c, args);
    }
    retraced(c, reasons);
  }
  const { tensors, rest } = flatten(args);
  const s: Omit<Specialisation, 'root'> = {
    target: defaultTarget(),
    gradMode: isGradEnabled(),
    inference: isInferenceModeEnabled(),
    rest,
    arguments: tensors.map(guardOf),
    generators: new Set(),
    segments: 0,
    found: [],
  };
  // What is compared by `check` is one recording with another: each size has one of its own.
  const like = settings.dynamic === false || settings.check ? undefined : alike(specialisations, s);
  const traced = traceCall(c, args, tensors, [], false, 0, like && ((structure) => shareProgram(like, structure)));
  const recorded: Specialisation = { ...s, root: traced.path[0]! };
  attach(recorded, traced, []);
  const made = like === undefined || settings.dynamic === false ? recorded : join(like, recorded, settings.dynamic, pathsOf(rest));
  if (made !== undefined) specialisations.push(made);
  const at = made === undefined ? specialisations.indexOf(like!.first.opened!) : specialisations.length - 1;
  logged('guards', () => `${titleOf(settings)}, specialisation ${at}:\n${specialisationText(specialisations[at]!)}`);
  return traced.result;
}

/** A call that a specialisation fits. `found` of it is filled. */
function knownCall(c: Compilation, s: Specialisation, args: readonly unknown[]): unknown {
  if (s.root.end.kind === 'open') {
    forget(s);
    return plainly(c, args);
  }
  const back = s.root.end.kind === 'branch' ? marksOf(s) : undefined;
  const walk: Walk = { found: s.found as Tensor[], walked: [], undo: [] };
  let left: Left | Done;
  try {
    left = walkThrough(s, walk);
  } catch (error) {
    takeBack(walk);
    throw error;
  } finally {
    forget(s);
  }
  if ('result' in left) return left.result;
  takeBack(walk);
  for (const f of back!) f();
  if (left.reason !== undefined) retraced(c, [left.reason]);
  const traced = traceCall(c, args, flatten(args).tensors, walk.walked, left.reason === undefined, s.segments);
  attach(s, traced, walk.walked);
  return traced.result;
}

type Done = { readonly result: unknown };
/** `reason`: undefined where the rest of the call is ordinary recording. */
type Left = { readonly reason: string | undefined };

function walkThrough(s: Specialisation, walk: Walk): Done | Left {
  let segment = s.root;
  for (;;) {
    const ran = runSegment(walk, segment);
    const { end } = segment;
    if (end.kind === 'finish') return { result: finish(walk, finishAt(s, s.found, end.finish)) };
    if (end.kind === 'open') throw new InternalError('compile: an open segment was entered');
    ran.value = numberAt(walk, ran);
    const next = end.branches.find((b) => Object.is(b.value, ran.value) && holds(b.segment.guards, s.found));
    if (next === undefined) return { reason: leftBecause(s, ran, end) };
    if (next.segment.end.kind === 'open') return { reason: undefined };
    segment = next.segment;
  }
}

function takeBack({ undo }: Walk): void {
  for (let back = undo.pop(); back !== undefined; back = undo.pop()) back();
}

/** What takes random numbers back to where the call began: fn draws the same ones if it has to run after all. */
function marksOf(s: Specialisation): (() => void)[] {
  const marks = [markStream()];
  for (const generator of s.generators) marks.push(generator.mark());
  return marks;
}

function traceCall(
  c: Compilation,
  args: readonly unknown[],
  tensors: readonly Tensor[],
  walked: readonly Walked[],
  isOpen: boolean,
  segments: number,
  recorded?: TraceOptions['recorded'],
): Traced<unknown> {
  const { settings } = c;
  if (!isOpen) c.traces++;
  const options: TraceOptions = {
    walked,
    isOpen,
    ...(recorded === undefined ? {} : { recorded }),
    refuse: (depth, segment, value) => {
      const known = segment?.end.kind === 'branch' ? segment.end.branches : [];
      const values = new Set(known.map((b) => b.value));
      if (values.size >= maxValues && !values.has(value))
        return new Refusal(
          `it looks at a number that has shown more than ${maxValues} values`,
          'look at it outside of the compiled function',
        );
      const count = segments + depth + 1 - walked.length;
      if (count < maxSegments) return undefined;
      c.warn(
        'segments',
        () => `${titleOf(settings)}: more than ${maxSegments} segments; calls that need more run uncompiled from there on`,
      );
      return new Refusal(`it has more than ${maxSegments} segments`, 'keep loops on the device, or return earlier');
    },
    looked: (what, at) => {
      if (settings.fullgraph)
        throw new CompileError(`${settings.name} looks at ${what}, which ends the graph`, {
          op: 'compile',
          at,
          fix: 'fullgraph allows one graph only: choose with where(), or return the tensor',
        });
    },
  };
  const traced = trace(() => plainly(c, args), tensors, options);
  const end = traced.path[traced.path.length - 1]?.end;
  if (settings.fullgraph && end?.kind === 'open') throw new CompileError(end.why, { op: 'compile', at: end.at, fix: end.fix });
  return traced;
}

/** Makes what was recorded part of the tree. What a replay had run and fn did not do again is replaced. */
function attach(s: Specialisation, { path, known, values, recording }: Traced<unknown>, walked: readonly Walked[]): void {
  for (const generator of recording.call.generators) s.generators.add(generator);
  for (let depth = known; depth < path.length; depth++) {
    const segment = path[depth]!;
    s.segments++;
    if (depth === 0) {
      s.root = segment;
      continue;
    }
    const { end } = path[depth - 1]!;
    if (end.kind !== 'branch') continue;
    const before = depth === known ? walked[depth]?.segment : undefined;
    const at = before === undefined ? -1 : end.branches.findIndex((b) => b.segment === before);
    if (at >= 0) end.branches[at]!.segment = segment;
    else end.branches.push({ value: values[depth - 1]!, segment });
  }
}

function numberAt(walk: Walk, { segment }: Walked): number {
  const { end } = segment;
  return end.kind === 'branch' ? Number(readSync(bufferAt(walk, end.observed))[0]!) : 0;
}

/** What was seen for the first time, or changed, where a call left the tree. */
function leftBecause(s: Specialisation, { value }: Walked, end: Extract<Segment['end'], { kind: 'branch' }>): string {
  const where = end.at === undefined ? '' : ` at ${end.at}`;
  const alike = end.branches.find((b) => Object.is(b.value, value));
  if (alike === undefined) return `saw ${value} for the first time, after ${end.branches.map((b) => b.value).join(', ')}${where}`;
  return `${mismatchText(guardMismatch(alike.segment.guards, s.found, pathsOf(s.rest)))} (after the look${where})`;
}

function retraced(c: Compilation, reasons: readonly string[]): void {
  if (c.retraces.length < maxRetraces) c.retraces.push({ call: c.calls, reasons });
  logged(
    'retraces',
    () => `${titleOf(c.settings)} runs again to be recorded, in call ${c.calls}:\n${reasons.map((r) => `  ${r}`).join('\n')}`,
  );
}

function tooMany({ maxVariants, ...settings }: Pick<Settings, 'name' | 'at' | 'maxVariants'>, last: Mismatch | undefined): string {
  return (
    `${titleOf(settings)}: ${maxVariants} variants are compiled, and another would be needed: ${mismatchText(last)}. ` +
    'Calls that fit none run uncompiled from now on. Pad to fewer sizes, pass what changes as a tensor, or raise maxVariants'
  );
}

/** Runs fn whatever is known, and compares what it records with what a replay would have done. */
function checkedCall(c: Compilation, s: Specialisation, args: readonly unknown[]): unknown {
  forget(s);
  if (s.root.end.kind === 'open') return plainly(c, args);
  const options: TraceOptions = { walked: [], isOpen: false, refuse: () => undefined, looked: () => {} };
  const traced = trace(() => plainly(c, args), flatten(args).tensors, options);
  demandUnchanged(c.settings.name, s, traced);
  return traced.result;
}
