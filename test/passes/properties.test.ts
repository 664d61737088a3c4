// On random graphs, every pass leaves a graph that verifies, means the same, and which it does not change again.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { print } from '../../compiler/ir/print.ts';
import { verify } from '../../compiler/ir/verify.ts';
import { silent } from '../../compiler/passes/pass.ts';
import { pipeline, runPipeline } from '../../compiler/passes/pipeline.ts';
import { jsTarget, type Target } from '../../runtime/target.ts';
import { runs } from '../effort.ts';
import { expectSameMeaning } from '../meaning.ts';
import { graphs } from '../random-graphs.ts';

const narrow: Target = { ...jsTarget, maxBuffersPerKernel: 8, maxOpsPerKernel: 16, maxScratchBytes: 256 };

describe.each([
  ['the JavaScript target', jsTarget],
  ['a target of few buffers, ops and little scratch', narrow],
])('on %s', (_, target) => {
  test('every pass keeps the meaning of a random graph', () => {
    fc.assert(
      fc.property(
        graphs({ regions: ['composite', 'controlFlow'], symbolic: true, maxOps: 40, finite: true, continuous: true }),
        (graph) => {
          let current = graph;
          for (const pass of pipeline) {
            const next = pass.run(current, silent(target));
            verify(next, target);
            if (pass.idempotent) expect(print(pass.run(next, silent(target))), pass.name).toBe(print(next));
            expectSameMeaning(current, next);
            current = next;
          }
        },
      ),
      { numRuns: runs(300) },
    );
  });

  test('a random graph compiles alike without the optional passes', () => {
    const disable = pipeline.filter((p) => p.optional).map((p) => p.name);
    fc.assert(
      fc.property(
        graphs({ regions: ['composite', 'controlFlow'], symbolic: true, maxOps: 40, finite: true, continuous: true }),
        (graph) => {
          const result = runPipeline(graph, target, { disable });
          verify(result, target);
          expectSameMeaning(graph, result);
        },
      ),
      { numRuns: runs(150) },
    );
  });
});
