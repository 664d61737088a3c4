// Reads the part of Python's pickle format that state dicts are written in. Nothing is ever executed: what a pickle may call is a closed list
// that the reader brings along, and everything else is refused by name.
import { FormatError, SecurityError } from '../../../runtime/errors.ts';

/** What a pickle may call, by the name that Python knows it by. */
export type Callables = ReadonlyMap<string, (...args: readonly unknown[]) => unknown>;

export type PickleReader = {
  readonly op: string;
  readonly callables: Callables;
  /** What stands for a global that is not called, such as the class of a storage. */
  readonly globals: ReadonlyMap<string, object>;
  /** The object that a persistent id names. */
  readonly persistent: (id: unknown) => unknown;
};

/** A dictionary: keys are strings, and numbers become strings. Without prototype, so that every key is only a key. */
export type Dict = { [key: string]: unknown };
const dicts = new WeakSet<object>();
const newDict = (): Dict => {
  const dict = Object.create(null) as Dict;
  dicts.add(dict);
  return dict;
};
export const isDict = (x: unknown): x is Dict => typeof x === 'object' && x !== null && dicts.has(x);

/** Values that wait on the stack, and lists that are open at once: no state dict comes near. */
const deepestStack = 1 << 16;
const deepestMarks = 1000;

type State = {
  readonly reader: PickleReader;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
  readonly stack: unknown[];
  /** Heights of the stack where marks were set. */
  readonly marks: number[];
  readonly memo: Map<number, unknown>;
};

/** The object that a pickle describes: None is null, tuples and lists are arrays, dictionaries are records. */
export function readPickle(bytes: Uint8Array, reader: PickleReader): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const state: State = { reader, bytes, view, at: 0, stack: [], marks: [], memo: new Map() };
  while (true) {
    const begin = state.at;
    const code = take(state, 1)[0]!;
    if (code === stop) return pop(state);
    const run = opcodes.get(code);
    if (run === undefined) throw refuse(state, `opcode 0x${code.toString(16)} is not read`, begin);
    run(state);
    if (state.stack.length > deepestStack || state.marks.length > deepestMarks) throw refuse(state, 'it is nested too deeply', begin);
  }
}

const stop = 0x2e;

const refuse = ({ reader, at }: State, what: string, offset = at): FormatError =>
  new FormatError(`pickle: ${what}`, { op: reader.op, offset });

function take(state: State, count: number): Uint8Array {
  const { bytes, at } = state;
  if (!(at + count <= bytes.length)) throw refuse(state, 'it is cut short');
  state.at += count;
  return bytes.subarray(at, at + count);
}

function pop(state: State): unknown {
  if (state.stack.length <= (state.marks.at(-1) ?? 0)) throw refuse(state, 'the stack is empty');
  return state.stack.pop();
}

/** Everything above the last mark, which goes. */
function popMark(state: State): unknown[] {
  const from = state.marks.pop();
  if (from === undefined) throw refuse(state, 'there is no mark');
  return state.stack.splice(from);
}

function top(state: State): unknown {
  if (state.stack.length <= (state.marks.at(-1) ?? 0)) throw refuse(state, 'the stack is empty');
  return state.stack.at(-1);
}

function number(state: State, bytes: 1 | 2 | 4): number {
  const at = state.at;
  take(state, bytes);
  return bytes === 1 ? state.view.getUint8(at) : bytes === 2 ? state.view.getUint16(at, true) : state.view.getUint32(at, true);
}

function text(state: State, length: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(take(state, length));
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw refuse(state, 'a text is no UTF-8');
  }
}

function line(state: State): string {
  const end = state.bytes.indexOf(0x0a, state.at);
  if (end < 0) throw refuse(state, 'it is cut short');
  const found = text(state, end - state.at);
  state.at++;
  return found;
}

/** Little-endian two's complement; a number where that is exact. */
function long(state: State): number | bigint {
  let value = 0n;
  const bytes = take(state, number(state, 1));
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  value = BigInt.asIntN(8 * bytes.length, value);
  return value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : value;
}

function put(state: State, index: number): void {
  state.memo.set(index, top(state));
}

function get(state: State, index: number): void {
  if (!state.memo.has(index)) throw refuse(state, `nothing was put at ${index}`);
  state.stack.push(state.memo.get(index));
}

function append(state: State, items: readonly unknown[]): void {
  const list = top(state);
  if (!Array.isArray(list)) throw refuse(state, 'something is appended to what is no list');
  for (const item of items) list.push(item);
}

function setItems(state: State, items: readonly unknown[]): void {
  const dict = top(state);
  if (!isDict(dict)) throw refuse(state, 'an item is set of what is no dictionary');
  if (items.length % 2 !== 0) throw refuse(state, 'a key has no value');
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i];
    if (typeof key !== 'string' && typeof key !== 'number') throw refuse(state, 'a key is neither text nor number');
    dict[key] = items[i + 1];
  }
}

