// A nonlinear map of the plane bends a small square into a distorted parallelogram. Its Jacobian gives the best linear approximation at a
// point, and the Jacobian's determinant the ratio of areas. Run it: npx tsx samples/jacobian/main.ts [picture.svg]
import { writeFileSync } from 'node:fs';
import { func, stack, type Tensor, tensor } from 'fluxion';
import { picture } from './picture.ts';
import { area, grid, outline, type Point } from './plane.ts';

/** The map: waves in each direction, and a pull to the right that grows upwards. */
function map(p: Tensor): Tensor {
  const [x, y] = p.unbind() as [Tensor, Tensor];
  return stack([
    x.add(y.mul(1.5).sin().mul(0.35)).add(x.mul(y).mul(0.25)),
    y.add(x.mul(1.7).sin().mul(0.45)).add(y.mul(2).sin().mul(0.15)),
  ]);
}

/** The map of many points at once. */
const mapAll = func.vmap(map);
const pointsOf = (t: Tensor): Point[] => t.tolistSync() as unknown as Point[];
const image = (points: readonly Point[]): Point[] => pointsOf(mapAll(tensor(points, { dtype: 'float64' })));

const corner: Point = [0.5, 0.45];
const side = 0.4;

const jacobian = func.jacrev(map);
const [[a, b], [c, d]] = pointsOf(jacobian(tensor(corner, { dtype: 'float64' }))) as [Point, Point];
const determinant = a * d - b * c;

const fixed = (x: number): string => x.toFixed(4).padStart(8);
console.log(`J at (${corner.join(', ')}):\n  [${fixed(a)} ${fixed(b)} ]\n  [${fixed(c)} ${fixed(d)} ]`);
console.log(`det J = ${determinant.toFixed(4)}\n`);

console.log('side of the square   area of its image / area of the square');
for (const s of [side, side / 4, side / 16, side / 64])
  console.log(`${s.toFixed(4).padStart(18)}   ${(area(image(outline(corner, s, 256))) / s ** 2).toFixed(4)}`);

// The ratio for the whole square is the mean of det J over it: Jacobians of many points at once.
const each = func.vmap(jacobian)(tensor(grid(corner, side, 32), { dtype: 'float64' }));
const [columnX, columnY] = each.unbind(2) as [Tensor, Tensor];
const mean = columnX
  .select(1, 0)
  .mul(columnY.select(1, 1))
  .sub(columnY.select(1, 0).mul(columnX.select(1, 1)))
  .mean();
console.log(`\nmean of det J over the square of side ${side}: ${mean.itemSync().toFixed(4)}`);

const file = process.argv[2] ?? 'jacobian.svg';
writeFileSync(
  file,
  picture({
    image,
    corner,
    side,
    jacobian: [
      [a, b],
      [c, d],
    ],
    ratio: area(image(outline(corner, side, 256))) / side ** 2,
  }),
);
console.log(`\nwrote ${file}`);
