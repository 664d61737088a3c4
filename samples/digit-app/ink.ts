// From strokes on a canvas to the picture that the network was trained on: 28 x 28, the digit 20 high or wide, its mass in the middle.
import { side } from './size.ts';

const box = 20;

/** The picture as ink between 0 and 1, row by row; undefined if nothing is drawn. `seen` shows it. */
export function picture(pad: HTMLCanvasElement, seen: HTMLCanvasElement): Float32Array | undefined {
  const { width, height } = pad;
  const drawn = pad.getContext('2d')!.getImageData(0, 0, width, height).data;
  let [left, top, right, bottom] = [width, height, -1, -1];
  let [mass, massX, massY] = [0, 0, 0];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const ink = drawn[4 * (y * width + x) + 3]!;
      if (ink === 0) continue;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
      mass += ink;
      massX += ink * (x + 0.5);
      massY += ink * (y + 0.5);
    }
  const context = seen.getContext('2d', { willReadFrequently: true })!;
  context.clearRect(0, 0, side, side);
  if (mass === 0) return undefined;

  const scale = box / Math.max(right - left + 1, bottom - top + 1);
  const at = (centre: number, from: number, to: number): number =>
    // The middle of its mass lies in the middle, unless part of it would be cut off.
    Math.min(side - (to + 1) * scale, Math.max(-from * scale, side / 2 - (centre / mass) * scale));
  context.imageSmoothingQuality = 'high';
  context.drawImage(pad, at(massX, left, right), at(massY, top, bottom), width * scale, height * scale);
  const pixels = context.getImageData(0, 0, side, side).data;
  const image = Float32Array.from({ length: side * side }, (_, i) => pixels[4 * i + 3]! / 255);
  // Shown as the network has it, white on black, whatever the colour of the pen.
  context.globalCompositeOperation = 'source-in';
  context.fillStyle = '#fff';
  context.fillRect(0, 0, side, side);
  context.globalCompositeOperation = 'source-over';
  return image;
}
