// Prints a WebAssembly binary as text, for people and tests: one line per instruction, blocks indented, names where the binary has them.
import { ProgramError } from '../../runtime/errors.ts';
import { type Opcode, opcodes, type Type, typeCodes } from './opcode.ts';

/** A place in the binary that moves on as it is read. */
type Reader = { readonly data: Uint8Array; readonly view: DataView; at: number };

type Signature = { readonly params: readonly Type[]; readonly results: readonly Type[] };
type Names = { readonly functions: Map<number, string>; readonly locals: Map<number, Map<number, string>> };
type Module = {
  readonly signatures: Signature[];
  /** Signature of each function, those imported first. */
  readonly functions: number[];
  imported: number;
  readonly names: Names;
  readonly lines: string[];
};

const types = new Map(Object.entries(typeCodes).map(([name, code]) => [code, name as Type]));
const keyOf = (prefix: number, code: number): number => prefix * 0x1000 + code;
const byCode = new Map(
  Object.entries<Opcode>(opcodes).map(([name, op]) => [keyOf(op.prefix, op.prefix >= 0xfc ? op.code : op.prefix), { name, op }]),
);

export function disassemble(binary: Uint8Array): string {
  const r: Reader = { data: binary, view: new DataView(binary.buffer, binary.byteOffset, binary.byteLength), at: 0 };
  if (binary.length < 8 || r.view.getUint32(0) !== 0x0061736d)
    throw new ProgramError('this is not a WebAssembly binary', { op: 'disassemble' });
  const m: Module = { signatures: [], functions: [], imported: 0, names: { functions: new Map(), locals: new Map() }, lines: [] };
  // Names come last in the binary, and are wanted first.
  for (const { id, start, end } of sections(r)) {
    r.at = start;
    if (id === 0 && name(r) === 'name') readNames(r, end, m.names);
  }
  for (const { id, start, end } of sections(r)) {
    r.at = start;
    readSection(r, id, end, m);
  }
  return `(module\n${m.lines.map((line) => `  ${line}\n`).join('')})\n`;
}

function sections(r: Reader): { id: number; start: number; end: number }[] {
  const found: { id: number; start: number; end: number }[] = [];
  for (r.at = 8; r.at < r.data.length; ) {
    const id = byte(r);
    const length = u32(r);
    found.push({ id, start: r.at, end: r.at + length });
    r.at += length;
  }
  return found;
}

function readSection(r: Reader, id: number, end: number, m: Module): void {
  switch (id) {
    case 0:
      return;
    case 1:
      repeat(r, () => {
        r.at++;
        m.signatures.push({ params: list(r, valueType), results: list(r, valueType) });
      });
      return;
    case 2:
      repeat(r, () => readImport(r, m));
      return;
    case 3:
      repeat(r, () => m.functions.push(u32(r)));
      return;
    case 7:
      repeat(r, () => {
        const exported = name(r);
        r.at++;
        m.lines.push(`(export "${exported}" (func ${functionName(m, u32(r))}))`);
      });
      return;
    case 10: {
      let index = m.imported;
      repeat(r, () => readFunction(r, index++, m));
      return;
    }
    default:
      m.lines.push(`;; section ${id}: ${end - r.at} bytes`);
  }
}

function readImport(r: Reader, m: Module): void {
  const from = `"${name(r)}" "${name(r)}"`;
  if (byte(r) === 0) {
    const signature = u32(r);
    m.lines.push(`(import ${from} (func ${functionName(m, m.imported++)}${signatureText(m.signatures[signature]!)}))`);
    m.functions.push(signature);
    return;
  }
  const flag = byte(r);
  const min = u32(r);
  const max = flag & 1 ? ` ${u32(r)}` : '';
  m.lines.push(`(import ${from} (memory ${min}${max}${flag & 2 ? ' shared' : ''}))`);
}

function readFunction(r: Reader, index: number, m: Module): void {
  const end = u32(r) + r.at;
  const signature = m.signatures[m.functions[index]!]!;
  const names = m.names.locals.get(index);
  const localName = (k: number): string => `$${names?.get(k) ?? k}`;
  const locals: string[] = [];
  let count = signature.params.length;
  repeat(r, () => {
    const run = u32(r);
    const type = valueType(r);
    for (let k = 0; k < run; k++) locals.push(`(local ${localName(count++)} ${type})`);
  });
  const params = signature.params.map((type, k) => ` (param ${localName(k)} ${type})`).join('');
  m.lines.push(`(func ${functionName(m, index)}${params}${resultText(signature)}`);
  if (locals.length > 0) m.lines.push(`  ${locals.join(' ')}`);
  readBody(r, end, m, localName);
  m.lines.push(')');
}

function readBody(r: Reader, end: number, m: Module, localName: (k: number) => string): void {
  let depth = 1;
  while (r.at < end) {
    const { name: text, op } = opcode(r);
    if (op === opcodes.end || op === opcodes.else) depth--;
    // The end of the function is its closing parenthesis.
    if (depth > 0) m.lines.push(`${'  '.repeat(depth)}${text}${immediate(r, op, m, localName)}`);
    if (op.immediate === 'block' || op === opcodes.else) depth++;
  }
}

