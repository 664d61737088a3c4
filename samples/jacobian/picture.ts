// The picture: the plane with a small square on the left, and on the right what the map makes of both, with the linear approximation.
import { outline, type Point } from './plane.ts';

export type Scene = {
  /** The map, for many points at once. */
  readonly image: (points: readonly Point[]) => readonly Point[];
  readonly corner: Point;
  readonly side: number;
  readonly jacobian: readonly [Point, Point];
  readonly ratio: number;
};

/** A window on the plane, somewhere on the paper. */
type Panel = { readonly left: number; readonly top: number; readonly size: number; readonly from: Point; readonly span: number };

const ink = '#26323f';
const paper = '#fbfaf7';
const lines = { x: '#3f7cac', y: '#7a9e7e' };
const square = '#e4572e';
const linear = '#f0a202';

const source: Panel = { left: 40, top: 70, size: 400, from: [-0.05, -0.05], span: 1.4 };
const target: Panel = { left: 520, top: 70, size: 400, from: [0.1, 0.25], span: 1.85 };

const place = ({ left, top, size, from, span }: Panel, [x, y]: Point): string =>
  `${(left + ((x - from[0]) / span) * size).toFixed(2)},${(top + size - ((y - from[1]) / span) * size).toFixed(2)}`;

const path = (panel: Panel, points: readonly Point[], style: string, closed = false): string =>
  `<path d="M${points.map((p) => place(panel, p)).join('L')}${closed ? 'Z' : ''}" ${style}/>`;

const text = (x: number, y: number, words: string, style = ''): string => `<text x="${x}" y="${y}" ${style}>${words}</text>`;

/** Lines of the coordinate grid, finely divided so that their images are smooth. */
function coordinateLines(
  step: number,
  low: number,
  high: number,
): { readonly points: Point[]; readonly colour: string; readonly strong: boolean }[] {
  const along = Array.from({ length: 81 }, (_, i) => low + ((high - low) * i) / 80);
  const count = Math.round((high - low) / step);
  return Array.from({ length: count + 1 }, (_, i) => low + i * step).flatMap((c, i) => [
    { points: along.map((t): Point => [c, t]), colour: lines.x, strong: i % 4 === 0 },
    { points: along.map((t): Point => [t, c]), colour: lines.y, strong: i % 4 === 0 },
  ]);
}

function arrow(panel: Panel, from: Point, by: Point, colour: string): string {
  const to: Point = [from[0] + by[0], from[1] + by[1]];
  return path(panel, [from, to], `stroke="${colour}" stroke-width="2.6" fill="none" marker-end="url(#head-${colour.slice(1)})"`);
}

const head = (colour: string): string =>
  `<marker id="head-${colour.slice(1)}" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="5.5" markerHeight="5.5" orient="auto"><path d="M0,0L10,5L0,10L3,5Z" fill="${colour}"/></marker>`;

function panelOf(panel: Panel, id: string, body: string): string {
  const { left, top, size } = panel;
  return `<clipPath id="${id}"><rect x="${left}" y="${top}" width="${size}" height="${size}" rx="6"/></clipPath>
<rect x="${left}" y="${top}" width="${size}" height="${size}" rx="6" fill="#fff"/>
<g clip-path="url(#${id})">${body}</g>
<rect x="${left}" y="${top}" width="${size}" height="${size}" rx="6" fill="none" stroke="${ink}" stroke-opacity="0.25"/>`;
}

export function picture({ image, corner, side, jacobian: [[a, b], [c, d]], ratio }: Scene): string {
  const origin = image([corner])[0]!;
  const along = (u: number, v: number): Point => [origin[0] + a * u + b * v, origin[1] + c * u + d * v];
  const parallelogram = [along(0, 0), along(side, 0), along(side, side), along(0, side)];
  const grid = coordinateLines(0.125, -1.5, 3.5);
  const lineStyle = (colour: string, strong: boolean): string =>
    `fill="none" stroke="${colour}" stroke-width="${strong ? 1.1 : 0.6}" stroke-opacity="${strong ? 0.75 : 0.4}"`;
  const filled = `fill="${square}" fill-opacity="0.28" stroke="${square}" stroke-width="2" stroke-linejoin="round"`;
  const before = [
    ...grid.map((l) => path(source, l.points, lineStyle(l.colour, l.strong))),
    path(source, outline(corner, side, 1), filled, true),
    arrow(source, corner, [side, 0], lines.x),
    arrow(source, corner, [0, side], lines.y),
  ];
  const after = [
    ...grid.map((l) => path(target, image(l.points), lineStyle(l.colour, l.strong))),
    path(target, image(outline(corner, side, 64)), filled, true),
    path(
      target,
      parallelogram,
      `fill="${linear}" fill-opacity="0.14" stroke="${linear}" stroke-width="2" stroke-dasharray="7 4" stroke-linejoin="round"`,
      true,
    ),
    arrow(target, origin, [a * side, c * side], lines.x),
    arrow(target, origin, [b * side, d * side], lines.y),
  ];
  const n = (x: number): string => x.toFixed(3);
  const determinant = a * d - b * c;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 560" width="960" height="560" font-family="Georgia, 'Times New Roman', serif" fill="${ink}">
<defs>${head(lines.x)}${head(lines.y)}</defs>
<rect width="960" height="560" fill="${paper}"/>
${text(40, 48, 'a small square', 'font-size="20"')}
${text(520, 48, 'its image, and the linear approximation', 'font-size="20"')}
${panelOf(source, 'source', before.join('\n'))}
${panelOf(target, 'target', after.join('\n'))}
<path d="M452,262 C470,250 488,250 506,262" fill="none" stroke="${ink}" stroke-width="1.6"/><path d="M509,264L499,263L504,256Z"/>
${text(480, 244, 'f', 'font-size="20" font-style="italic" text-anchor="middle"')}
<rect x="40" y="496" width="14" height="14" fill="${square}" fill-opacity="0.28" stroke="${square}" stroke-width="2"/>
${text(62, 508, `measured: the image has ${n(ratio)} times the area of the square`, 'font-size="16"')}
<rect x="40" y="523" width="14" height="14" fill="${linear}" fill-opacity="0.14" stroke="${linear}" stroke-width="2" stroke-dasharray="4 2"/>
${text(62, 535, `predicted: det J = ${n(determinant)}, at the corner where the arrows start`, 'font-size="16"')}
${text(690, 522, 'J =', 'font-size="18" font-style="italic" text-anchor="end"')}
<path d="M706,494h-6v44h6M850,494h6v44h-6" fill="none" stroke="${ink}" stroke-width="1.4"/>
${text(740, 511, n(a), `font-size="16" text-anchor="middle" fill="${lines.x}"`)}${text(816, 511, n(b), `font-size="16" text-anchor="middle" fill="${lines.y}"`)}
${text(740, 534, n(c), `font-size="16" text-anchor="middle" fill="${lines.x}"`)}${text(816, 534, n(d), `font-size="16" text-anchor="middle" fill="${lines.y}"`)}
</svg>
`;
}
