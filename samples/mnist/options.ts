// What can be chosen on the command line.
import { parseArgs } from 'node:util';
import { ArgumentError, DeviceError, type DeviceName } from 'fluxion';
import { models } from './model.ts';

/** WebAssembly, the JavaScript that it is compared with, and the GPU. */
const devices: readonly DeviceName[] = ['wasm', 'js', 'webgpu'];

export type Options = {
  readonly device: DeviceName;
  readonly model: keyof typeof models;
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly seed: number;
  /** Training and test images used at most. */
  readonly limit: number | undefined;
};

export const usage = `Trains a network on MNIST and tells its accuracy on the 10 000 test images.

Usage: npm start -- [options]

  --model mlp|cnn   a multilayer perceptron (default) or a small convolutional network
  --epochs N        passes over the training images (default 3)
  --batch-size N    images per step (default 128)
  --lr X            highest learning rate of Adam in a one-cycle schedule (default 0.005)
  --seed N          seed of initialisation and shuffling (default 0)
  --limit N         use the first N training and test images only
  --device NAME     wasm: WebAssembly with vectors and threads (default); js: JavaScript; webgpu: a GPU
  --help            show this text`;

/** The options of a command line, or undefined where help was asked for. Throws ArgumentError and DeviceError. */
export function readOptions(args: readonly string[]): Options | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const { model } = values;
  const device = devices.find((name) => name === values.device);
  if (device === undefined)
    throw new DeviceError(`there is no device '${values.device}' in this version`, { op: '--device', fix: `use ${devices.join(' or ')}` });
  if (!isModel(model))
    throw new ArgumentError(`there is no model '${model}'`, { op: '--model', fix: `use ${Object.keys(models).join(' or ')}` });
  return {
    device,
    model,
    epochs: count('--epochs', values.epochs),
    batchSize: count('--batch-size', values['batch-size']),
    lr: number('--lr', values.lr, (x) => x > 0, 'a number above 0'),
    seed: number('--seed', values.seed, Number.isSafeInteger, 'an integer'),
    limit: values.limit === undefined ? undefined : count('--limit', values.limit),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        model: { type: 'string', default: 'mlp' },
        epochs: { type: 'string', default: '3' },
        'batch-size': { type: 'string', default: '128' },
        lr: { type: 'string', default: '0.005' },
        seed: { type: 'string', default: '0' },
        limit: { type: 'string' },
        device: { type: 'string', default: 'wasm' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (cause) {
    throw new ArgumentError((cause as Error).message, { fix: '--help lists the options', cause });
  }
}

const isModel = (name: string): name is Options['model'] => Object.hasOwn(models, name);

const count = (option: string, text: string): number => number(option, text, (x) => Number.isSafeInteger(x) && x > 0, 'an integer above 0');

function number(option: string, text: string, accepts: (x: number) => boolean, expected: string): number {
  const x = text.trim() === '' ? Number.NaN : Number(text);
  if (!accepts(x)) throw new ArgumentError(`'${text}' is not ${expected}`, { op: option });
  return x;
}
