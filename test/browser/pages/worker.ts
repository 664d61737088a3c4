// The scenarios of hosts and workers over the Web Workers of a page.
import { tensor } from 'fluxion';
import { close, host } from 'fluxion/worker';
import { play as playWith, type Start, unhosted as unhostedWith } from '../../worker/scenarios.ts';
import type { Served } from '../../worker/served.ts';

let living = 0;
class CountedWorker extends Worker {
  constructor(url: string | URL, options: WorkerOptions) {
    super(url, options);
    living++;
  }
  override terminate(): void {
    living--;
    super.terminate();
  }
}
const silent = URL.createObjectURL(new Blob([''], { type: 'text/javascript' }));
const urls = { served: new URL('./served.js', import.meta.url).href, silent, missing: new URL('./missing.js', import.meta.url).href };
const start: Start = (module) => new CountedWorker(urls[module], { type: 'module' });

export const play = async (name: string): Promise<unknown> => ({ told: await playWith(name, start), living });
export const unhosted = async (): Promise<unknown> => ({ told: await unhostedWith(start), living });

/** A tensor that comes from the worker's GPU. */
export async function fromGpu(): Promise<unknown> {
  const remote = await host<Served>(start('served'));
  try {
    const { device, doubled } = await remote.onGpu(tensor([1, 2, 3]));
    return { there: device, here: doubled.device, elements: doubled.tolistSync() };
  } finally {
    await close(remote);
  }
}
