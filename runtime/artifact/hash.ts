// Hashes of content, against damage and mix-ups and not against malice.

/** 64 bits in hexadecimal: two lanes of 32-bit multiply-xor over words of four bytes. */
export function hashBytes(bytes: Uint8Array): string {
  let a = 0x811c9dc5;
  let b = 0x9747b28c ^ bytes.length;
  const mix = (word: number): void => {
    a = Math.imul(a ^ word, 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b ^ word, 0x85ebca6b);
    b ^= b >>> 13;
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const whole = bytes.length & ~3;
  for (let i = 0; i < whole; i += 4) mix(view.getInt32(i, true));
  for (let i = whole; i < bytes.length; i++) mix(bytes[i]!);
  return hex(Math.imul(a ^ (a >>> 16), 0x7feb352d)) + hex(Math.imul(b ^ (b >>> 15), 0x846ca68b));
}

const hex = (x: number): string => ((x ^ (x >>> 13)) >>> 0).toString(16).padStart(8, '0');

/** Of data as its JSON text in UTF-8; a field `hash` of its own takes no part. */
export function hashData(data: { readonly hash?: string; readonly [field: string]: unknown }): string {
  const { hash: _, ...rest } = data;
  return hashBytes(new TextEncoder().encode(JSON.stringify(rest)));
}
