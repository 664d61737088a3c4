// The numbers of a launch as shaders read them.
import type { Program } from '../program.ts';

/** Slots as 32-bit words, two for an i64. */
export function slotWords(program: Program, slots: Float64Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(slotBytes(program)));
  let at = 0;
  program.slots.forEach(({ dtype }, i) => {
    const value = slots[i]!;
    if (dtype === 'i64') {
      view.setBigInt64(at, BigInt(Math.trunc(value) || 0), true);
      at += 4;
    } else if (dtype === 'f32') view.setFloat32(at, value, true);
    else view.setInt32(at, dtype === 'bool' ? Number(value !== 0) : dtype === 'u8' ? value & 255 : value, true);
    at += 4;
  });
  return new Uint8Array(view.buffer);
}

export const slotBytes = ({ slots }: Program): number => Math.max(16, 4 * slots.reduce((n, { dtype }) => n + (dtype === 'i64' ? 2 : 1), 0));
