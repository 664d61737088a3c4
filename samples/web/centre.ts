// Makes of a drawing what MNIST makes of a digit: scaled to a box of 20 x 20, its centre of mass in the middle of 28 x 28 pixels.
import { normalized, pixels, side } from '../mnist/digits.ts';

const box = 20;
/** Ink below this is the antialiased rim of a stroke. */
const threshold = 0.05;

/** Ink from 0 to 1, row by row, of a square drawing. */
export type Drawing = { readonly ink: Float32Array; readonly size: number };

/** Ink on 28 x 28 pixels; undefined where nothing was drawn. */
export function centred({ ink, size }: Drawing): Float32Array | undefined {
  const bounds = boundsOf(ink, size);
  if (bounds === undefined) return undefined;
  const scale = Math.max(bounds.right - bounds.left, bounds.bottom - bounds.top) / box;
  const mass = centreOf(ink, size);
  const fitted = new Float32Array(pixels);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++)
      fitted[y * side + x] = meanInk(ink, size, mass.x + (x - side / 2) * scale, mass.y + (y - side / 2) * scale, scale);
  return fitted;
}

/** The picture that the network takes: pixels of a centred drawing, normalised like those of the training. */
export const picture = (ink: Float32Array): Float32Array => ink.map((x) => normalized[Math.round(255 * x)]!);

function boundsOf(ink: Float32Array, size: number) {
  let [left, top, right, bottom] = [size, size, 0, 0];
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      if (ink[y * size + x]! < threshold) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
    }
  return right === 0 ? undefined : { left, top, right, bottom };
}

function centreOf(ink: Float32Array, size: number): { readonly x: number; readonly y: number } {
  let [mass, x, y] = [0, 0, 0];
  for (const [i, value] of ink.entries()) {
    mass += value;
    x += value * ((i % size) + 0.5);
    y += value * (Math.floor(i / size) + 0.5);
  }
  return { x: x / mass, y: y / mass };
}

/** The mean over a square of the drawing, white where it reaches beyond. */
function meanInk(ink: Float32Array, size: number, left: number, top: number, width: number): number {
  const [x0, y0] = [Math.round(left), Math.round(top)];
  const [x1, y1] = [Math.max(x0 + 1, Math.round(left + width)), Math.max(y0 + 1, Math.round(top + width))];
  let sum = 0;
  for (let y = Math.max(0, y0); y < Math.min(size, y1); y++)
    for (let x = Math.max(0, x0); x < Math.min(size, x1); x++) sum += ink[y * size + x]!;
  return sum / ((x1 - x0) * (y1 - y0));
}
