// The MNIST data set as the sample reads it.
import { describe, expect, test } from 'vitest';
import { DataLoader } from '../../compiler/index.ts';
import { MNIST } from '../../samples/mnist/data.ts';

describe('MNIST', () => {
  const train = new MNIST({ train: true });

  test('has 60 000 training and 10 000 test images', () => {
    expect(train.length).toBe(60_000);
    expect(new MNIST({ train: false }).length).toBe(10_000);
  });

  test('is normalised: pixels have mean 0 and variance 1', () => {
    const [images] = train.getBatch(Array.from({ length: 6000 }, (_, i) => 10 * i));
    expect(images.shape).toEqual([6000, 1, 28, 28]);
    expect(images.dtype).toBe('float32');
    expect(images.mean().itemSync()).toBeCloseTo(0, 1);
    expect(images.std().itemSync()).toBeCloseTo(1, 1);
  });

  test('gives in a batch what it gives one by one', () => {
    const [images, labels] = train.getBatch([0, 1, 2, 3, 4]);
    expect(labels.tolistSync()).toEqual([5, 0, 4, 1, 9]);
    const [image, label] = train.get(3);
    expect([image.shape, label.shape]).toEqual([[1, 28, 28], []]);
    expect(label.itemSync()).toBe(1);
    expect(image.equal(images.select(0, 3))).toBe(true);
  });

  test('can be limited, and then ends in a shorter batch', () => {
    const loader = new DataLoader(new MNIST({ train: true, limit: 10 }), { batchSize: 4 });
    expect([...loader].map(([, labels]) => labels.tolistSync())).toEqual([
      [5, 0, 4, 1],
      [9, 2, 1, 3],
      [1, 4],
    ]);
  });
});
