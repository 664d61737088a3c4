// What fn.explain() tells: specialisations, guards, segments, and why fn ran again; as data, and as text for people.
import type { Compilation, Retrace } from './calls.ts';
import { argumentText, endText, guardTexts, pathsOf, specialisationText, titleOf } from './reasons.ts';
import type { Segment, Specialisation } from './tree.ts';

export type SegmentReport = {
  /** The number that leads here; undefined for the first segment. */
  readonly value: number | undefined;
  readonly ops: number;
  readonly guards: readonly string[];
  readonly end: 'branch' | 'finish' | 'open';
  /** How it ends, in words, with the line. */
  readonly text: string;
  readonly branches: readonly SegmentReport[];
};

export type SpecialisationReport = {
  readonly device: string;
  readonly gradMode: boolean;
  /** By path: `args[0]`, `args[1].x`. */
  readonly arguments: Readonly<Record<string, string>>;
  readonly segments: number;
  readonly root: SegmentReport;
};

/** Printed, it is text. */
export type Explanation = {
  readonly name: string;
  /** The line that called compile(). */
  readonly at: string | undefined;
  readonly calls: number;
  readonly traces: number;
  readonly specialisations: readonly SpecialisationReport[];
  readonly retraces: readonly Retrace[];
  toString(): string;
};

export function explain(c: Compilation): Explanation {
  const { settings, calls, traces, specialisations, retraces } = c;
  const text = textOf(c);
  const explanation = {
    name: settings.name,
    at: settings.at,
    calls,
    traces,
    specialisations: specialisations.map(reportOf),
    retraces: [...retraces],
  };
  const shown = { value: () => text, enumerable: false };
  return Object.defineProperties(explanation, { toString: shown, [Symbol.for('nodejs.util.inspect.custom')]: shown }) as Explanation;
}

function reportOf(s: Specialisation): SpecialisationReport {
  const names = pathsOf(s.rest);
  return {
    device: s.target.name,
    gradMode: s.gradMode,
    arguments: Object.fromEntries(s.arguments.map((g, i) => [names[i]!, argumentText(g)])),
    segments: s.segments,
    root: segmentReport(s.root, names),
  };
}

/** Deepest segments first, so that no recursion is as deep as the tree. */
function segmentReport(root: Segment, names: readonly string[]): SegmentReport {
  const all: { segment: Segment; value: number | undefined }[] = [{ segment: root, value: undefined }];
  for (const { segment } of all) if (segment.end.kind === 'branch') all.push(...segment.end.branches);
  const reports = new Map<Segment, SegmentReport>();
  for (const { segment, value } of all.reverse()) {
    const { end, structure, guards } = segment;
    reports.set(segment, {
      value,
      ops: structure?.nodes.length ?? 0,
      guards: guardTexts(guards, names),
      end: end.kind,
      text: endText(segment),
      branches: end.kind === 'branch' ? end.branches.map((b) => reports.get(b.segment)!) : [],
    });
  }
  return reports.get(root)!;
}

function textOf({ settings, calls, traces, specialisations, retraces }: Compilation): string {
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  return [
    `${titleOf(settings)}: ${count(calls, 'call')}, ${count(traces, 'trace')}, ${count(specialisations.length, 'specialisation')}`,
    ...specialisations.map((s, i) => `specialisation ${i}, ${count(s.segments, 'segment')}:\n${specialisationText(s)}`),
    ...retraces.map((r) => `re-trace in call ${r.call}:\n${r.reasons.map((reason) => `  ${reason}`).join('\n')}`),
  ].join('\n');
}
