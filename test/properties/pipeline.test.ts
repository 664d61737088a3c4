// Random graphs through the whole compiler and the JavaScript target, against what they mean.
// Seeds are fixed; FLUXION_TEST_EFFORT multiplies the number of graphs, PROPERTY_SEED chooses others.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodesOf } from '../../compiler/ir/node.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { pipeline } from '../../compiler/passes/pipeline.ts';
import type { DType } from '../../runtime/dtype.ts';
import { jsTarget, type Target, wasmTarget } from '../../runtime/target.ts';
import { wasmNumerics } from '../../runtime/wasm/features.ts';
import { runs } from '../effort.ts';
import { expectClose } from '../meaning.ts';
import { evaluateRounded } from '../passes/bits.ts';
import { type GraphOptions, type GraphWithData, graphsWithData } from '../random-graphs.ts';
import { run } from '../run-program.ts';

const seed = Number(process.env.PROPERTY_SEED ?? 20_261_124);

function everyGraph(options: GraphOptions, numRuns: number, holds: (g: GraphWithData) => void): void {
  fc.assert(
    fc.property(
      graphsWithData({ regions: ['composite', 'controlFlow'], symbolic: true, maxOps: 24, finite: true, continuous: true, ...options }),
      holds,
    ),
    { seed, numRuns: runs(numRuns) },
  );
}

const wasm = wasmTarget(wasmNumerics());
/** One op to a kernel: what every fused kernel is compared with. */
const unfused: Target = { ...jsTarget, maxOpsPerKernel: 1 };
const narrow: Target = { ...jsTarget, maxBuffersPerKernel: 4, maxOpsPerKernel: 8, maxScratchBytes: 64 };
const optional = pipeline.filter((p) => p.optional).map((p) => p.name);
const exact: readonly DType[] = ['f64', 'i32', 'i64', 'u8', 'bool'];

describe('a compiled graph', () => {
  test.each([
    ['jsTarget', jsTarget],
    ['few buffers, ops and little scratch', narrow],
    ['one op to a kernel', unfused],
    ['wasm', wasm],
    ['wasm, one op to a kernel', { ...wasm, maxOpsPerKernel: 1 }],
  ])('gives in float64 and integers what it means: %s', (_, target) => {
    everyGraph({ dtypes: exact }, 150, ({ graph, data }) => expectClose(run(graph, data, target), evaluate(graph, data)));
  });

  test.each([jsTarget, wasm])(
    'gives in float32 what it means when each op rounds its result, but for the last bits of sums: $name',
    (target) => {
      everyGraph({}, 150, ({ graph, data }) => {
        const size = nodesOf(graph).length;
        expectCloseF32(run(graph, data, target), evaluateRounded(graph, data), size);
      });
    },
  );

  test('jumps where its meaning jumps', () => {
    everyGraph({ dtypes: exact, continuous: false }, 150, ({ graph, data }) => expectClose(run(graph, data), evaluate(graph, data)));
  });

  test.each([...optional.map((p) => [p]), optional])('means the same without %s', (...disable) => {
    everyGraph({ dtypes: exact }, 60, ({ graph, data }) => {
      expectClose(run(graph, data, jsTarget, { disable: disable.filter((d) => d !== undefined) }), evaluate(graph, data));
    });
  });

  test.each([jsTarget, wasm])('has the same bits fused and unfused: $name', (target) => {
    everyGraph({ finite: false, continuous: false }, 150, ({ graph, data }) => {
      expect(bitsOf(run(graph, data, target))).toEqual(bitsOf(run(graph, data, { ...target, maxOpsPerKernel: 1 })));
    });
  });

  test('is the same text each time it is compiled', () => {
    everyGraph({}, 40, ({ graph }) => {
      expect(JSON.stringify(compileGraph(graph, jsTarget))).toBe(JSON.stringify(compileGraph(graph, jsTarget)));
    });
  });
});

/** Numbers as text, so that NaN equals NaN and 0 is not -0. */
const bitsOf = (results: readonly Reference[]): string[] =>
  results.map(({ dtype, shape, data }) => `${dtype}[${shape}] ${Array.from(data, (v) => (Object.is(v, -0) ? '-0' : String(v))).join(' ')}`);

/** Sums are rounded once and in another order than the reference's, which each further op may double. */
function expectCloseF32(actual: readonly Reference[], expected: readonly Reference[], ops: number): void {
  expectClose(actual, expected, ops * 2 ** -22);
}
