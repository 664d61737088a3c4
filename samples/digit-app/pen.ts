// Drawing with mouse, finger or pen: strokes are kept, so that they survive a change of the canvas's size and of the colours.
type Point = readonly [x: number, y: number];

/** Part of the canvas's side. */
const thickness = 0.075;

/** Draws on `pad`; calls `changed` after each piece of a stroke. */
export function pen(pad: HTMLCanvasElement, changed: () => void): { readonly clear: () => void } {
  const context = pad.getContext('2d', { willReadFrequently: true })!;
  /** Points as parts of the side. */
  let strokes: Point[][] = [];
  let current: Point[] | undefined;

  function draw(): void {
    const { width: side } = pad;
    context.clearRect(0, 0, side, side);
    context.strokeStyle = getComputedStyle(pad).color;
    context.lineWidth = thickness * side;
    context.lineCap = context.lineJoin = 'round';
    for (const stroke of strokes) {
      context.beginPath();
      for (const [x, y] of stroke) context.lineTo(x * side, y * side);
      const [first] = stroke;
      if (stroke.length === 1) context.lineTo(first![0] * side + 0.1, first![1] * side); // A dot.
      context.stroke();
    }
    changed();
  }
  const point = (event: PointerEvent): Point => {
    const { left, top, width } = pad.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / width];
  };

  pad.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    pad.setPointerCapture(event.pointerId);
    current = [point(event)];
    strokes.push(current);
    draw();
  });
  pad.addEventListener('pointermove', (event) => {
    if (current === undefined) return;
    // A fast hand makes several points between two frames.
    for (const one of event.getCoalescedEvents?.() ?? [event]) current.push(point(one));
    draw();
  });
  for (const end of ['pointerup', 'pointercancel'] as const)
    pad.addEventListener(end, () => {
      current = undefined;
    });
  new ResizeObserver(() => {
    pad.width = pad.height = Math.round(pad.clientWidth * Math.min(devicePixelRatio, 2));
    draw();
  }).observe(pad);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);

  return {
    clear: () => {
      strokes = [];
      current = undefined;
      draw();
    },
  };
}