function opcode(r: Reader): { name: string; op: Opcode } {
  const at = r.at;
  const prefix = byte(r);
  const found = byCode.get(keyOf(prefix, prefix >= 0xfc ? u32(r) : prefix));
  if (found === undefined) throw new ProgramError(`unknown instruction 0x${prefix.toString(16)} at byte ${at}`, { op: 'disassemble' });
  return found;
}

function immediate(r: Reader, op: Opcode, m: Module, localName: (k: number) => string): string {
  switch (op.immediate) {
    case 'none':
      return '';
    case 'block':
      r.at++;
      return '';
    case 'label':
      return ` ${u32(r)}`;
    case 'labels':
      return ` ${[...list(r, u32), u32(r)].join(' ')}`;
    case 'function':
      return ` ${functionName(m, u32(r))}`;
    case 'local':
      return ` ${localName(u32(r))}`;
    case 'i32':
      return ` ${Number(BigInt.asIntN(32, signed(r)))}`;
    case 'i64':
      return ` ${signed(r)}`;
    case 'f32': {
      const value = r.view.getFloat32(r.at, true);
      r.at += 4;
      return ` ${float(value, Math.fround)}`;
    }
    case 'f64': {
      const value = r.view.getFloat64(r.at, true);
      r.at += 8;
      return ` ${float(value, Number)}`;
    }
    case 'v128':
      return ` ${vector(r)}`;
    case 'lane':
      return ` ${byte(r)}`;
    case 'shuffle':
      return ` ${Array.from({ length: 16 }, () => byte(r)).join(' ')}`;
    case 'memory':
      return memory(r);
    case 'memoryLane':
      return `${memory(r)} ${byte(r)}`;
    case 'memories':
      r.at += 2;
      return '';
    case 'zero':
      r.at++;
      return '';
    default:
      return op.immediate satisfies never;
  }
}

function memory(r: Reader): string {
  u32(r);
  const offset = u32(r);
  return offset === 0 ? '' : ` offset=${offset}`;
}

/** The shortest decimal that rounds to the value. */
function float(value: number, round: (x: number) => number): string {
  if (Object.is(value, -0)) return '-0';
  if (Number.isNaN(value)) return 'nan';
  if (Math.abs(value) === Number.POSITIVE_INFINITY) return value < 0 ? '-inf' : 'inf';
  for (let digits = 1; digits <= 17; digits++) {
    const text = Number(value.toPrecision(digits));
    if (round(text) === value) return String(text);
  }
  return String(value);
}

/** As float32 if every lane looks like a number that somebody wrote, else as integers; equal lanes are written once. */
function vector(r: Reader): string {
  const lanes = [0, 4, 8, 12].map((k) => ({ float: r.view.getFloat32(r.at + k, true), bits: r.view.getInt32(r.at + k, true) }));
  r.at += 16;
  const areFloats = lanes.every(({ float: x, bits }) => bits === 0 || (Math.abs(x) > 1e-20 && Math.abs(x) < 1e20));
  const texts = lanes.map(({ float: x, bits }) => (areFloats ? float(x, Math.fround) : String(bits)));
  const areEqual = texts.every((text) => text === texts[0]);
  return `${areFloats ? 'f32x4' : 'i32x4'} ${areEqual ? `${texts[0]} ...` : texts.join(' ')}`;
}

const functionName = (m: Module, index: number): string => `$${m.names.functions.get(index) ?? index}`;
const resultText = ({ results }: Signature): string => (results.length === 0 ? '' : ` (result ${results.join(' ')})`);
const signatureText = (s: Signature): string => (s.params.length === 0 ? '' : ` (param ${s.params.join(' ')})`) + resultText(s);

function readNames(r: Reader, end: number, names: Names): void {
  const map = (): Map<number, string> => new Map(list(r, () => [u32(r), name(r)] as const));
  while (r.at < end) {
    const kind = byte(r);
    const next = u32(r) + r.at;
    if (kind === 1) for (const [index, text] of map()) names.functions.set(index, text);
    if (kind === 2) repeat(r, () => names.locals.set(u32(r), map()));
    r.at = next;
  }
}

const byte = (r: Reader): number => r.data[r.at++]!;

function u32(r: Reader): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const next = byte(r);
    value |= (next & 127) << shift;
    if (next < 128) return value >>> 0;
  }
}

function signed(r: Reader): bigint {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const next = byte(r);
    value |= BigInt(next & 127) << shift;
    if (next < 128) return BigInt.asIntN(Number(shift) + 7, value);
  }
}

const utf8 = new TextDecoder();
function name(r: Reader): string {
  const length = u32(r);
  r.at += length;
  return utf8.decode(r.data.subarray(r.at - length, r.at));
}

function valueType(r: Reader): Type {
  const type = types.get(byte(r));
  if (type === undefined) throw new ProgramError(`unknown type at byte ${r.at - 1}`, { op: 'disassemble' });
  return type;
}

function repeat(r: Reader, read: () => void): void {
  for (let count = u32(r); count > 0; count--) read();
}

function list<T>(r: Reader, read: (r: Reader) => T): T[] {
  const out: T[] = [];
  repeat(r, () => out.push(read(r)));
  return out;
}
