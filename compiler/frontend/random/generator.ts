// PyTorch's generator: a Mersenne Twister (MT19937) whose draws, seeds and serialised state are those of torch.Generator on the CPU.
import { ArgumentError, DTypeError } from '../../../runtime/errors.ts';

const n = 624;
const m = 397;
/** Where a freshly seeded generator stands: PyTorch writes it down differently from one that used all its words. */
const unused = n + 1;
/** The seed of a generator that nobody seeded (c10/core/GeneratorImpl.h). */
const defaultSeed = 67280421310721n;

/** A source of random numbers of its own: `new Generator().manualSeed(0)`. */
export class Generator {
  #state = new Uint32Array(n);
  /** Position of the next word; at `n` and beyond new ones are made first. */
  #next = unused;
  #seed = defaultSeed;
  /** The second half of a Box-Muller pair, handed out by the next draw of a normal number. */
  #spareNormal: number | undefined;

  constructor() {
    this.manualSeed(defaultSeed);
  }

  /** Starts the sequence that belongs to `seed`: an integer in [-2^63, 2^64), of which the low 32 bits count. */
  manualSeed(seed: number | bigint): this {
    if (typeof seed === 'number' ? !Number.isSafeInteger(seed) : typeof seed !== 'bigint')
      throw new ArgumentError(`a seed is an integer, got ${String(seed)}`, { op: 'manualSeed', fix: 'pass larger integers as bigint' });
    const wide = BigInt(seed);
    if (wide < -(2n ** 63n) || wide >= 2n ** 64n) throw new ArgumentError(`seed ${wide} does not fit 64 bits`, { op: 'manualSeed' });
    this.#seed = BigInt.asUintN(64, wide);
    const state = this.#state;
    state[0] = Number(BigInt.asUintN(32, this.#seed));
    for (let i = 1; i < n; i++) {
      const before = state[i - 1]!;
      state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
    this.#next = unused;
    this.#spareNormal = undefined;
    return this;
  }

  /** Seeds from the machine's entropy and returns the seed. */
  seed(): bigint {
    const words = crypto.getRandomValues(new BigUint64Array(1));
    this.manualSeed(words[0]!);
    return words[0]!;
  }

  /** The seed that the sequence began with, as an unsigned 64-bit integer. */
  initialSeed(): bigint {
    return this.#seed;
  }

  /** 32 random bits. */
  random32(): number {
    if (this.#next >= n) this.#twist();
    let y = this.#state[this.#next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** 64 random bits; the first draw is the high word. */
  random64(): bigint {
    const high = this.random32();
    return (BigInt(high) << 32n) | BigInt(this.random32());
  }

  /** The low 53 of 64 random bits, which a number holds exactly. */
  random53(): number {
    const high = this.random32();
    return (high & 0x1fffff) * 2 ** 32 + this.random32();
  }

  /** Uniform in [0, 1) with the 24 bits of a float32. */
  uniform24(): number {
    return (this.random32() & 0xffffff) * 2 ** -24;
  }

  /** Uniform in [0, 1) with the 53 bits of a float64. */
  uniform53(): number {
    return this.random53() * 2 ** -53;
  }

  /** A standard normal number. Box-Muller gives two at a time: the second waits for the next call (aten/src/ATen/core/DistributionsHelper.h). */
  normal(): number {
    const spare = this.#spareNormal;
    if (spare !== undefined) {
      this.#spareNormal = undefined;
      return spare;
    }
    const angle = 2 * Math.PI * this.uniform53();
    const radius = Math.sqrt(-2 * Math.log1p(-this.uniform53()));
    this.#spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Everything that later draws depend on, in the 5056 bytes that `torch.Generator.get_state()` has. */
  getState(): Uint8Array {
    const bytes = new Uint8Array(layout.size);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(layout.seed, this.#seed, true);
    view.setInt32(layout.left, this.#next === unused ? 1 : n - this.#next + 1, true);
    view.setInt32(layout.seeded, 1, true);
    view.setBigUint64(layout.next, this.#next === unused ? 0n : BigInt(this.#next), true);
    for (let i = 0; i < n; i++) view.setUint32(layout.words + 8 * i, this.#state[i]!, true);
    if (this.#spareNormal !== undefined) {
      view.setFloat64(layout.normal, this.#spareNormal, true);
      view.setInt32(layout.normalIsValid, 1, true);
    }
    return bytes;
  }

  /** Goes on from a state that `getState` gave, here or in PyTorch. */
  setState(state: Uint8Array): this {
    if (!(state instanceof Uint8Array))
      throw new DTypeError('a state is a Uint8Array', { op: 'setState', fix: 'pass what getState() returned' });
    if (state.length !== layout.size)
      throw new ArgumentError(`a state has ${layout.size} bytes, got ${state.length}`, {
        op: 'setState',
        fix: 'pass what getState() returned',
      });
    const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
    const left = view.getInt32(layout.left, true);
    const next = view.getBigUint64(layout.next, true);
    const fresh = left === 1 && next === 0n;
    if (view.getInt32(layout.seeded, true) !== 1 || !(fresh || (next <= BigInt(n) && BigInt(left) === BigInt(n + 1) - next)))
      throw new ArgumentError('the state is damaged: its position does not fit', { op: 'setState' });
    this.#seed = view.getBigUint64(layout.seed, true);
    this.#next = fresh ? unused : Number(next);
    for (let i = 0; i < n; i++) this.#state[i] = view.getUint32(layout.words + 8 * i, true);
    this.#spareNormal = view.getInt32(layout.normalIsValid, true) === 0 ? undefined : view.getFloat64(layout.normal, true);
    return this;
  }

  /** Gives what takes the sequence back to where it is now. */
  mark(): () => void {
    const [state, next, spare] = [this.#state.slice(), this.#next, this.#spareNormal];
    return () => {
      this.#state.set(state);
      this.#next = next;
      this.#spareNormal = spare;
    };
  }

  /** A generator that goes on as this one would, apart from it. */
  clone(): Generator {
    return new Generator().setState(this.getState());
  }

  #twist(): void {
    const s = this.#state;
    for (let i = 0; i < n; i++) {
      const y = (s[i]! & 0x80000000) | (s[(i + 1) % n]! & 0x7fffffff);
      s[i] = s[(i + m) % n]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}

/** Byte offsets of CPUGeneratorImplState: the legacy THGeneratorState, little endian, with 8 bytes a word, then the float32 spare. */
const layout = { seed: 0, left: 8, seeded: 12, next: 16, words: 24, normal: 24 + 8 * n + 8, normalIsValid: 24 + 8 * n + 24, size: 5056 };
