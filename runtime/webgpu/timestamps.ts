// When each launch of a run began and ended, by the clock of the GPU, where it has one.
import { DeviceError } from '../errors.ts';
import { mapped } from './memory.ts';
import { type Machine, newBuffer, usage } from './state.ts';

/** Told, once a run is over, of its launches: by number, with nanoseconds of the GPU's clock. */
export type Clock = (launches: readonly { readonly launch: number; readonly start: number; readonly end: number }[]) => void;

export type Stopwatch = {
  /** What the next pass writes its times to. */
  readonly next: (launch: number) => Pick<GPUComputePassDescriptor, 'timestampWrites'>;
  /** Has the times copied to where the host can read them. */
  readonly finish: (encoder: GPUCommandEncoder) => void;
  readonly submitted: () => void;
};

/** The bit of `GPUBufferUsage` for results of queries. */
const queryResolve = 512;
/** Passes of one submission whose times are kept. */
const mostPasses = 2048;

export function startWatch(m: Machine, clock: Clock, passes: number): Stopwatch {
  const { device } = m;
  if (!device.features.has('timestamp-query')) throw new DeviceError('this adapter has no timestamps', { op: 'profile' });
  const most = Math.min(mostPasses, 4 * Math.max(1, passes));
  const queries = device.createQuerySet({ type: 'timestamp', count: 2 * most });
  const resolved = newBuffer(m, 'times', 16 * most, queryResolve | usage.copyFrom);
  let launches: number[] = [];
  let staging: GPUBuffer | undefined;
  return {
    next: (launch) => {
      if (launches.length >= most) return {};
      const at = 2 * launches.length;
      launches.push(launch);
      return { timestampWrites: { querySet: queries, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 } };
    },
    finish: (encoder) => {
      if (launches.length === 0) return;
      staging = newBuffer(m, 'times', 16 * launches.length, usage.mapRead | usage.copyTo);
      encoder.resolveQuerySet(queries, 0, 2 * launches.length, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16 * launches.length);
    },
    submitted: () => {
      const [read, passed] = [staging, launches];
      staging = undefined;
      launches = [];
      if (read === undefined) return;
      void mapped(m, read).then(
        (bytes) => {
          const times = new BigInt64Array(bytes);
          clock(passed.map((launch, i) => ({ launch, start: Number(times[2 * i]!), end: Number(times[2 * i + 1]!) })));
        },
        // A lost device is told by whoever looks at elements.
        () => {},
      );
    },
  };
}
