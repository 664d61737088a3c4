// The loss over time, one curve for each training: what a device is worth shows in how soon its curve comes down.
const margin = { left: 44, right: 14, top: 12, bottom: 34 };
/** The axis of losses, by powers of ten. */
const [lowest, highest] = [0.01, 3];

export type Curve = { readonly device: string; readonly points: (readonly [seconds: number, loss: number])[] };

/** Curves as SVG for so many pixels, the last one in front. */
export function chart(curves: readonly Curve[], width: number): string {
  const height = Math.max(220, Math.round(width * 0.46));
  const end = niceEnd(Math.max(5, ...curves.map(({ points }) => points.at(-1)?.[0] ?? 0)));
  const x = (seconds: number): number => margin.left + (seconds / end) * (width - margin.left - margin.right);
  const y = (loss: number): number => {
    const share = Math.log(Math.min(highest, Math.max(lowest, loss)) / lowest) / Math.log(highest / lowest);
    return height - margin.bottom - share * (height - margin.top - margin.bottom);
  };
  const path = ({ points }: Curve): string =>
    points.map(([s, loss], i) => `${i === 0 ? 'M' : 'L'}${x(s).toFixed(1)} ${y(loss).toFixed(1)}`).join('');
  const rows = [3, 1, 0.3, 0.1, 0.03, 0.01].map(
    (loss) =>
      `<path class="grid" d="M${margin.left} ${y(loss)}H${width - margin.right}"/><text x="${margin.left - 8}" y="${y(loss) + 4}" text-anchor="end">${loss}</text>`,
  );
  const columns = [0, 1, 2, 3, 4, 5].map((i) => {
    const seconds = (i * end) / 5;
    return `<text x="${x(seconds)}" y="${height - margin.bottom + 18}" text-anchor="${i === 5 ? 'end' : 'middle'}">${Number(seconds.toFixed(1))}${i === 5 ? ' s' : ''}</text>`;
  });
  const lines = curves.flatMap((curve, i) => {
    const last = curve.points.at(-1);
    if (last === undefined) return [];
    const now = i === curves.length - 1 ? ' now' : '';
    return [
      `<path class="curve ${curve.device}${now}" d="${path(curve)}"/>`,
      `<circle class="${curve.device}${now}" cx="${x(last[0])}" cy="${y(last[1])}" r="${now ? 4.5 : 3}"/>`,
    ];
  });
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Loss over seconds of training">${[...rows, ...columns, ...lines].join('')}</svg>`;
}

/** The next of 5, 10, 20, 50, 100, ... */
function niceEnd(seconds: number): number {
  const power = 10 ** Math.floor(Math.log10(seconds));
  return [1, 2, 5, 10].map((m) => m * power).find((m) => m >= seconds)!;
}

/** How much an old value counts: curves are of means, since single batches jump. */
const smoothing = 0.7;

export function extend({ points }: Curve, seconds: number, loss: number): void {
  const before = points.at(-1)?.[1];
  points.push([seconds, before === undefined ? loss : smoothing * before + (1 - smoothing) * loss]);
}
