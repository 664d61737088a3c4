// The progress bar of the MNIST sample, drawn into a stream that is a terminal or not.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startProgress } from '../../samples/mnist/progress.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

function fakeStream(isTTY: boolean, columns = 100): { stream: NodeJS.WriteStream; written: string[] } {
  const written: string[] = [];
  const stream = { isTTY, columns, write: (text: string) => written.push(text) > 0 };
  return { stream: stream as unknown as NodeJS.WriteStream, written };
}

test('on a terminal the bar tells share, rate, time left and loss, and gives way to the result', () => {
  const { stream, written } = fakeStream(true);
  const progress = startProgress('epoch 1/3', 1000, stream);
  vi.advanceTimersByTime(2000);
  progress.advance(250, 0.5);
  expect(written).toEqual(['\repoch 1/3 [======>                 ]  25 %  125 images/s  ETA 0:06  loss 0.5000\x1b[K']);
  vi.advanceTimersByTime(10);
  progress.advance(260, 0.5);
  expect(written).toHaveLength(1);
  progress.finish('loss 0.4000');
  expect(written[1]).toBe('\r\x1b[Kepoch 1/3  loss 0.4000  2.0 s\n');
});

test('the bar keeps within a narrow terminal', () => {
  const { stream, written } = fakeStream(true, 20);
  startProgress('epoch 1/3', 10, stream).advance(10, 1);
  expect(written).toEqual(['\repoch 1/3 [========\x1b[K']);
});

test('piped, only the result is written', () => {
  const { stream, written } = fakeStream(false);
  const progress = startProgress('epoch 3/3', 10, stream);
  vi.advanceTimersByTime(1000);
  progress.advance(5, 1);
  progress.finish('loss 0.1000');
  expect(written).toEqual(['epoch 3/3  loss 0.1000  1.0 s\n']);
});
