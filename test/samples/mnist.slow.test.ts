// The sample that trains on MNIST, end to end on a part of the real images.
import { describe, expect, test } from 'vitest';
import { provideVulkan } from '../webgpu/adapter.ts';
import { runSample } from './run.ts';

/** Accuracy that the last line tells; the line has to look exactly so. */
function accuracyOf(stdout: string): number {
  const match = /\ntest accuracy (\d{1,3}\.\d\d) %\n$/.exec(stdout);
  if (match === null) expect.fail(`no accuracy in the last line of:\n${stdout}`);
  return Number(match[1]);
}

describe('samples/mnist', () => {
  test('trains the MLP, tells loss and accuracy per epoch in plain lines when piped, and the test accuracy last', () => {
    // 3000 is no multiple of the batch size: the last batch is shorter.
    const { status, stdout, stderr } = runSample('mnist', '--limit', '3000', '--epochs', '3');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('mlp: 101770 parameters, 3000 training images');
    expect(lines.slice(1, 4)).toEqual(
      [1, 2, 3].map((epoch) =>
        expect.stringMatching(
          new RegExp(`^epoch ${epoch}/3 {2}loss \\d\\.\\d{4} {2}accuracy \\d\\d\\.\\d\\d % {2}test \\d\\d\\.\\d\\d % {2}\\d+\\.\\d s$`),
        ),
      ),
    );
    expect(lines).toHaveLength(6);
    expect(accuracyOf(stdout)).toBeGreaterThan(84);
  }, 120_000);

  test('trains the convolutional network', () => {
    const { status, stdout } = runSample('mnist', '--limit', '1000', '--epochs', '2', '--lr', '0.01', '--model', 'cnn');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^cnn: 9098 parameters, 1000 training images\n/);
    expect(accuracyOf(stdout)).toBeGreaterThan(65);
  }, 120_000);

  test('trains on the GPU as on the CPU', async () => {
    await provideVulkan();
    const args = ['--limit', '1000', '--epochs', '2'];
    const [cpu, gpu] = ['wasm', 'webgpu'].map((device) => runSample('mnist', '--device', device, ...args));
    expect(gpu!.stderr).toBe('');
    expect(gpu!.status).toBe(0);
    expect(Math.abs(accuracyOf(gpu!.stdout) - accuracyOf(cpu!.stdout))).toBeLessThan(0.5);
  }, 120_000);

  test('gives the same numbers for the same seed, and others for another', () => {
    const losses = (seed: string): string[] => {
      const { stdout } = runSample('mnist', '--limit', '600', '--epochs', '2', '--seed', seed);
      return stdout.match(/loss \S+ {2}accuracy \S+/g) ?? [];
    };
    const first = losses('7');
    expect(first).toHaveLength(2);
    expect(losses('7')).toEqual(first);
    expect(losses('8')).not.toEqual(first);
  }, 120_000);

  test.each([
    [['--device', 'cuda'], "DeviceError: --device: there is no device 'cuda' in this version; use wasm or js or webgpu"],
    [['--model', 'rnn'], "ArgumentError: --model: there is no model 'rnn'; use mlp or cnn"],
    [['--epochs', '0'], "ArgumentError: --epochs: '0' is not an integer above 0"],
    [['--lr', 'fast'], "ArgumentError: --lr: 'fast' is not a number above 0"],
    [['--sead', '1'], "ArgumentError: Unknown option '--sead'"],
  ])(
    'answers %j with one line',
    (args, message) => {
      const { status, stdout, stderr } = runSample('mnist', ...args);
      expect(stdout).toBe('');
      expect(stderr.startsWith(message)).toBe(true);
      expect(stderr.trimEnd()).not.toContain('\n');
      expect(status).toBe(1);
    },
    60_000,
  );
});
