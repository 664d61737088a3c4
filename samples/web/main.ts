// The page: buttons, figures, the curve of the loss, and the pad. All computing is done by a worker, which is called like any module.
import { host } from 'fluxion/worker';
import { picture } from './centre.ts';
import { type Curve, chart, extend } from './chart.ts';
import { makePad, showSeen } from './pad.ts';
import type { Plan, Progress, Trainer } from './trainer.ts';

const find = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;
const show = (id: string, text: string): void => {
  find(id).textContent = text;
};
const chosen = (name: string): string => document.querySelector<HTMLInputElement>(`input[name=${name}]:checked`)!.value;

const worker = new Worker(new URL('./trainer.ts', import.meta.url), { type: 'module' });
const trainer = host<Trainer>(worker);

// Training

const button = find<HTMLButtonElement>('train');
const curves: Curve[] = [];
let isTraining = false;

button.addEventListener('click', () => {
  if (isTraining) isTraining = false;
  else void train();
});

async function train(): Promise<void> {
  const limit = new URLSearchParams(location.search).get('limit');
  const plan: Plan = {
    device: chosen('device') as Plan['device'],
    model: chosen('model') as Plan['model'],
    epochs: 2,
    data: document.baseURI,
    ...(limit !== null && { limit: Number(limit) }),
  };
  const curve: Curve = { device: plan.device, points: [] };
  curves.push(curve);
  isTraining = true;
  button.textContent = 'Stop';
  for (const figure of ['rate', 'loss', 'accuracy']) show(figure, '–');
  say('Loading 70,000 digits …');
  try {
    for await (const progress of (await trainer).train(plan)) {
      report(progress, plan, curve);
      void recognise();
      if (!isTraining) break;
    }
    if (isTraining) say('Done. Draw a digit, or try another device.');
    else say('Stopped.');
  } catch (error) {
    say((error as Error).message, true);
  } finally {
    isTraining = false;
    button.textContent = 'Train anew';
  }
}

const whole = new Intl.NumberFormat('en');
const percent = new Intl.NumberFormat('en', { style: 'percent', minimumFractionDigits: 1 });

function report({ epoch, seen, total, seconds, loss, accuracy, threads }: Progress, plan: Plan, curve: Curve): void {
  extend(curve, seconds, loss);
  drawCurves();
  show('rate', whole.format(Math.round(seen / seconds)));
  show('loss', curve.points.at(-1)![1].toFixed(3));
  if (accuracy !== undefined) show('accuracy', percent.format(accuracy));
  find<HTMLProgressElement>('progress').value = seen / total;
  const on = plan.device === 'wasm' ? `wasm, ${threads} ${threads === 1 ? 'thread' : 'threads'}` : plan.device;
  say(`Training on ${on}: epoch ${epoch} of ${plan.epochs}, ${whole.format(seen)} images`);
}

const drawCurves = (): void => {
  find('chart').innerHTML = chart(curves, find('chart').clientWidth);
};
new ResizeObserver(drawCurves).observe(find('chart'));

function say(text: string, isError = false): void {
  show('status', text);
  find('status').classList.toggle('error', isError);
}

// Recognising

const pad = makePad(find('pad'), () => void recognise());
find('clear').addEventListener('click', () => pad.clear());
const bars = Array.from({ length: 10 }, (_, digit) => {
  const bar = document.createElement('li');
  bar.innerHTML = `<span>${digit}</span><i><b></b></i>`;
  find('bars').append(bar);
  return bar;
});

let isAsking = false;
let isStale = false;
/** Asks about the drawing as it is; while an answer is awaited, changes wait for the next question. */
async function recognise(): Promise<void> {
  isStale = true;
  if (isAsking) return;
  isAsking = true;
  try {
    while (isStale) {
      isStale = false;
      const seen = pad.seen();
      showSeen(find('seen'), seen);
      guessed(seen && (await (await trainer).recognise(picture(seen))));
    }
  } catch (error) {
    say((error as Error).message, true);
  } finally {
    isAsking = false;
  }
}

function guessed(probabilities: readonly number[] | undefined): void {
  const best = probabilities?.indexOf(Math.max(...probabilities));
  show('guess', best === undefined ? '–' : String(best));
  show('hint', best === undefined ? 'Draw a digit.' : hint(probabilities![best]!));
  for (const [digit, bar] of bars.entries()) {
    bar.style.setProperty('--p', String(probabilities?.[digit] ?? 0));
    bar.classList.toggle('best', digit === best);
  }
}

const hint = (probability: number): string =>
  curves.length === 0 ? 'A guess: it has learned nothing yet.' : `is what it reads, ${percent.format(probability)} sure.`;

if (navigator.gpu === undefined) document.querySelector<HTMLInputElement>('input[value=webgpu]')!.disabled = true;
if (!crossOriginIsolated) say('This server sends no COOP and COEP headers, so WebAssembly has one thread.');
guessed(undefined);
