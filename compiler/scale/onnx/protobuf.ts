// Protocol buffers, as far as ONNX needs them: messages of numbers, texts, bytes and messages.

/** A field: its number, and a varint, or what is written with its length, or a 32-bit float. */
export type Field = readonly [number: number, value: number | bigint | string | Uint8Array | { readonly float: number }];

const utf8 = new TextEncoder();

function varint(value: number | bigint): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...out, Number(rest)];
}

const kinds = { varint: 0, bytes: 2, float: 5 } as const;

function fieldBytes([number, value]: Field): readonly Uint8Array[] {
  const tag = (kind: number): number[] => varint((number << 3) | kind);
  if (typeof value === 'number' || typeof value === 'bigint') return [Uint8Array.from([...tag(kinds.varint), ...varint(value)])];
  if (typeof value === 'object' && 'float' in value) {
    const bits = new Uint8Array(4);
    new DataView(bits.buffer).setFloat32(0, value.float, true);
    return [Uint8Array.from(tag(kinds.float)), bits];
  }
  const content = typeof value === 'string' ? utf8.encode(value) : value;
  return [Uint8Array.from([...tag(kinds.bytes), ...varint(content.length)]), content];
}

/** The bytes of a message. */
export function message(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(fieldBytes);
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
