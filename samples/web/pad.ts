// The pad to draw a digit on, with a finger, a pen or a mouse.

import { side } from '../mnist/digits.ts';
import { centred, type Drawing } from './centre.ts';

/** Pixels of the drawing along a side, whatever it measures on the screen. */
const size = 280;
const pen = 22;

export type Pad = {
  /** The drawing on 28 x 28 pixels; undefined while there is none. */
  readonly seen: () => Float32Array | undefined;
  readonly clear: () => void;
};

/** `changed` is called while somebody draws, and when the pad is cleared. */
export function makePad(canvas: HTMLCanvasElement, changed: () => void): Pad {
  canvas.width = size;
  canvas.height = size;
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  let last: { readonly x: number; readonly y: number } | undefined;
  const at = (event: PointerEvent): { x: number; y: number } => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return { x: ((event.clientX - left) / width) * size, y: ((event.clientY - top) / height) * size };
  };
  const stroke = (event: PointerEvent): void => {
    for (const moved of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) {
      const to = at(moved);
      const from = last ?? to;
      Object.assign(context, { lineWidth: pen, lineCap: 'round', strokeStyle: getComputedStyle(canvas).color });
      context.beginPath();
      context.moveTo(from.x, from.y);
      context.lineTo(to.x, to.y);
      context.stroke();
      last = to;
    }
    changed();
  };
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    stroke(event);
    event.preventDefault();
  });
  canvas.addEventListener('pointermove', (event) => {
    if (last !== undefined) stroke(event);
  });
  for (const end of ['pointerup', 'pointercancel'] as const)
    canvas.addEventListener(end, () => {
      last = undefined;
    });
  const drawing = (): Drawing => {
    const { data } = context.getImageData(0, 0, size, size);
    return { ink: Float32Array.from({ length: size * size }, (_, i) => data[4 * i + 3]! / 255), size };
  };
  return {
    seen: () => centred(drawing()),
    clear: () => {
      context.clearRect(0, 0, size, size);
      changed();
    },
  };
}

/** Shows what the network sees. */
export function showSeen(canvas: HTMLCanvasElement, ink: Float32Array | undefined): void {
  canvas.width = side;
  canvas.height = side;
  const context = canvas.getContext('2d')!;
  const image = context.createImageData(side, side);
  const [r, g, b] = getComputedStyle(canvas)
    .color.match(/[\d.]+/g)!
    .map(Number);
  for (let i = 0; i < side * side; i++) image.data.set([r!, g!, b!, Math.round(255 * (ink?.[i] ?? 0))], 4 * i);
  context.putImageData(image, 0, 0);
}
