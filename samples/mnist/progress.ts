// Progress of an epoch: on a terminal a line that is redrawn, with rate, time left and loss; piped, one plain line at the end.
const width = 24;
/** Milliseconds between two drawings. */
const interval = 100;

export type Progress = {
  /** So many samples were seen in all; `loss` is their mean. */
  readonly advance: (seen: number, loss: number) => void;
  /** Puts the result in the place of the bar. */
  readonly finish: (result: string) => void;
};

export function startProgress(label: string, total: number, stream: NodeJS.WriteStream = process.stdout, unit = 'images'): Progress {
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  let nextDrawing = start;
  return {
    advance(seen, loss) {
      if (!stream.isTTY || performance.now() < nextDrawing) return;
      nextDrawing = performance.now() + interval;
      stream.write(`\r${bar(label, seen, total, seconds(), loss, unit).slice(0, stream.columns - 1)}\x1b[K`);
    },
    finish(result) {
      stream.write(`${stream.isTTY ? '\r\x1b[K' : ''}${label}  ${result}  ${seconds().toFixed(1)} s\n`);
    },
  };
}

/** `epoch 1/3 [==========>             ]  42 %  5210 images/s  ETA 0:07  loss 0.3121` */
function bar(label: string, seen: number, total: number, seconds: number, loss: number, unit: string): string {
  const share = seen / total;
  const filled = '='.repeat(Math.floor(share * width));
  const arrow = seen < total ? '>' : '';
  const rate = seen / seconds;
  return [
    `${label} [${(filled + arrow).padEnd(width)}] ${String(Math.floor(100 * share)).padStart(3)} %`,
    `${Math.round(rate)} ${unit}/s`,
    `ETA ${clock((total - seen) / rate)}`,
    `loss ${loss.toFixed(4)}`,
  ].join('  ');
}

function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
