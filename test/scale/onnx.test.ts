// Models as ONNX: the bytes, the names, and what is refused.
import { describe, expect, test } from 'vitest';
import { F, linalg, nn, optim, rand, type Tensor, zeros } from '../../compiler/index.ts';
import { exportedModel } from '../../compiler/scale/exportModel.ts';
import { exportModel } from '../../compiler/scale/index.ts';
import { message } from '../../compiler/scale/onnx/protobuf.ts';

const example = { x: zeros([2, 4]) };
const text = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes);

test('numbers are varints, texts and messages have their length before them, floats are four bytes', () => {
  expect([...message([[1, 150]])]).toEqual([0x08, 0x96, 0x01]);
  expect([...message([[2, 'é']])]).toEqual([0x12, 0x02, 0xc3, 0xa9]);
  expect([...message([[3, message([[1, 1]])]])]).toEqual([0x1a, 0x02, 0x08, 0x01]);
  expect([...message([[2, { float: 1 }]])]).toEqual([0x15, 0, 0, 0x80, 0x3f]);
  // A negative int64 takes ten bytes, and a field number above 15 two.
  expect(message([[1, -1]])).toHaveLength(11);
  expect([...message([[20, 7]])]).toEqual([0xa0, 0x01, 0x07]);
});

test('a model says its version and opset, and names arguments, weights and results', () => {
  const model = new nn.Sequential(new nn.Linear(4, 3), new nn.ReLU(), new nn.Linear(3, 2));
  const bytes = exportedModel((x: Tensor) => ({ logits: model(x) }), { example });
  expect([...bytes.subarray(0, 4)]).toEqual([0x08, 9, 0x12, 7]);
  expect(text(bytes.subarray(-4))).toBe('\n\0\u0010\u0014');
  for (const name of ['x', '0.weight', '0.bias', '2.weight', 'logits', 'MatMul']) expect(text(bytes)).toContain(name);
});

describe('a model for inference', () => {
  const model = new nn.Linear(4, 2);
  const optimizer = new optim.SGD(model.parameters());
  test.each<[string, (x: Tensor) => unknown, RegExp]>([
    [
      'updates nothing',
      (x) => {
        optimizer.zeroGrad();
        (model(x) as Tensor).sum().backward();
        optimizer.step();
      },
      /exportModel: it changes state, which a model for inference does not; call model\.eval\(\)/,
    ],
    ['draws nothing', (x) => x.add(rand([2, 4])), /exportModel: it draws random numbers/],
    ['drops nothing', (x) => F.dropout(x, 0.5), /exportModel: .*call model\.eval\(\)/],
    ['looks at nothing', (x) => (x.sum().gt(0).itemSync() ? x : x.neg()), /exportModel: it looks at a value/],
    ['has what ONNX has', (x) => linalg.qr(x.t()).R, /exportModel: ONNX has no qr; export it as StableHLO, or build it/],
  ])('%s', (_, f, error) => {
    expect(() => exportedModel(f, { example })).toThrow(error);
  });

  test('wants a folder', async () => {
    await expect(exportModel((x: Tensor) => model(x), { example })).rejects.toThrow('exportModel: there is no folder to write to');
  });
});
