// The bench measures what it says it does: rows mean what they should, limits and bars follow from them, and the report has its form.
import { describe, expect, test } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { limitOf, scalingVerdict, verdictsOf } from './bars.ts';
import { difference, type Results } from './compare.ts';
import { dataOfAll, type HostArray } from './data.ts';
import { interleave, once } from './interleave.ts';
import type { Limits } from './limits.ts';
import { workOf } from './peers/fluxion.ts';
import { onnxModel } from './peers/onnx-model.ts';
import { sampleSync } from './peers/subject.ts';
import { heading, judge, line } from './report.ts';
import { rows, tinyRows } from './rows/index.ts';

const traffic = { near: 100, shared: 50, far: 25 };
const limits: Limits = { threads: 1, fused: 60, unfused: 50, peak: 60, divide: 0.5, read: traffic, write: traffic };

/** Results after `times` executions. */
function resultsOf(work: () => readonly { dataSync(): ArrayLike<number | bigint> }[], times: number): Results {
  for (let i = 1; i < times; i++) work();
  return work().map((y) => y.dataSync());
}

describe('rows', () => {
  const wider = (data: HostArray): HostArray => (data instanceof Float32Array ? Float64Array.from(data) : data);

  test.each(tinyRows.map((row) => [row.work, row] as const))('%s: compiled in float32 as eagerly in float64', (_, row) => {
    const data = dataOfAll(row.inputs);
    const times = row.kind === 'step' ? 3 : 1;
    const expected = resultsOf(workOf(row, data.map(wider)), times);
    const actual = resultsOf(compile(workOf(row, data)), times);
    expect(difference(actual, expected, row.tolerance ?? 2e-5)).toBeUndefined();
    expect(actual.every((r) => r.length > 0)).toBe(true);
  });

  const rowOf = (work: string) => {
    const row = tinyRows.find((r) => r.work === work)!;
    const data = dataOfAll(row.inputs);
    return { data, result: resultsOf(workOf(row, data), 1) };
  };

  test('a product is the sum of products', () => {
    const { data, result } = rowOf('matmul 5');
    const [x, y] = data as [HostArray, HostArray];
    const expected = Float64Array.from({ length: 25 }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < 5; k++) sum += x[Math.floor(at / 5) * 5 + k]! * y[k * 5 + (at % 5)]!;
      return sum;
    });
    expect(difference(result, [expected], 1e-6)).toBeUndefined();
  });

  test('a softmax over axis 0 adds up to one down each column', () => {
    const { data, result } = rowOf('softmax 4x6 over axis 0');
    const expected = Float64Array.from({ length: 24 }, (_, at) => {
      let sum = 0;
      for (let row = 0; row < 4; row++) sum += Math.exp(data[0]![row * 6 + (at % 6)]!);
      return Math.exp(data[0]![at]!) / sum;
    });
    expect(difference(result, [expected], 1e-6)).toBeUndefined();
  });

  test('a step changes the loss of the next', () => {
    for (const row of tinyRows) {
      if (row.kind !== 'step') continue;
      const work = workOf(row, dataOfAll(row.inputs));
      const [first, second] = [resultsOf(work, 1), resultsOf(work, 1)];
      // Without gradients, and with moments of 1e-40, Adam moves nothing.
      if (!row.work.includes('subnormal')) expect(difference(second, first, 1e-9), row.work).toBeDefined();
    }
  });

  test('every row has a name of its own, a limit unless it is a cold start, and a spelling for every family of peers', () => {
    expect(new Set(rows.map((r) => r.work)).size).toBe(rows.length);
    for (const row of rows) {
      if (row.kind === 'cold') continue;
      expect(limitOf(row.least, limits), row.work).toBeGreaterThan(0);
      if (row.kind === 'fresh') continue;
      expect(row.jax && row.torch && row.xla, row.work).toBeTruthy();
    }
  });
});

describe('data', () => {
  test('is the same each time, and different from input to input', () => {
    const inputs = tinyRows[0]!.inputs;
    const [one, two] = [dataOfAll(inputs), dataOfAll(inputs)];
    expect(one).toEqual(two);
    expect(one[0]).not.toEqual(one[1]);
  });
});

describe('comparison', () => {
  test('is relative to the largest number', () => {
    expect(difference([[1000.01, 0]], [[1000, 0.001]], 1e-4)).toBeUndefined();
    expect(difference([[1000.2, 0]], [[1000, 0]], 1e-4)).toBe('result 0 differs at 0: 1000.2 instead of 1000');
  });
  test('takes NaN for nothing but NaN, and counts results and elements', () => {
    expect(difference([[Number.NaN]], [[Number.NaN]], 0)).toBeUndefined();
    expect(difference([[Number.NaN]], [[1]], 1)).toContain('differs at 0');
    expect(difference([[1]], [[Number.NaN]], 1)).toContain('differs at 0');
    expect(difference([[1]], [[1, 2]], 1)).toBe('result 0 has 1 elements instead of 2');
    expect(difference([], [[1]], 1)).toBe('0 results instead of 1');
    expect(difference([[Infinity]], [[1]], 1)).toContain('differs at 0');
  });
  test('takes the integers of different contenders for equal', () => {
    expect(difference([BigInt64Array.of(3n)], [Int32Array.of(3)], 0)).toBeUndefined();
  });
});

