// What every test of a rule asks beside its texts.
import { expect, test } from 'vitest';
import { parse } from '../../../compiler/ir/parse.ts';
import type { Rule } from '../../../compiler/passes/rewrite.ts';
import { simplify, simplifyRules } from '../../../compiler/passes/simplify/simplify.ts';
import { jsTarget } from '../../../runtime/target.ts';
import { differences } from '../bits.ts';

/** The rule must fire among all rules, so that none shadows it; the sign of a zero counts unless an option says otherwise. */
export function keepsBits(rule: string, before: string, { signOfZero } = { signOfZero: true }): void {
  test(`${rule}: fires, and keeps every bit`, () => {
    const graph = parse(before);
    const fired: string[] = [];
    const result = simplify.run(graph, { target: jsTarget, note: () => {}, fired: (name) => fired.push(name) });
    expect(fired).toContain(rule);
    for (let seed = 1; seed <= 20; seed++) expect(differences(graph, result, seed, signOfZero)).toEqual([]);
  });
}

export function testsEveryRule(rules: readonly Rule[], tested: readonly string[]): void {
  test('every rule of this kind is tested, and its name is its own', () => {
    expect([...tested].sort()).toEqual(rules.map((r) => r.name).sort());
    for (const { name } of rules) expect(simplifyRules.filter((r) => r.name === name).length).toBe(1);
  });
}
