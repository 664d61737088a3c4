// Points, outlines and areas in the plane.

export type Point = readonly [x: number, y: number];

/** The boundary of a square, counterclockwise from its lower left corner, with `n` points on each side. */
export function outline([x, y]: Point, side: number, n: number): Point[] {
  const steps = Array.from({ length: n }, (_, i) => (side * i) / n);
  return [
    ...steps.map((s): Point => [x + s, y]),
    ...steps.map((s): Point => [x + side, y + s]),
    ...steps.map((s): Point => [x + side - s, y + side]),
    ...steps.map((s): Point => [x, y + side - s]),
  ];
}

/** Midpoints of n times n small squares. */
export function grid([x, y]: Point, side: number, n: number): Point[] {
  const middle = Array.from({ length: n }, (_, i) => (side * (i + 0.5)) / n);
  return middle.flatMap((u) => middle.map((v): Point => [x + u, y + v]));
}

/** The area inside of a polygon, by the shoelace formula. */
export function area(polygon: readonly Point[]): number {
  let twice = 0;
  for (const [i, [x, y]] of polygon.entries()) {
    const [u, v] = polygon[(i + 1) % polygon.length]!;
    twice += x * v - u * y;
  }
  return twice / 2;
}
