// Autograd as PyTorch does it: each script is run here, and must write down what it wrote down there.
import { describe, expect, it } from 'vitest';
import { FluxionError, isGradEnabled } from '../../compiler/index.ts';
import { runs } from '../effort.ts';
import { readTensors, runScript, type Seen } from './script.ts';
import { readOracle } from './tensors.ts';

type Case = {
  readonly name: string;
  readonly do: string;
  readonly sees: Seen;
  /** Class of our error where PyTorch refuses. */
  readonly error?: string;
  /** PyTorch's words for it. */
  readonly torch?: string;
  /** Refused by PyTorch alone: what was overwritten is kept here, so that the gradient is right. */
  readonly unlike?: true;
};

/** Where we mean to differ from PyTorch, and why. */
const deliberate: Readonly<Record<string, string>> = {
  'saved: div, unpacked times 2': 'the gradient of a quotient reads the quotient, where PyTorch divides again',
};

/** Seven digits are compared: what float32 holds, and what the scripts keep. Fusion may change the last of them. */
const [relative, absolute] = [4e-6, 1e-6];

/** Whether `ours` is `theirs`, number by number; what JSON cannot say is a string there. */
function same(ours: unknown, theirs: unknown): boolean {
  if (typeof ours === 'number') {
    const expected = Number(theirs);
    return Object.is(ours, expected) || Math.abs(ours - expected) <= absolute + relative * Math.abs(expected) || ours === expected;
  }
  if (typeof ours === 'bigint') return ours === BigInt(theirs as number);
  if (Array.isArray(ours)) return Array.isArray(theirs) && ours.length === theirs.length && ours.every((v, i) => same(v, theirs[i]));
  if (typeof ours !== 'object' || ours === null || typeof theirs !== 'object' || theirs === null) return ours === theirs;
  const [key, ...more] = Object.keys(ours);
  return more.length === 0 && key! in theirs && same((ours as Record<string, unknown>)[key!], (theirs as Record<string, unknown>)[key!]);
}

const text = (x: unknown): string =>
  JSON.stringify(x, (_, v: unknown) => (typeof v === 'bigint' ? Number(v) : typeof v === 'number' && !Number.isFinite(v) ? String(v) : v));

type Ran = { readonly seen: Seen; readonly error: unknown };

function run(c: Case): Ran {
  const seen: unknown[] = [];
  try {
    runScript(c.do, (x) => void seen.push(x));
    return { seen, error: undefined };
  } catch (error) {
    return { seen, error };
  }
}

/** What is wrong with our run of a script, in words. */
function wrong(c: Case, { seen, error }: Ran): string | undefined {
  if (error !== undefined) {
    if (!(error instanceof FluxionError)) return `threw ${error instanceof Error ? error.stack : String(error)}`;
    if (c.error === undefined) return `was refused: ${error.message}`;
    if (error.name !== c.error) return `was refused with ${error.name}: ${error.message}, not with ${c.error}: ${c.torch}`;
  } else if (c.error !== undefined) return `was not refused, though PyTorch says: ${c.torch}`;
  return same(seen, c.sees) ? undefined : `saw ${text(seen)}, not ${text(c.sees)}`;
}

/** So many scripts are computed by one Program. */
const together = 32;

const { cases } = readOracle<{ cases: readonly Case[] }>('autograd');
const groups = new Map<string, Case[]>();
for (const c of cases) {
  const group = c.name.slice(0, c.name.indexOf(':'));
  const members = groups.get(group);
  if (members === undefined) groups.set(group, [c]);
  else members.push(c);
}

describe('autograd scripts', () => {
  it.each([...groups.keys()])('%s', (group) => {
    const failures: string[] = [];
    const all = groups.get(group)!;
    const every = Math.max(1, Math.floor(all.length / runs(all.length)));
    const members = all.filter((_, i) => i % every === 0);
    for (let i = 0; i < members.length; i += together) {
      const some = members.slice(i, i + together);
      const ran = some.map(run);
      const seen = readTensors(ran.map((r) => r.seen)) as Seen[];
      some.forEach((c, k) => {
        const what = wrong(c, { seen: seen[k]!, error: ran[k]!.error });
        if (what !== undefined && !(c.name in deliberate)) failures.push(`${c.name}: ${what}\n    ${c.do}`);
        if (what === undefined && c.name in deliberate) failures.push(`${c.name}: does as PyTorch does`);
      });
    }
    if (failures.length > 0) expect.fail(`${failures.length} of ${members.length}\n${failures.join('\n')}`);
    expect(isGradEnabled()).toBe(true);
  });

  it('are as many as they are meant to be', () => {
    expect(cases.length).toBeGreaterThanOrEqual(600);
  });
});
