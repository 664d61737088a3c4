// Every op of the table on the CPU, in Node.
import { describe, expect, test } from 'vitest';
import { jsTarget, type Target, wasmTarget } from '../../runtime/target.ts';
import { wasmNumerics } from '../../runtime/wasm/features.ts';
import { isThorough } from '../effort.ts';
import { compiledOps, verdictOn } from './suite.ts';

const fused: readonly Target[] = isThorough && wasmNumerics() === 'madd' ? [wasmTarget('madd')] : [];
const targets: readonly Target[] = [jsTarget, wasmTarget('mul+add'), ...fused];

describe.each(targets)('on $name, $numerics', (target) => {
  test.each(compiledOps)('%s agrees with its meaning', (op) => {
    const { samples, wrong } = verdictOn(target, op);
    expect(samples).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });
});
