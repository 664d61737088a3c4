// Measures one vector function, both classes at once: `npx tsx test/kernels/wasm/ulp.ts NAME [STEP [FROM TO]]` over every STEP-th float32,
// or those between two numbers of the same sign.
import { type Float32Function, float32 } from '../../../kernels/wasm/math/table.ts';
import { capacity, evaluator, reference, ulps } from './evaluate.ts';

const [name = '', step = '1', from, to] = process.argv.slice(2);
if (!(name in float32) || float32[name as Float32Function].arity !== 1) {
  console.error(`usage: ulp.ts NAME [STEP [FROM TO]], NAME one of ${Object.keys(float32).join(' ')} of one operand`);
  process.exit(2);
}
const fn = name as Float32Function;
const stride = Number(step);

type Worst = { ulps: number; at: number; wrong: number; example: number; above2: number };
const worst = [0, 1].map((): Worst => ({ ulps: 0, at: 0, wrong: 0, example: 0, above2: 0 }));
const classes = [evaluator(fn, true), evaluator(fn, false)] as const;
const patterns = classes.map(({ x }) => new Uint32Array(x.buffer, x.byteOffset, capacity));

const patternOf = (x: string): number => new Uint32Array(new Float32Array([Number(x)]).buffer)[0]!;
const ends = from === undefined || to === undefined ? [0, 2 ** 32 - 1] : [patternOf(from), patternOf(to)].sort((a, b) => a - b);
const [first, last] = ends as [number, number];
const total = Math.ceil((last - first + 1) / stride);
for (let done = 0; done < total; done += capacity) {
  const count = Math.min(capacity, total - done);
  for (const p of patterns) for (let k = 0; k < count; k++) p[k] = first + (done + k) * stride;
  for (const { run } of classes) run((count + 3) & ~3);
  const [x, fused, unfused] = [classes[0].x, classes[0].result, classes[1].result];
  for (let k = 0; k < count; k++) {
    const exact = reference(fn, x[k]!, 0);
    const rounded = Math.fround(exact);
    if (!isRounded(fused[k]!, rounded)) note(worst[0]!, fused[k]!, exact, x[k]!);
    if (!isRounded(unfused[k]!, rounded)) note(worst[1]!, unfused[k]!, exact, x[k]!);
  }
}
/** Most results are the best there can be, and need no measuring. */
function isRounded(result: number, rounded: number): boolean {
  return rounded === 0 ? Object.is(result, rounded) : result === rounded || (Number.isNaN(result) && Number.isNaN(rounded));
}

function note(w: Worst, result: number, exact: number, x: number): void {
  const error = ulps(result, exact);
  if (error === Number.POSITIVE_INFINITY) {
    w.wrong++;
    w.example = x;
  } else if (error > w.ulps) {
    w.ulps = error;
    w.at = x;
  }
  if (error > 2) w.above2++;
}
for (const [k, w] of worst.entries()) {
  const wrong = w.wrong === 0 ? '' : `, ${w.wrong} wrong in kind, e.g. at ${w.example}`;
  console.log(`${fn} ${k === 0 ? 'fused' : 'mul+add'}: ${w.ulps.toFixed(3)} ulp at ${w.at}, ${w.above2} above 2${wrong}`);
}