describe('limits and bars', () => {
  const matmul = rows.find((r) => r.work === 'matmul 512')!;
  const softmax = rows.find((r) => r.work === 'softmax 4096x1024')!;

  test('the limit is what takes longest: arithmetic, traffic or division', () => {
    expect(limitOf({ flops: 60e6 }, limits)).toBeCloseTo(1);
    expect(limitOf({ flops: 60e6, read: 25e6, written: 25e6 }, limits)).toBeCloseTo(2);
    expect(limitOf({ flops: 60e6, read: 1e6 }, limits)).toBeCloseTo(1);
    expect(limitOf({ divided: 6e6, read: 25e6 }, limits)).toBeCloseTo(3);
  });

  test('a product is held to its limit and to the JavaScript peers, not to wider vectors', () => {
    const verdicts = verdictsOf(matmul, { fluxion: 5, 'jax-js': 9, tfjs: 20, pytorch: 1 }, 4.4, true);
    expect(verdicts.map(({ bar, met }) => [bar, met])).toEqual([
      ['jax-js', false],
      ['tfjs', true],
      ['limit', false],
    ]);
    expect(verdictsOf(matmul, { fluxion: 5, pytorch: 6 }, 4.6, false).map(({ bar, met }) => [bar, met])).toEqual([
      ['limit', true],
      ['pytorch', true],
    ]);
  });

  test('what memory bounds is held to PyTorch, less where that has 512-bit vectors and 128 bits do not reach it', () => {
    const asked = (wide: boolean): number => verdictsOf(softmax, { fluxion: 5, pytorch: 4.5 }, 1, wide)[0]!.asked;
    expect([asked(true), asked(false)]).toEqual([0.8, 1]);
  });

  test('a second thread must gain where the machine gives it and there is something to gain', () => {
    expect(scalingVerdict(10, 6, 2)?.met).toBe(false);
    expect(scalingVerdict(10, 5, 2)?.met).toBe(true);
    expect(scalingVerdict(1, 1, 2)).toBeUndefined();
    expect(scalingVerdict(10, 10, 1.2)).toBeUndefined();
  });

  test('a row is told with its times, its share of the limit, its ratios and the bars it misses', () => {
    const measurement = { row: matmul, times: { fluxion: 10, 'jax-js': 15, pytorch: 5 }, different: [], failed: [] } as const;
    const judged = judge(measurement, limits, true);
    expect(judged.reported).toEqual({
      work: 'matmul 512',
      threads: 1,
      fluxion_ms: 10,
      limit_ms: (2 * 512 ** 3) / 60e6,
      peers: { 'jax-js': 15, pytorch: 5 },
    });
    expect(judged.sound).toBe(true);
    expect(line(judged, ['jax-js', 'tfjs', 'pytorch']).replace(/ +/g, ' ')).toBe(
      'matmul 512 10.0 4.47 0.45 1.50x - 0.500x missed: jax-js 1.50 of 2.00, limit 0.447 of 0.900',
    );
    expect(heading(['jax-js', 'tfjs', 'pytorch']).replace(/ +/g, ' ')).toBe('work ms limit share jax-js tfjs PyTorch bars');
  });

  test('a row that differs from a peer, or that Fluxion cannot run, is not sound', () => {
    const remark = [{ peer: 'tfjs', why: 'result 0 differs' }] as const;
    expect(judge({ row: matmul, times: { fluxion: 1 }, different: remark, failed: [] }, limits, true).sound).toBe(false);
    expect(judge({ row: matmul, times: {}, different: [], failed: remark }, limits, true).sound).toBe(false);
    expect(judge({ row: matmul, times: { fluxion: 1 }, different: [], failed: remark }, limits, true).sound).toBe(true);
  });
});

describe('sampling', () => {
  test('takes contenders in turns, and gives each its least time', async () => {
    const order: string[] = [];
    const contender = (name: string, times: number[]) => ({
      sample: (): number => {
        order.push(name);
        return times.shift() ?? 7;
      },
      results: () => [],
      close: () => {},
    });
    const a = contender('a', [5, 5, 4, 2]);
    const b = contender('b', [9, 9, 9, 8]);
    expect(await interleave([a, b], { budgetMs: 18, warmUpMs: 0, fewest: 3 })).toEqual([2, 8]);
    expect(order.join('')).toBe('ababababa');
  });
  test('an execution of no length is repeated until a sample can be told', async () => {
    let calls = 0;
    const subject = { sample: sampleSync(() => void calls++), results: () => [], close: () => {} };
    expect(await interleave([subject], { ...once, warmUpMs: 1 })).toHaveLength(1);
    expect(calls).toBeGreaterThan(100);
  });
});

describe('ONNX models', () => {
  test('begin with the format version and hold graph, inputs and opset', () => {
    const x = { shape: [2, 3], data: new Float32Array(6) };
    const model = onnxModel([{ op: 'Relu', inputs: ['x0'], output: 'y' }], [x]);
    const hex = Buffer.from(model).toString('hex');
    expect(hex.startsWith('0809')).toBe(true);
    expect(hex).toContain(`0a027830120179${'2204'}${Buffer.from('Relu').toString('hex')}`);
    expect(hex.endsWith('42040a001014')).toBe(true);
  });
});
