// The public door `fluxion/worker`: functions that run in a worker, called from a page (or a program of Node) as if they were here.
//
// Training, inference and compilation then never freeze what the user sees. In the worker's module:
//
//     serve({ train, predict });
//
// and where they are called:
//
//     const remote = await host<typeof import('./train.ts')>(new Worker(new URL('./train.ts', import.meta.url), { type: 'module' }));
//     for await (const { step, loss } of remote.train(options)) show(step, loss);
//     const digit = await remote.predict(pixels);
//     await close(remote);
export { close, type HostOptions, host, type Remote, type RemoteFunction } from './host.ts';
export type { WorkerLike } from './line.ts';
export { handOver } from './parcel.ts';
export { serve } from './serve.ts';
