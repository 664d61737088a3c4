// The page: what is drawn becomes a picture, the picture goes through the network, and its answer becomes ten bars.
import { picture } from './ink.ts';
import { classify, load } from './model.fluxion.js';
import { pen } from './pen.ts';

const element = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;
const pad = element<HTMLCanvasElement>('pad');
const seen = element<HTMLCanvasElement>('seen');

const bars = Array.from({ length: 10 }, (_, digit) => {
  const item = document.createElement('li');
  const [name, bar, share] = [document.createElement('span'), document.createElement('progress'), document.createElement('span')];
  name.textContent = String(digit);
  bar.value = 0;
  bar.setAttribute('aria-label', `how probable ${digit} is`);
  item.append(name, bar, share);
  element('bars').append(item);
  return { item, bar, share };
});

function show(probabilities: ArrayLike<number> | undefined): void {
  const order = Array.from({ length: 10 }, (_, digit) => digit).sort((a, b) => (probabilities?.[b] ?? 0) - (probabilities?.[a] ?? 0));
  const first = probabilities === undefined ? undefined : order[0]!;
  for (const [digit, { item, bar, share }] of bars.entries()) {
    const p = probabilities?.[digit] ?? 0;
    item.classList.toggle('first', digit === first);
    bar.value = p;
    share.textContent = probabilities === undefined ? '' : `${(100 * p).toFixed(1)} %`;
  }
  element('guess').textContent = first === undefined ? '?' : String(first);
  element('sure').textContent = probabilities === undefined ? 'nothing drawn yet' : confidence(probabilities, order);
}

function confidence(probabilities: ArrayLike<number>, [first, second]: readonly number[]): string {
  const p = probabilities[first!]!;
  return p > 0.9 ? 'quite sure' : p > 0.6 ? 'rather sure' : `or perhaps ${second}`;
}

let isLoaded = false;
let awaited = 0;
/** Once for each frame at most, whatever the hand does. */
function answer(): void {
  if (awaited !== 0) return;
  awaited = requestAnimationFrame(() => {
    awaited = 0;
    const image = picture(pad, seen);
    element('hint').hidden = image !== undefined;
    if (image === undefined) show(undefined);
    if (!isLoaded || image === undefined) return;
    const start = performance.now();
    show(classify(image));
    element('facts').textContent = `${facts}; this picture took ${(performance.now() - start).toFixed(2)} ms.`;
  });
}

const { clear } = pen(pad, answer);
element('clear').addEventListener('click', clear);
addEventListener('keydown', ({ key }) => {
  if (key === 'Escape' || key === 'Delete') clear();
});

let facts = '';
const start = performance.now();
try {
  await load({ threads: 1 });
  isLoaded = true;
  facts = `The network was there after ${(performance.now() - start).toFixed(0)} ms`;
  element('facts').textContent = `${facts}.`;
  answer();
} catch (error) {
  element('facts').textContent = `The network could not be loaded: ${error instanceof Error ? error.message : String(error)}`;
}