/** What a name stands for. Throws SecurityError for all that is not on the list. */
function global(state: State, module: string, name: string): void {
  const { op, callables, globals } = state.reader;
  const full = `${module}.${name}`;
  const found = full === 'collections.OrderedDict' ? newDict : (callables.get(full) ?? globals.get(full));
  if (found === undefined)
    throw new SecurityError(`the file wants to use ${full}, which could run any code`, { op, fix: 'save tensors and state dicts only' });
  state.stack.push(found);
}

function reduce(state: State): void {
  const args = pop(state);
  const callable = pop(state);
  if (typeof callable !== 'function' || !Array.isArray(args)) throw refuse(state, 'what is called is no function');
  state.stack.push(
    callable === newDict
      ? orderedDict(state, args)
      : (callable as (...args: readonly unknown[]) => unknown)(...args.slice(0, mostArguments)),
  );
}
const mostArguments = 16;

/** `OrderedDict()`, or, as old versions wrote it, of a list of pairs. */
function orderedDict(state: State, args: readonly unknown[]): Dict {
  const dict = newDict();
  const pairs = args[0] ?? [];
  if (!Array.isArray(pairs) || !pairs.every((p) => Array.isArray(p) && p.length === 2))
    throw refuse(state, 'an OrderedDict is made of no pairs');
  state.stack.push(dict);
  setItems(state, pairs.flat());
  return state.stack.pop() as Dict;
}

/** The attributes of a dictionary, as state dicts have (`_metadata`), are dropped; nothing else has any. */
function build(state: State): void {
  pop(state);
  if (!isDict(top(state))) throw refuse(state, 'attributes are set of what has none');
}

function tuple(state: State, count: number): void {
  const items: unknown[] = [];
  for (let i = 0; i < count; i++) items.unshift(pop(state));
  state.stack.push(items);
}

type Run = (state: State) => void;
const push =
  (value: (state: State) => unknown): Run =>
  (state) =>
    void state.stack.push(value(state));

/** Names are those of Python's pickletools. */
const opcodes: ReadonlyMap<number, Run> = new Map<number, Run>([
  [0x80, (s) => void take(s, 1)], // PROTO
  [0x95, (s) => void take(s, 8)], // FRAME
  [0x28, (s) => void s.marks.push(s.stack.length)], // MARK
  [0x4e, push(() => null)], // NONE
  [0x88, push(() => true)], // NEWTRUE
  [0x89, push(() => false)], // NEWFALSE
  [0x4a, push((s) => number(s, 4) | 0)], // BININT
  [0x4b, push((s) => number(s, 1))], // BININT1
  [0x4d, push((s) => number(s, 2))], // BININT2
  [0x8a, push(long)], // LONG1
  [0x47, push((s) => new DataView(take(s, 8).slice().buffer).getFloat64(0))], // BINFLOAT
  [0x58, push((s) => text(s, number(s, 4)))], // BINUNICODE
  [0x8c, push((s) => text(s, number(s, 1)))], // SHORT_BINUNICODE
  [0x54, push((s) => text(s, number(s, 4)))], // BINSTRING
  [0x55, push((s) => text(s, number(s, 1)))], // SHORT_BINSTRING
  [0x42, push((s) => take(s, number(s, 4)).slice())], // BINBYTES
  [0x43, push((s) => take(s, number(s, 1)).slice())], // SHORT_BINBYTES
  [0x7d, push(newDict)], // EMPTY_DICT
  [0x5d, push(() => [])], // EMPTY_LIST
  [0x29, push(() => [])], // EMPTY_TUPLE
  [0x74, push(popMark)], // TUPLE
  [0x85, (s) => tuple(s, 1)], // TUPLE1
  [0x86, (s) => tuple(s, 2)], // TUPLE2
  [0x87, (s) => tuple(s, 3)], // TUPLE3
  [0x71, (s) => put(s, number(s, 1))], // BINPUT
  [0x72, (s) => put(s, number(s, 4))], // LONG_BINPUT
  [0x94, (s) => put(s, s.memo.size)], // MEMOIZE
  [0x68, (s) => get(s, number(s, 1))], // BINGET
  [0x6a, (s) => get(s, number(s, 4))], // LONG_BINGET
  [0x61, (s) => append(s, [pop(s)])], // APPEND
  [0x65, (s) => append(s, popMark(s))], // APPENDS
  [0x73, (s) => setItems(s, [pop(s), pop(s)].reverse())], // SETITEM
  [0x75, (s) => setItems(s, popMark(s))], // SETITEMS
  [0x63, (s) => global(s, line(s), line(s))], // GLOBAL
  [
    0x93, // STACK_GLOBAL
    (s) => {
      const [name, module] = [pop(s), pop(s)];
      if (typeof name !== 'string' || typeof module !== 'string') throw refuse(s, 'a name is no text');
      global(s, module, name);
    },
  ],
  [0x52, reduce], // REDUCE
  [0x62, build], // BUILD
  [0x51, push((s) => s.reader.persistent(pop(s)))], // BINPERSID
]);
